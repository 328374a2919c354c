"""The trainable layers between the towers and the language model: three for mining, one into the text space."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)

PROJECTORS = ("mm_projector", "vlm_uni_query_projector", "vlm_uni_aux_projector", "vlm_uni_val_projector")


def build_projector(width: int, hidden: int) -> nn.Sequential:
    """Two linear layers with exact (erf) GELU between: width -> hidden -> hidden."""
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden))


def build_mining_projector(channels: int, width: int) -> nn.Sequential:
    """LayerNorm then Linear: channels -> width."""
    return nn.Sequential(nn.LayerNorm(channels, eps=1e-5), nn.Linear(channels, width))


def norm_of(projector: nn.Sequential) -> nn.LayerNorm:
    """The LayerNorm of a mining projector."""
    return _layer(projector, 0, nn.LayerNorm)


def linear_of(projector: nn.Sequential) -> nn.Linear:
    """The Linear of a mining projector."""
    return _layer(projector, 1, nn.Linear)


def _layer(projector: nn.Sequential, index: int, kind: type[Layer]) -> Layer:
    layer = projector[index]
    if not isinstance(layer, kind):
        raise TypeError(f"layer {index} of a mining projector must be {kind.__name__}, found {type(layer).__name__}")
    return layer
