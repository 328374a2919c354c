"""The nano towers' own pretraining: name what stands in every cell of the grid.

Real towers come pretrained on hundreds of millions of pictures; ours would stay blind, because they are frozen from
then on. Each tower gets a linear head per cell, which is thrown away afterwards:

    CLIP      query of each cell -> 11 classes, and which of the 9 cells it is
    ConvNeXt  mean of every stage over the cell, joined -> 11 classes

Without the second task CLIP's features would forget where they come from, and no question about a place could be
answered: the language model sees image tokens in a row, not on a grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lora_demo.models.mgm import MGM
from lora_demo.models.towers import clip_features, convnext_stages

CLASSES = 11
"""Empty and ten digits."""
POSITION_STD = 3.0
"""Of CLIP's position embeddings: what stands in a cell must not drown where the cell is."""


@dataclass(frozen=True)
class LessonOutput:
    """loss: sum of the three cross-entropies; logits of the ConvNeXt head (batch, cells, classes)"""

    loss: Float[Tensor, ""]
    logits: Float[Tensor, "batch cells classes"]
    clip_logits: Float[Tensor, "batch cells classes"]


class CellLesson(nn.Module):
    """The towers of `mgm`, trainable, with their heads. Calling `finish` freezes them again."""

    def __init__(self, mgm: MGM) -> None:
        super().__init__()
        self.mgm = [mgm]  # in a list: only its towers are part of this module
        self.clip, self.aux = mgm.vision_tower.requires_grad_(True), mgm.vision_tower_aux.requires_grad_(True)
        self.clip_head = nn.Linear(mgm.config.clip.hidden_size, CLASSES)
        self.place_head = nn.Linear(mgm.config.clip.hidden_size, mgm.config.image_tokens)
        self.aux_head = nn.Linear(mgm.config.aux.channels, CLASSES)
        self.layers, self.grid = mgm.config.clip.layers_used, mgm.config.clip.grid

    def forward(
        self,
        images: Float[Tensor, "batch 3 small small"],
        images_aux: Float[Tensor, "batch 3 large large"],
        cells: Int[Tensor, "batch cells"],
        denominator: float | None = None,
    ) -> LessonOutput:
        query = clip_features(self.clip, images, self.layers)
        clip, places = self.clip_head(query), self.place_head(query)
        aux = self.aux_head(self._cell_features(convnext_stages(self.aux, images_aux)))
        here = torch.arange(cells.shape[1], device=cells.device).expand_as(cells)
        loss = _summed(clip, cells) + _summed(aux, cells) + _summed(places, here)
        return LessonOutput(loss / (cells.numel() if denominator is None else denominator), aux, clip)

    def finish(self) -> MGM:
        """The model with its towers frozen and in eval mode."""
        mgm = self.mgm[0]
        mgm.vision_tower.requires_grad_(False).eval()
        mgm.vision_tower_aux.requires_grad_(False).eval()
        return mgm

    def _cell_features(self, stages: tuple[Tensor, ...]) -> Float[Tensor, "batch cells channels"]:
        maps = [_to_cells(stage, self.grid) for stage in stages]
        return torch.cat(maps, dim=1).flatten(2).transpose(1, 2)


def fresh_model(model: MGM) -> None:
    """`fresh`, with the projector's output divided by sqrt(hidden): Gemma's embedding scale multiplies it again."""
    fresh(model)
    last = model.mm_projector[-1]
    with torch.no_grad():
        last.get_parameter("weight").div_(model.config.llm.hidden_size**0.5)


def fresh(module: nn.Module) -> None:
    """Initialise for training from scratch: weights of variance 1 / fan-in, biases 0, layer scales 1, strong positions.

    transformers starts with std 0.02 and layer scales of 1e-6, made for wide and deep towers; at widths of 16 to 96
    signals would all but vanish.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="linear")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        if isinstance(position := getattr(part, "position_embedding", None), nn.Embedding):
            nn.init.normal_(position.weight, std=POSITION_STD)
        scale = getattr(part, "layer_scale_parameter", None)
        if isinstance(scale, nn.Parameter):
            nn.init.ones_(scale)


def _to_cells(stage: Float[Tensor, "batch c h w"], grid: int) -> Float[Tensor, "batch c grid grid"]:
    if stage.shape[-1] >= grid:
        return F.adaptive_avg_pool2d(stage, grid)
    return F.interpolate(stage, size=(grid, grid), mode="bilinear", align_corners=False)


def _summed(logits: Float[Tensor, "batch cells classes"], cells: Int[Tensor, "batch cells"]) -> Float[Tensor, ""]:
    return F.cross_entropy(logits.flatten(0, 1), cells.flatten(), reduction="sum")
