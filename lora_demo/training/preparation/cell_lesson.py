"""The nano model's first pretraining: name what stands in every cell of the grid.

Real towers come pretrained on hundreds of millions of pictures; ours would stay blind, because they are frozen from
then on. Each tower gets a linear head per cell, which is thrown away afterwards:

    CLIP      query of each cell -> 11 classes, and which of the 9 cells it is
    ConvNeXt  mean of every stage over the cell, joined -> 11 classes

Without the second task CLIP's features would forget where they come from, and no question about a place could be
answered: the language model sees image tokens in a row, not on a grid.

The projectors learn with them, against word embeddings instead of heads of their own:

    image token . embedding -> 11 words for the digit, 3 for the row, 3 for the column

As in the first of MGM's two stages, where only the projectors learn, image tokens so begin in the language of the
model that will read them. Left to the language model alone this takes most of its training: what tells cells apart
is a small part of a projected feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lora_demo.data import tokenizer
from lora_demo.data.nano_grid import COLUMNS
from lora_demo.data.nano_questions import COLUMN_WORDS, ROW_WORDS, digit_word
from lora_demo.models.mgm import MGM
from lora_demo.models.projectors import PROJECTORS
from lora_demo.models.towers import TowerFeatures, clip_features, convnext_stages

CLASSES = 11
"""Empty and ten digits."""


@dataclass(frozen=True)
class LessonOutput:
    """loss: sum of the six cross-entropies; logits: of the digit words at each image token (batch, cells, classes)"""

    loss: Float[Tensor, ""]
    logits: Float[Tensor, "batch cells classes"]


class CellLesson(nn.Module):
    """Towers, projectors and word embeddings of `mgm`, trainable. Calling `finish` freezes the towers again."""

    def __init__(self, mgm: MGM) -> None:
        super().__init__()
        self.mgm = [mgm]  # in a list: only what learns here is part of this module
        self.clip, self.aux = mgm.vision_tower, mgm.vision_tower_aux
        self.projectors = nn.ModuleDict({name: mgm.get_submodule(name) for name in PROJECTORS})
        self.words = mgm.language_model.get_input_embeddings()
        self.clip_head = nn.Linear(mgm.config.clip.hidden_size, CLASSES)
        self.place_head = nn.Linear(mgm.config.clip.hidden_size, mgm.config.image_tokens)
        self.aux_head = nn.Linear(mgm.config.aux.channels, CLASSES)
        self.layers, self.grid = mgm.config.clip.layers_used, mgm.config.clip.grid
        self.says = Vocabulary.of_cells()
        self.requires_grad_(True)

    def forward(
        self,
        images: Float[Tensor, "batch 3 small small"],
        images_aux: Float[Tensor, "batch 3 large large"],
        cells: Int[Tensor, "batch cells"],
        denominator: float | None = None,
    ) -> LessonOutput:
        query, stages = clip_features(self.clip, images, self.layers), convnext_stages(self.aux, images_aux)
        here = torch.arange(cells.shape[1], device=cells.device).expand_as(cells)
        loss = _summed(self.clip_head(query), cells) + _summed(self.place_head(query), here)
        loss = loss + _summed(self.aux_head(self._cell_features(stages)), cells)
        token = self._image_tokens(TowerFeatures(query, stages))
        digits = self._scores(token, self.says.digits)
        loss = loss + _summed(digits, cells) + _summed(self._scores(token, self.says.rows), here // COLUMNS)
        loss = loss + _summed(self._scores(token, self.says.columns), here % COLUMNS)
        return LessonOutput(loss / (cells.numel() if denominator is None else denominator), digits)

    def finish(self) -> MGM:
        """The model with its towers frozen and in eval mode."""
        mgm = self.mgm[0]
        mgm.vision_tower.requires_grad_(False).eval()
        mgm.vision_tower_aux.requires_grad_(False).eval()
        return mgm

    def _cell_features(self, stages: tuple[Tensor, ...]) -> Float[Tensor, "batch cells channels"]:
        maps = [_to_cells(stage, self.grid) for stage in stages]
        return torch.cat(maps, dim=1).flatten(2).transpose(1, 2)

    def _image_tokens(self, features: TowerFeatures) -> Float[Tensor, "batch cells hidden"]:
        """As the decoder's first layer sees them: normalised, so that no embedding scale matters."""
        projected = self.mgm[0].project(features)
        return F.rms_norm(projected, projected.shape[-1:])

    def _scores(self, token: Tensor, words: Sequence[int]) -> Float[Tensor, "batch cells words"]:
        return token @ self.words.weight[list(words)].T


@dataclass(frozen=True)
class Vocabulary:
    """Token ids of the words for a cell: what stands there (empty, ten digits), its row and its column."""

    digits: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @classmethod
    def of_cells(cls) -> Vocabulary:
        """Words as questions and answers use them: a digit begins an answer, a place stands after a space."""
        text = tokenizer.nano()

        def ids(words: Iterable[str]) -> tuple[int, ...]:
            return tuple(text.encode(word)[0] for word in words)

        digits = ids(digit_word(number - 1) for number in range(CLASSES))
        return cls(digits, ids(f" {word}" for word in ROW_WORDS), ids(f" {word}" for word in COLUMN_WORDS))


def _to_cells(stage: Float[Tensor, "batch c h w"], grid: int) -> Float[Tensor, "batch c grid grid"]:
    if stage.shape[-1] >= grid:
        return F.adaptive_avg_pool2d(stage, grid)
    return F.interpolate(stage, size=(grid, grid), mode="bilinear", align_corners=False)


def _summed(logits: Float[Tensor, "batch cells classes"], cells: Int[Tensor, "batch cells"]) -> Float[Tensor, ""]:
    return F.cross_entropy(logits.flatten(0, 1), cells.flatten(), reduction="sum")
