"""A language model that reads a spliced sequence: text, with whatever vectors were put in place of placeholders.

plan    where text, images and padding lie, in plain integers
embed   what enters the first decoder layer
answer  logits at all positions, at the supervised ones, or a loss formed in chunks without logits
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lora_demo.models.chunked_loss import Kernel, chunked_next_token_loss, headless
from lora_demo.models.config import MGMConfig, TextConfig
from lora_demo.models.llm import build_llm
from lora_demo.models.loss import as_index, gather_positions, next_token_loss
from lora_demo.models.packing import one_sequence_per_row
from lora_demo.models.splice import Plan, assemble, plan_splice


@dataclass(frozen=True)
class SplicedOutput:
    """loss    mean over supervised tokens, or None without labels
    logits  (batch, length, vocabulary); with `supervised_only`: (supervised tokens, vocabulary); with `loss_chunk`
            they are never formed: (0,)
    plan    where images and padding lie in the spliced sequence
    """

    loss: Tensor | None
    logits: Tensor
    plan: Plan


class SplicedModel(nn.Module):
    """The language model and the way through it. Build it under `torch.device("meta")` to count or trace it."""

    def __init__(self, config: MGMConfig | TextConfig) -> None:
        super().__init__()
        self.config = config
        # Any: a transformers causal language model, which PEFT may wrap later.
        self.language_model: Any = build_llm(config.llm)

    def plan(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        images: int | None = None,
        padding_side: Literal["left", "right"] | None = None,
    ) -> Plan:
        """Lay out a batch of real ids. Pass the plan to `forward` when the ids there are fake."""
        return plan_splice(
            input_ids,
            attention_mask,
            labels,
            images=images,
            image_tokens=self.config.image_tokens,
            config=self.config.splice,
            padding_side=padding_side,
        )

    def embed(
        self, input_ids: Int[Tensor, "batch tokens"], plan: Plan, image_embeds: Tensor | None
    ) -> Float[Tensor, "batch length hidden"]:
        """What enters the first decoder layer.

        Gemma multiplies text embeddings by sqrt(hidden). Where the embedding module does so itself (transformers 5.4
        and later) the language model takes `inputs_embeds` as they are, and image tokens must be scaled here; where
        it does not, the language model scales all it is given, or, like Llama, nothing.
        """
        words = self.language_model.get_input_embeddings()
        text = words(input_ids.clamp(min=0))
        if image_embeds is None:
            return assemble(plan, text, None)
        scale = getattr(words, "embed_scale", None)
        scaled = image_embeds.to(text.dtype)
        return assemble(plan, text, scaled if scale is None else scaled * scale.to(text.dtype))

    def answer(
        self,
        embeds: Float[Tensor, "batch length hidden"],
        plan: Plan,
        *,
        supervised_only: bool = False,
        denominator: float | int | Tensor | None = None,
        loss_chunk: int | None = None,
        loss_kernel: Kernel = "own",
    ) -> SplicedOutput:
        """Logits, and with labels in the plan the loss; options as for `MGM.forward`."""
        if plan.labels is None:
            return SplicedOutput(loss=None, logits=self._logits(embeds, plan), plan=plan)
        if loss_chunk is not None:
            return self._supervise_in_chunks(embeds, plan, denominator, loss_chunk, loss_kernel)
        return self._supervise(embeds, plan, supervised_only, denominator)

    def _logits(self, embeds: Tensor, plan: Plan, keep: Tensor | None = None) -> Tensor:
        # Right padding lies behind every real position, so causal attention never sees it; leaving the mask out
        # keeps the fast attention kernels, which a padded mask would switch off.
        mask = torch.tensor(plan.mask, device=embeds.device) if plan.needs_mask else None
        chosen = {} if keep is None else {"logits_to_keep": keep}
        # Through the language model's own call, not its parts: adapters of several kinds hang on that call.
        with one_sequence_per_row():
            return self.language_model(inputs_embeds=embeds, attention_mask=mask, use_cache=False, **chosen).logits

    def _supervise(
        self, embeds: Tensor, plan: Plan, supervised_only: bool, denominator: float | int | Tensor | None
    ) -> SplicedOutput:
        rows, columns, targets = _supervised_columns(plan)
        if supervised_only:
            # One selection of positions serves all rows of a batch, so it is the union over the rows.
            kept = sorted(set(columns))
            columns = [bisect_left(kept, column) for column in columns]
            logits = self._logits(embeds, plan, as_index(kept, embeds.device))
        else:
            logits = self._logits(embeds, plan)
        chosen = gather_positions(logits, as_index(rows, embeds.device), as_index(columns, embeds.device))
        loss = next_token_loss(chosen, as_index(targets, embeds.device), denominator)
        return SplicedOutput(loss=loss, logits=chosen if supervised_only else logits, plan=plan)

    def _supervise_in_chunks(
        self, embeds: Tensor, plan: Plan, denominator: float | int | Tensor | None, chunk: int, kernel: Kernel
    ) -> SplicedOutput:
        rows, columns, targets = (as_index(column, embeds.device) for column in _supervised_columns(plan))
        head = self.language_model.get_output_embeddings()
        with headless(head):
            hidden = self._logits(embeds, plan)
        chosen = gather_positions(hidden, rows, columns)
        loss = chunked_next_token_loss(chosen, head, targets, denominator, chunk=chunk, kernel=kernel)
        return SplicedOutput(loss=loss, logits=chosen.new_empty(0), plan=plan)


def _supervised_columns(plan: Plan) -> tuple[list[int], list[int], list[int]]:
    """Rows, positions and targets of everything that counts in the loss."""
    places = plan.supervised
    if not places:
        raise ValueError("no label in this batch counts in the loss: every one is ignored or was cut off")
    rows, columns, targets = (list(column) for column in zip(*places, strict=True))
    return rows, columns, targets
