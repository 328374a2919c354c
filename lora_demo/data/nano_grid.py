"""Grids of handwritten digits: drawn as a plan of small numbers at once, painted as pixels only when asked for.

A picture has 3 x 3 cells, three to nine of them filled. Family A is white ink on black, nearly upright. In family B
each picture is turned, inverted or noisy: the same digits in a look that the base model was not tuned for.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from lora_demo.data.nano_digits import CLASSES, SIDE, Digits, Split, digits

Family = Literal["a", "b"]
ROWS = COLUMNS = 3
CELLS = ROWS * COLUMNS
EMPTY = -1
FEWEST_FILLED = 3
GLYPH = 0.8
"""Part of a cell's side that an unscaled digit takes."""
UPRIGHT_DEGREES = 10.0
TURNED_DEGREES = (30.0, 60.0)
NOISE_SIGMA = 0.22
NOISE_FIELD = 512
"""Side of the one noise field that all pictures cut their noise from."""
TREATMENTS = ("plain", "turned", "inverted", "noisy")


@dataclass(frozen=True)
class Plan:
    """Everything that decides n pictures; a few bytes each, so that millions cost nothing until painted.

    classes    digit per cell in reading order, EMPTY where there is none; source: the scan, as a row of the part
    tilt       in [-1, 1]; the treatment makes an angle of it
    scale      of the digit; shift: in half cells, (x, y)
    treatment  index into TREATMENTS; noise_at: where noise is cut from the field
    """

    classes: Int[Tensor, "n 9"]
    source: Int[Tensor, "n 9"]
    tilt: Float[Tensor, "n 9"]
    scale: Float[Tensor, "n 9"]
    shift: Float[Tensor, "n 9 2"]
    treatment: Int[Tensor, " n"]
    noise_at: Int[Tensor, "n 2"]
    split: Split

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def degrees(self) -> Float[Tensor, "n 9"]:
        """Angle of every digit: a little, or where the picture is turned TURNED_DEGREES to either side."""
        low, high = TURNED_DEGREES
        turned = self.tilt.sign() * (low + self.tilt.abs() * (high - low))
        return torch.where((self.treatment == TREATMENTS.index("turned"))[:, None], turned, self.tilt * UPRIGHT_DEGREES)


