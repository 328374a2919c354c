"""Prefix tuning: trained keys and values in front of every layer's own, the weights stay as they are.

    attention(q, [P_k; K], [P_v; V]) per layer,     P_k, P_v [count, kv_heads · head_dim] trained
    with reparametrisation:  [P_k; P_v] of all layers = W₂ tanh(W₁ E + b₁) + b₂,  E [count, kv_heads · head_dim];
    `fold` keeps its value and drops the network: what is served needs no more than the prefix itself.

Source: Li & Liang 2021, Prefix-Tuning, arXiv:2101.00190, equations 2-3 (keys and values as in section 4.2).
The prefix enters through the key/value cache, as in PEFT: the cache is `count` longer, later positions move up by
`count`. Known limits: activation checkpointing drops caches, so training with it is refused; a randomly drawn
prefix changes the first output (there is no neutral value: attention to it takes weight from the rest).
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import DynamicCache

from lora_demo.methods import surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.module import AdapterModule, linear_features
from lora_demo.methods.virtual_tokens import batch_size, cached_tokens, lengthen, refuse_second


class Prefix(AdapterModule):
    """`count` virtual tokens for `layers` layers with `kv_heads` heads of `head_dim`.

    hidden  width of the reparametrising network; None trains the prefix itself
    """

    def __init__(
        self,
        count: int,
        layers: int,
        kv_heads: int,
        head_dim: int,
        hidden: int | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if count < 1:
            raise MethodError(f"count={count}: a prefix needs at least one virtual token")
        if hidden is not None and hidden < 1:
            raise MethodError(f"hidden={hidden}: the network needs at least one unit; leave it out to train the prefix")
        self.count, self.layers, self.kv_heads, self.head_dim = count, layers, kv_heads, head_dim
        kv_width, place = kv_heads * head_dim, {"device": device, "dtype": dtype}
        every_layer = 2 * layers * kv_width
        self.table = nn.Parameter(torch.randn(count, every_layer if hidden is None else kv_width, **place))
        self.network = None
        if hidden is not None:
            wide_layer = nn.Linear(hidden, every_layer, **place)
            self.network = nn.Sequential(nn.Linear(kv_width, hidden, **place), nn.Tanh(), wide_layer)
        self.adapter_parameter_names = tuple(name for name, _ in self.named_parameters())

    def forward(self) -> Float[Tensor, "layers two kv_heads count head_dim"]:
        """Keys [:, 0] and values [:, 1] of every layer."""
        table = self.table if self.network is None else self.network(self.table)
        return table.view(self.count, self.layers, 2, self.kv_heads, self.head_dim).permute(1, 2, 3, 0, 4)

    @torch.no_grad()
    def fold(self) -> None:
        """Replace the network by its value; the same outputs, fewer parameters, no way back."""
        if self.network is None:
            raise MethodError("this prefix has no reparametrisation (or it was folded already)")
        self.table = nn.Parameter(self.network(self.table))
        self.network = None
        self.adapter_parameter_names = ("table",)

    def enter(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Before the decoder runs: fill an empty cache with the prefix, and count its positions in."""
        if not self.enabled:
            return args, kwargs
        if model.training and any(getattr(module, "gradient_checkpointing", False) for module in model.modules()):
            raise MethodError("prefix tuning needs the cache, which activation checkpointing drops: switch it off")
        rows = batch_size(args, kwargs)
        if cached_tokens(kwargs) == 0:
            if kwargs.get("past_key_values") is None:
                kwargs["past_key_values"] = DynamicCache(config=getattr(model, "config", None))
            # A float32 prefix on a bfloat16 base: the base's own keys and values decide.
            entries = self().to(getattr(model, "dtype", self.table.dtype))
            for layer, (keys, values) in enumerate(entries):
                shape = (rows, *keys.shape)
                kwargs["past_key_values"].update(keys.expand(shape), values.expand(shape), layer)
        lengthen(kwargs, rows, self.count)
        return args, kwargs


def attention_shape(model: nn.Module) -> tuple[int, int, int]:
    """(layers, kv_heads, head_dim), read off the attention modules."""
    attentions: list[Any] = [m for m in model.modules() if hasattr(m, "k_proj") and hasattr(m, "head_dim")]
    shapes = {(linear_features(attention.k_proj)[1], attention.head_dim) for attention in attentions}
    if len(shapes) != 1:
        raise MethodError(
            f"{type(model).__name__} is no decoder with equal attention layers (found {sorted(shapes) or 'none'}): "
            "prefix tuning needs a key/value cache; use LoRA or an adapter here"
        )
    ((kv_width, head_dim),) = shapes
    return len(attentions), kv_width // head_dim, head_dim


def apply_prefix(
    model: nn.Module, *, count: int, hidden: int | None = None, dtype: torch.dtype | None = None
) -> list[str]:
    """Add the prefix to a decoder, as its submodule `prefix`, and freeze the rest."""
    refuse_second(model, "prefix")
    first = next(model.parameters())
    prefix = Prefix(count, *attention_shape(model), hidden, first.device, dtype or first.dtype)
    model.add_module("prefix", prefix.train(model.training))
    model.register_forward_pre_hook(prefix.enter, with_kwargs=True)
    surgery.freeze(model)
    return ["prefix"]
