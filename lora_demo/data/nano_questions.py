"""What one may ask about a grid, and which questions are asked so that guessing pays little.

A question kind is a pure function from the nine cells to all its questions with their answers. Out of these the least
asked comes first: per kind every answer is used equally often, so a model that ignores the picture can only guess.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lora_demo.data.nano_grid import CLASSES, COLUMNS, EMPTY, ROWS, Family

Cells = Sequence[int]
"""Nine digits in reading order, EMPTY where there is none."""
ROW_WORDS = ("top", "middle", "bottom")
COLUMN_WORDS = ("left", "centre", "right")
"""No word names a row and a column: `middle` for both makes two places of one word, which a small model mixes up."""
TOLD = 2
"""Cells of a picture that are told besides the questions; every picture has at least three."""


@dataclass(frozen=True)
class Question:
    """One question about one picture."""

    kind: str
    text: str
    answer: str


Asker = Callable[[Cells], Iterator[tuple[str, str]]]
_ASKERS: dict[str, Asker] = {}
_KINDS: dict[Family, list[str]] = {"a": [], "b": []}
_ANSWERS: dict[str, int] = {}


def kind(*, families: str, answers: int) -> Callable[[Asker], Asker]:
    """Register a question kind under its function's name; `answers`: how many different answers it can have."""

    def register(asker: Asker) -> Asker:
        name = asker.__name__
        if name in _ASKERS:
            raise ValueError(f"question kind {name!r} is registered twice")
        _ASKERS[name], _ANSWERS[name] = asker, answers
        for family in _KINDS:
            if family in families:
                _KINDS[family].append(name)
        return asker

    return register


def kinds(family: Family) -> tuple[str, ...]:
    """The question kinds of a family, in order of definition."""
    return tuple(_KINDS[family])


def candidates(cells: Cells, family: Family) -> list[Question]:
    """Every question of the family that has an answer on this grid."""
    return [Question(name, text, answer) for name in kinds(family) for text, answer in _ASKERS[name](cells)]


def choose(grids: Sequence[Cells], family: Family, per_grid: int, seed: int) -> list[list[Question]]:
    """`per_grid` different questions for each grid, the least asked (kind, answer) first.

    Counting is weighted by a kind's number of answers, which balances the kinds among each other too. Only as good as
    the grids allow: an answer that no grid has cannot be asked for.
    """
    asked: dict[tuple[str, str], int] = defaultdict(int)
    dice = random.Random(seed)
    return [_pick(candidates(cells, family), per_grid, asked, dice) for cells in grids]


def _pick(pool: list[Question], count: int, asked: dict[tuple[str, str], int], dice: random.Random) -> list[Question]:
    dice.shuffle(pool)
    picked: list[Question] = []
    for _ in range(min(count, len(pool))):
        question = min(pool, key=lambda q: asked[q.kind, q.answer] * _ANSWERS[q.kind])
        pool.remove(question)
        asked[question.kind, question.answer] += 1
        picked.append(question)
    dice.shuffle(picked)
    return picked


def tell(cells: Cells, dice: random.Random) -> list[Question]:
    """TOLD single cells of a picture, asked for by place and answered with place and digit; for training only.

    The digit follows its place immediately, so that the word just read is the one to look up; row and column come in
    either order, so that both are. From there to answering with the digit alone is a small step.
    """
    filled = [index for index, digit in enumerate(cells) if digit != EMPTY]
    return [
        Question("tell", f"What is at the {place(i)}?", f" {' '.join(dice.sample(place(i).split(), 2))}{cells[i]}")
        for i in dice.sample(filled, TOLD)
    ]


def _present(cells: Cells) -> list[int]:
    return [digit for digit in cells if digit != EMPTY]


def digit_word(digit: int) -> str:
    """What stands in a cell, as an answer says it."""
    return "none" if digit == EMPTY else str(digit)


def place(index: int) -> str:
    """The name of a cell of a 3 x 3 grid by its row and column: top left … middle centre … bottom right."""
    return f"{ROW_WORDS[index // COLUMNS]} {COLUMN_WORDS[index % COLUMNS]}"


@kind(families="ab", answers=CLASSES + 1)
def which(cells: Cells) -> Iterator[tuple[str, str]]:
    for index, digit in enumerate(cells):
        yield f"Which digit is at the {place(index)}?", digit_word(digit)


@kind(families="a", answers=7)
def count(cells: Cells) -> Iterator[tuple[str, str]]:
    yield "How many digits are there?", str(len(_present(cells)))


@kind(families="ab", answers=5)
def count_of(cells: Cells) -> Iterator[tuple[str, str]]:
    for digit in range(CLASSES):
        yield f"How many {digit}s are there?", str(sum(cell == digit for cell in cells))


@kind(families="a", answers=CLASSES)
def largest(cells: Cells) -> Iterator[tuple[str, str]]:
    yield "Which digit is the largest?", str(max(_present(cells)))


@kind(families="a", answers=2)
def present(cells: Cells) -> Iterator[tuple[str, str]]:
    for digit in range(CLASSES):
        yield f"Is there a {digit}?", "yes" if digit in cells else "no"


@kind(families="b", answers=CLASSES)
def smallest(cells: Cells) -> Iterator[tuple[str, str]]:
    yield "Which digit is the smallest?", str(min(_present(cells)))


@kind(families="b", answers=8)
def above(cells: Cells) -> Iterator[tuple[str, str]]:
    yield "How many digits are above 5?", str(sum(digit > 5 for digit in cells))


@kind(families="b", answers=20)
def row_sum(cells: Cells) -> Iterator[tuple[str, str]]:
    for row in range(ROWS):
        filled = _present(cells[row * COLUMNS : (row + 1) * COLUMNS])
        yield f"What is the sum of the {('top', 'middle', 'bottom')[row]} row?", str(sum(filled))


@kind(families="b", answers=9)
def where_largest(cells: Cells) -> Iterator[tuple[str, str]]:
    top = max(_present(cells))
    if sum(digit == top for digit in cells) == 1:
        yield "Where is the largest digit?", place(list(cells).index(top))