def draw(count: int, split: Split, family: Family, seed: int, *, fewest: int = FEWEST_FILLED) -> Plan:
    """`count` pictures of one part and family, at least `fewest` digits each; the same arguments, the same plan."""
    generator = torch.Generator().manual_seed(_seed_of(seed, split, family))
    classes = _draw_classes(count, fewest, generator)
    treatment = torch.randint(1, len(TREATMENTS), (count,), generator=generator)
    if family == "a":
        treatment = torch.zeros_like(treatment)
    return Plan(
        classes=classes,
        source=_draw_sources(classes, digits(split), generator),
        tilt=_uniform((count, CELLS), -1.0, 1.0, generator),
        scale=_uniform((count, CELLS), 0.9, 1.1, generator),
        shift=_uniform((count, CELLS, 2), -0.12, 0.12, generator),
        treatment=treatment,
        noise_at=torch.randint(NOISE_FIELD // 2, (count, 2), generator=generator),
        split=split,
    )


def with_treatment(plan: Plan, treatment: Int[Tensor, " n"]) -> Plan:
    """The same pictures under other treatments (indices into TREATMENTS)."""
    return dataclasses.replace(plan, treatment=treatment)


def paint(plan: Plan, which: Int[Tensor, " b"], side: int) -> UInt8[Tensor, "b side side"]:
    """Grey pictures of `side` pixels, which must be a multiple of 3."""
    if side % ROWS:
        raise ValueError(f"a picture of {side} pixels cannot be cut into {ROWS} rows; use a multiple of {ROWS}")
    cells = _paint_cells(plan, which, side // ROWS)
    b, cell = len(which), side // ROWS
    grey = cells.view(b, ROWS, COLUMNS, cell, cell).permute(0, 1, 3, 2, 4).reshape(b, side, side)
    grey = _apply_treatment(grey, plan.treatment[which], plan.noise_at[which])
    return (grey * 255).round().to(torch.uint8)


def _paint_cells(plan: Plan, which: Int[Tensor, " b"], cell: int) -> Float[Tensor, "b9 cell cell"]:
    """Each cell samples its scan through an affine map: turn, scale and shift in one bilinear step."""
    source, angle = plan.source[which].flatten(), plan.degrees[which].flatten() * (math.pi / 180)
    size = (plan.scale[which].flatten() * GLYPH).reciprocal()
    shift = plan.shift[which].flatten(0, 1)
    turn = torch.stack((angle.cos(), -angle.sin(), angle.sin(), angle.cos()), -1).view(-1, 2, 2) * size[:, None, None]
    theta = torch.cat((turn, -(turn @ shift[:, :, None])), -1)
    scans = digits(plan.split).pixels[source.clamp_min(0), None]
    grid = F.affine_grid(theta, [len(theta), 1, cell, cell], align_corners=False)
    drawn = F.grid_sample(scans, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]
    return drawn * (source >= 0)[:, None, None]


def _apply_treatment(
    grey: Float[Tensor, "b side side"], treatment: Int[Tensor, " b"], noise_at: Int[Tensor, "b 2"]
) -> Float[Tensor, "b side side"]:
    inverted = (treatment == TREATMENTS.index("inverted"))[:, None, None]
    grey = torch.where(inverted, 1 - grey, grey)
    noisy = torch.nonzero(treatment == TREATMENTS.index("noisy"))[:, 0]
    for i in noisy.tolist():
        top, left = noise_at[i].tolist()
        grey[i] += _noise_field()[top : top + grey.shape[1], left : left + grey.shape[2]]
    return grey.clamp(0, 1)


@functools.cache
def _noise_field() -> Float[Tensor, "h w"]:
    generator = torch.Generator().manual_seed(SIDE)
    return torch.randn(NOISE_FIELD, NOISE_FIELD, generator=generator) * NOISE_SIGMA


def _draw_classes(count: int, fewest: int, generator: torch.Generator) -> Int[Tensor, "n 9"]:
    """Digits from a small palette per picture, so that one digit repeats and the largest is not always a nine."""
    palette = _draw_palette(count, generator).float()
    classes = torch.multinomial(palette, CELLS, replacement=True, generator=generator)
    filled = torch.randint(fewest, CELLS + 1, (count, 1), generator=generator)
    order = torch.rand(count, CELLS, generator=generator).argsort(1)
    return torch.where(order < filled, classes, EMPTY)


def _draw_palette(count: int, generator: torch.Generator) -> Bool[Tensor, "n 10"]:
    """Two to six digits per picture: half of the pictures have a cap drawn evenly, the other half a floor."""
    limit = torch.randint(CLASSES, (count, 1), generator=generator)
    capped = torch.rand(count, 1, generator=generator) < 0.5
    every = torch.arange(CLASSES)
    allowed = torch.where(capped, every <= limit, every >= limit)
    score = torch.rand(count, CLASSES, generator=generator).masked_fill(~allowed, -1).masked_fill(every == limit, 2)
    rank = score.argsort(1, descending=True).argsort(1)
    return (rank < torch.randint(2, 7, (count, 1), generator=generator)) & allowed


def _draw_sources(classes: Int[Tensor, "n 9"], part: Digits, generator: torch.Generator) -> Int[Tensor, "n 9"]:
    """For each filled cell an evenly drawn scan of its class, as a row of `part`."""
    wanted = classes.clamp_min(0)
    draw = (torch.rand(classes.shape, generator=generator) * part.counts[wanted]).long()
    return torch.where(classes >= 0, part.first[wanted] + draw, EMPTY)


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator) * (high - low) + low


def _seed_of(*parts: object) -> int:
    """Independent streams per part, family and seed; stable across machines, unlike `hash`."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")
