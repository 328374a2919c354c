"""A plain language model with the interface that MGM is trained through, so that the two are measured by one step."""

from __future__ import annotations

from typing import Any

from jaxtyping import Int
from torch import Tensor

from lora_demo.models.config import TextConfig
from lora_demo.models.splice import Plan
from lora_demo.models.spliced import SplicedModel, SplicedOutput


class TextModel(SplicedModel):
    """Text in, logits out; there is no picture and nothing is spliced in."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)

    def forward(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        plan: Plan | None = None,
        **form: Any,
    ) -> SplicedOutput:
        """Logits, and with labels the loss; `form` says how it is formed, as in `MGM.forward`."""
        plan = plan or self.plan(input_ids, attention_mask, labels)
        return self.answer(self.embed(input_ids, plan, None), plan, **form)
