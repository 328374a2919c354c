"""Prompt tuning: trained embedding rows in front of the input's, all weights frozen.

    model([P; embed(x)]),      P [count, hidden] trained

Source: Lester et al. 2021, The Power of Scale for Parameter-Efficient Prompt Tuning, arXiv:2104.08691, section 2.
The outputs of the virtual positions are cut off again, so that the caller sees as many positions as went in.
Known limits: the sequence is `count` longer, in every layer and in the cache, so it costs latency; rows start as copies
of embeddings the model knows (drawn from the vocabulary), because a cold random start trains badly; there is no
neutral start.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.module import AdapterModule
from lora_demo.methods.virtual_tokens import batch_size, cached_tokens, lengthen, refuse_second

IGNORED = -100
"""The label that transformers' losses skip."""


class SoftPrompt(AdapterModule):
    """`rows` trained embeddings [count, hidden] that precede every input."""

    adapter_parameter_names = ("rows",)
    prepended: bool = False
    """Whether the call now running got the prompt (it starts a sequence) or found it in the cache."""

    def __init__(self, rows: Float[Tensor, "count hidden"]) -> None:
        super().__init__()
        if rows.shape[0] < 1:
            raise MethodError("a soft prompt needs at least one virtual token")
        self.rows = nn.Parameter(rows.detach().clone())
        self.count = rows.shape[0]

    def forward(self, embedded: Float[Tensor, "batch seq hidden"]) -> Float[Tensor, "batch count_and_seq hidden"]:
        rows = self.rows.to(embedded.dtype).expand(embedded.shape[0], -1, -1)
        return torch.cat([rows, embedded], dim=1)

    def enter(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Before the decoder runs: prepend the prompt to a fresh sequence; a cached one has it already."""
        if not self.enabled:
            return args, kwargs
        rows = batch_size(args, kwargs)
        self.prepended = cached_tokens(kwargs) == 0
        lengthen(kwargs, rows, self.count)
        if not self.prepended:
            return args, kwargs
        if kwargs.get("inputs_embeds") is None:
            ids = args[0] if args else kwargs.pop("input_ids")
            args, kwargs["inputs_embeds"] = (None, *args[1:]) if args else args, embedding_of(model)(ids)
        kwargs["inputs_embeds"] = self(kwargs["inputs_embeds"])
        if kwargs.get("position_ids") is not None:
            before = torch.arange(self.count, device=self.rows.device).expand(rows, -1)
            kwargs["position_ids"] = torch.cat([before, kwargs["position_ids"].expand(rows, -1)], dim=1)
        if kwargs.get("labels") is not None:
            kwargs["labels"] = nn.functional.pad(kwargs["labels"], (self.count, 0), value=IGNORED)
        if isinstance(kwargs.get("logits_to_keep"), Tensor):
            kwargs["logits_to_keep"] = kwargs["logits_to_keep"] + self.count
        return args, kwargs

    def leave(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        """After it ran: drop the virtual positions' outputs (a selection of logits never held them)."""
        selected = kwargs.get("logits_to_keep", 0)
        if self.enabled and self.prepended and not isinstance(selected, Tensor) and selected == 0:
            for name in ("logits", "last_hidden_state"):
                if output.get(name) is not None:
                    output[name] = output[name][:, self.count :]
        return output


def embedding_of(model: nn.Module) -> nn.Module:
    """The token embedding, by transformers' own accessor."""
    accessor = getattr(model, "get_input_embeddings", None)
    embedding = accessor() if callable(accessor) else None
    if not isinstance(embedding, nn.Module):
        raise MethodError(f"{type(model).__name__} has no input embedding to put a prompt in front of")
    return embedding


def apply_prompt(model: nn.Module, *, count: int) -> list[str]:
    """Add a soft prompt to a decoder, as its submodule `soft_prompt`, and freeze the rest."""
    refuse_second(model, "soft_prompt")
    embedding = embedding_of(model)
    table = next(embedding.parameters())
    drawn = torch.randint(0, table.shape[0], (max(count, 0),), device=table.device)
    with torch.no_grad():
        prompt = SoftPrompt(embedding(drawn))
    model.add_module("soft_prompt", prompt.train(model.training))
    model.register_forward_pre_hook(prompt.enter, with_kwargs=True)
    model.register_forward_hook(prompt.leave, with_kwargs=True)
    surgery.freeze(model)
    return ["soft_prompt"]
