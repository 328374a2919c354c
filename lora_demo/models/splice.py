"""Where image blocks go in the token sequence.

The plan is made of plain integers read once from the token ids, so that the tensors themselves may be fake, on the
meta device or on a GPU. Rules (those of the original): padding is removed with the attention mask; the ids are split
at the placeholder; one image block replaces each placeholder, images being consumed in order; a row without
placeholder still consumes one image (a dummy) and takes an empty slice of it; rows are cut to `max_length` after
expansion and padded with zeros, label `ignore_index`, mask 0. Without images nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lora_demo.models.config import PaddingSide, SpliceConfig


class SpliceError(ValueError):
    """Placeholders and images do not match; the message says how many of each and where."""


@dataclass(frozen=True)
class TextRun:
    """Positions [start, stop) of the row's own tokens."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def cut(self, length: int) -> TextRun:
        return TextRun(self.start, min(self.stop, self.start + length))


@dataclass(frozen=True)
class ImageRun:
    """The first `length` vectors of one image."""

    image: int
    length: int

    def cut(self, length: int) -> ImageRun:
        return ImageRun(self.image, min(self.length, length))


Row = tuple[TextRun | ImageRun, ...]


@dataclass(frozen=True)
class Plan:
    """How every row of the batch is put together, and which positions are real.

    mask    per row and position 1 where real, 0 where padding
    labels  per row and position, or None; position t is the target of position t-1
    """

    rows: tuple[Row, ...]
    length: int
    padding_side: PaddingSide
    mask: tuple[tuple[int, ...], ...]
    labels: tuple[tuple[int, ...], ...] | None
    ignore_index: int

    @property
    def needs_mask(self) -> bool:
        """Whether causal attention alone would let a real position see padding: not so if padding comes last."""
        return any(earlier < later for row in self.mask for earlier, later in pairwise(row))

    @property
    def supervised(self) -> tuple[tuple[int, int, int], ...]:
        """(row, position, target) for every position whose next token counts in the loss.

        A padding position predicts nothing: with left padding a row's first token has no predecessor, as in a row
        that stands alone.
        """
        return tuple(
            (r, t, target)
            for r, (row, real) in enumerate(zip(self.labels or (), self.mask, strict=False))
            for t, target in enumerate(row[1:])
            if target != self.ignore_index and real[t]
        )


def plan_splice(
    input_ids: Int[Tensor, "batch tokens"],
    attention_mask: Tensor | None,
    labels: Int[Tensor, "batch tokens"] | None,
    *,
    images: int | None,
    image_tokens: int,
    config: SpliceConfig,
    padding_side: PaddingSide | None = None,
) -> Plan:
    """Read the ids and lay out every row.

    images        how many the batch brings; None for a batch of text only, which stays as it is
    padding_side  instead of the configuration's; given, it moves the padding of a text batch too
    """
    ids = input_ids.tolist()
    mask = [[1] * len(row) for row in ids] if attention_mask is None else attention_mask.long().tolist()
    targets = None if labels is None else labels.tolist()
    side = padding_side or config.padding_side
    if images is None:
        _refuse_placeholders(ids, config)
    if images is None and padding_side is None:
        return _unchanged(mask, targets, side, config)
    rows = _expand(ids, mask, images, image_tokens, config)
    return _padded_plan(rows, targets, side, config)


def assemble(
    plan: Plan, text: Float[Tensor, "batch tokens hidden"], images: Float[Tensor, "images vectors hidden"] | None
) -> Float[Tensor, "batch length hidden"]:
    """The input embeddings of the language model; padding is zero."""
    return torch.stack([_assemble_row(row, text[r], images, plan) for r, row in enumerate(plan.rows)])


def _assemble_row(row: Row, text: Tensor, images: Tensor | None, plan: Plan) -> Tensor:
    pieces = [_piece(run, text, images) for run in row]
    joined = torch.cat(pieces) if pieces else text[:0]
    missing = plan.length - joined.shape[0]
    return F.pad(joined, (0, 0, missing, 0) if plan.padding_side == "left" else (0, 0, 0, missing))


