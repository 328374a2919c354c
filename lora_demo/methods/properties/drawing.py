"""What properties draw: layers of all shapes, and small models built from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods.properties.implementation import Implementation

SEEDS = st.integers(0, 2**16)
ALPHAS = st.sampled_from([0.5, 1, 2, 3, 8, 16, 32])
DTYPES = st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16])
"""Order matters where a case is shrunk: the plainest first."""


@dataclass(frozen=True)
class LayerCase:
    """A linear layer [d_out, d_in] and the settings of an adapter on it."""

    d_in: int
    d_out: int
    r: int
    alpha: int | float
    bias: bool
    seed: int

    def base(self, dtype: torch.dtype = torch.float64) -> nn.Linear:
        """The same layer at each call."""
        torch.manual_seed(self.seed)
        return nn.Linear(self.d_in, self.d_out, bias=self.bias).to(dtype)

    def inputs(self, rows: int = 5, dtype: torch.dtype = torch.float64) -> Float[Tensor, "rows d_in"]:
        generator = torch.Generator().manual_seed(self.seed + 1)
        return torch.randn(rows, self.d_in, generator=generator, dtype=torch.float64).to(dtype)


@st.composite
def layer_cases(draw: Callable[..., Any], largest: int = 16, ranks: int = 16, smallest: int = 2) -> LayerCase:
    """Widths in smallest..largest, ranks from 1 up to what the shape (or `ranks`) allows."""
    d_in, d_out = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    r = draw(st.integers(1, min(d_in, d_out, ranks)))
    return LayerCase(d_in, d_out, r, draw(ALPHAS), draw(st.booleans()), draw(SEEDS))


def lora_layer(
    implementation: Implementation,
    case: LayerCase,
    dtype: torch.dtype = torch.float64,
    *,
    trained: bool = True,
    **settings: Any,
) -> Any:
    """A LoRA layer on the case's base; `trained`: B is random, as after some steps."""
    layer = implementation.lora.LoRALinear(case.base(dtype), case.r, case.alpha, **settings)
    if trained:
        randomise(layer.lora_B, case.seed + 2)
    return layer


@torch.no_grad()
def randomise(parameter: Float[Tensor, "..."], seed: int, size: float = 1.0) -> None:
    """Normal values, in place; zero would hide a fault."""
    drawn = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    parameter.copy_(drawn * size)


@torch.no_grad()
def felt(layer: Any) -> Float[Tensor, "d_out d_in"]:
    """The update that the forward pass really applies, read off by feeding the unit vectors."""
    unit_vectors = torch.eye(layer.in_features, dtype=torch.float64)
    return (layer(unit_vectors) - layer.base(unit_vectors)).T


class Toy(nn.Module):
    """Two linear layers around a GELU, with a norm before the output: names end as in a decoder."""

    def __init__(self, width: int, hidden: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.q_proj, self.seq_proj = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.down_proj, self.norm = nn.Linear(hidden, width), nn.LayerNorm(width)
        self.to(dtype)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        hidden = nn.functional.gelu(self.q_proj(x)) * self.seq_proj(x)
        return self.norm(x + self.down_proj(hidden))


def toy(case: LayerCase, dtype: torch.dtype = torch.float64) -> Toy:
    torch.manual_seed(case.seed)
    return Toy(case.d_in, case.d_out, dtype)


def randomise_adapter(implementation: Implementation, model: nn.Module, seed: int, size: float = 0.3) -> None:
    """Move every adapter parameter off its start."""
    for offset, parameter in enumerate(implementation.surgery.adapter_parameters(model).values()):
        randomise(parameter, seed + 3 + offset, size)
