"""The two frozen vision towers: CLIP makes the queries, ConvNeXt the map they look into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, ConvNextConfig, ConvNextModel

from lora_demo.models.config import AuxConfig, ClipConfig

TOWERS = ("vision_tower", "vision_tower_aux")
"""Their names in MGM."""


@dataclass(frozen=True)
class TowerFeatures:
    """What the frozen towers say about a batch of images; worth caching, since it never changes.

    query   (batch, queries, clip width)
    stages  one map per ConvNeXt stage, (batch, dims[i], map side / 2^i, map side / 2^i); an eighth of the pyramid
    """

    query: Tensor
    stages: tuple[Tensor, ...]


def build_clip(config: ClipConfig) -> CLIPVisionModel:
    """CLIP's vision transformer with all its layers, so that a checkpoint's keys all find their place."""
    return CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            image_size=config.image_size,
            patch_size=config.patch_size,
            projection_dim=config.projection_dim,
            hidden_act=config.hidden_act,
            layer_norm_eps=config.layer_norm_eps,
        )
    )


def build_convnext(config: AuxConfig) -> ConvNextModel:
    """ConvNeXt without its pooled LayerNorm, which MGM does not have, and without stochastic depth.

    The released model was trained with drop path 0.1 left on in this frozen tower; features here are deterministic.
    """
    tower = ConvNextModel(
        ConvNextConfig(
            hidden_sizes=list(config.dims),
            depths=list(config.depths),
            num_stages=len(config.dims),
            image_size=config.image_size,
            drop_path_rate=0.0,
        )
    )
    tower.register_module("layernorm", nn.Identity())
    return tower


def clip_body(tower: CLIPVisionModel) -> Any:
    """The module that owns `embeddings` and `encoder`: transformers 5 moved it up one level at some point."""
    return getattr(tower, "vision_model", tower)


def clip_features(
    tower: CLIPVisionModel, images: Float[Tensor, "batch 3 side side"], layers: int
) -> Float[Tensor, "batch queries width"]:
    """Patch features after `layers` transformer layers, CLS dropped; the layers above are not run."""
    body = clip_body(tower)
    hidden = body.pre_layrnorm(body.embeddings(images))
    for layer in body.encoder.layers[:layers]:
        hidden = layer(hidden, None)
    return hidden[:, 1:]


def convnext_stages(tower: ConvNextModel, images: Float[Tensor, "batch 3 side side"]) -> tuple[Tensor, ...]:
    """The raw output of every stage, largest map first."""
    hidden = tower.embeddings(images)
    stages = []
    for stage in tower.encoder.stages:
        hidden = stage(hidden)
        stages.append(hidden)
    return tuple(stages)


def pyramid(stages: tuple[Tensor, ...]) -> Float[Tensor, "batch channels side side"]:
    """All stages on the first one's grid, concatenated on channels: (batch, sum(dims), map side, map side).

    Bilinear interpolation runs in float32 and returns to the working dtype, as in the original.
    """
    side = stages[0].shape[-2:]
    upsampled = [_resize(stage, side) for stage in stages[1:]]
    return torch.cat([stages[0], *upsampled], dim=1)


def _resize(stage: Tensor, side: torch.Size) -> Tensor:
    larger = F.interpolate(stage.float(), size=side, mode="bilinear", align_corners=False)
    return larger.to(stage.dtype)