def _piece(run: TextRun | ImageRun, text: Tensor, images: Tensor | None) -> Tensor:
    if isinstance(run, TextRun):
        return text[run.start : run.stop]
    if images is None:
        raise SpliceError("the plan places images, but none were given")
    return images[run.image, : run.length]


def _expand(
    ids: list[list[int]], mask: list[list[int]], images: int | None, size: int, config: SpliceConfig
) -> list[Row]:
    rows, used = [], 0
    for row, keep in zip(ids, mask, strict=True):
        runs, taken = _runs(row, keep, used, size, config.image_token_index)
        if taken == 0 and images is not None:
            runs, taken = [*runs, ImageRun(used, 0)], 1
        used += taken
        rows.append(_cut(runs, config.max_length))
    if used != (images or 0):
        raise SpliceError(
            f"the batch needs {used} images (one per placeholder {config.image_token_index}, and one dummy per row "
            f"without placeholder) but brings {images}"
        )
    return rows


def _runs(
    row: list[int], keep: list[int], first: int, size: int, placeholder: int
) -> tuple[list[TextRun | ImageRun], int]:
    runs: list[TextRun | ImageRun] = []
    taken = 0
    for position, token in enumerate(row):
        if not keep[position]:
            continue
        if token == placeholder:
            runs.append(ImageRun(first + taken, size))
            taken += 1
        else:
            _extend(runs, position)
    return runs, taken


def _extend(runs: list[TextRun | ImageRun], position: int) -> None:
    last = runs[-1] if runs else None
    if isinstance(last, TextRun) and last.stop == position:
        runs[-1] = TextRun(last.start, position + 1)
    else:
        runs.append(TextRun(position, position + 1))


def _cut(runs: list[TextRun | ImageRun], limit: int | None) -> Row:
    if limit is None:
        return tuple(runs)
    kept, room = [], limit
    for run in runs:
        kept.append(run.cut(room))
        room -= kept[-1].length
    return tuple(kept)


def _padded_plan(rows: list[Row], targets: list[list[int]] | None, side: PaddingSide, config: SpliceConfig) -> Plan:
    lengths = [sum(run.length for run in row) for row in rows]
    longest = max(lengths, default=0)
    mask = [_pad([1] * length, longest, 0, side) for length in lengths]
    labels = targets and [
        _pad(_row_labels(row, own, config.ignore_index), longest, config.ignore_index, side)
        for row, own in zip(rows, targets, strict=True)
    ]
    return _freeze(rows, longest, side, mask, labels, config)


def _unchanged(mask: list[list[int]], targets: list[list[int]] | None, side: PaddingSide, config: SpliceConfig) -> Plan:
    length = max(map(len, mask), default=0)
    return _freeze([(TextRun(0, length),) for _ in mask], length, side, mask, targets, config)


def _row_labels(row: Row, own: list[int], ignore: int) -> list[int]:
    return [
        label
        for run in row
        for label in (own[run.start : run.stop] if isinstance(run, TextRun) else [ignore] * run.length)
    ]


def _pad(values: list[int], length: int, fill: int, side: PaddingSide) -> list[int]:
    padding = [fill] * (length - len(values))
    return padding + values if side == "left" else values + padding


def _freeze(
    rows: list[Row],
    length: int,
    side: PaddingSide,
    mask: list[list[int]],
    labels: list[list[int]] | None,
    config: SpliceConfig,
) -> Plan:
    return Plan(
        rows=tuple(rows),
        length=length,
        padding_side=side,
        mask=tuple(map(tuple, mask)),
        labels=None if labels is None else tuple(map(tuple, labels)),
        ignore_index=config.ignore_index,
    )


def _refuse_placeholders(ids: list[list[int]], config: SpliceConfig) -> None:
    for number, row in enumerate(ids):
        if config.image_token_index in row:
            position = row.index(config.image_token_index)
            raise SpliceError(f"row {number} has an image placeholder at position {position}, but no images were given")
