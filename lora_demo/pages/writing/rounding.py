"""Rounding a value for the ear or the eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context

# A spoken number keeps the fewest digits, at most three, whose error stays within this share of the value.
SPOKEN_ERROR = 0.016
Steps = Sequence[tuple[int | float, str]]


@dataclass(frozen=True)
class Rounded:
    """A rounded number: its text, the value it stands for, and the word of its scale (" 亿", " billion")."""

    text: str
    value: int | float
    scale: str = ""

    @property
    def exact(self) -> bool:
        return says(self.text, self.value)


def significant(value: int | float, digits: int) -> str:
    """`value` at `digits` significant digits: no exponent, no separators, no zeros after the last decimal."""
    text = _rounded(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def three_digits(value: int | float) -> str:
    """Three significant digits; a zero that rounding left stays (0.650), one that says nothing goes (0.65)."""
    bare = significant(value, 3)
    return bare if says(bare, value) else _rounded(value, 3)


def says(text: str, value: int | float) -> bool:
    """Whether the text is the value itself, nothing rounded."""
    return abs(float(text) - value) <= 1e-9 * abs(value)


def for_the_ear(value: int | float) -> str:
    """The fewest significant digits within SPOKEN_ERROR; what three digits say exactly stays as it is."""
    if says(significant(value, 3), value):
        return significant(value, 3)
    for digits in (1, 2):
        text = significant(value, digits)
        if abs(float(text) - value) <= SPOKEN_ERROR * abs(value):
            return text
    return significant(value, 3)


def _rounded(value: int | float, digits: int) -> str:
    # repr: the shortest decimal that is this float, so that 0.645 rounds as it reads.
    return format(Context(prec=digits).create_decimal(repr(value)), "f")


def scaled(value: int | float, steps: Steps, ear: bool = True) -> Rounded:
    """`value` in the largest step in which it rounds to at least one; plain below the smallest step.

    steps  (size, word), the largest first
    ear    round for the ear; otherwise to three digits
    """
    for size, word in (*steps, (1.0, "")):
        number = value / size
        text = for_the_ear(number) if ear else three_digits(number)
        if abs(float(text)) >= 1 or size == 1.0:
            return Rounded(text, number, word)
    raise AssertionError("the last step is 1")


def grouped(text: str) -> str:
    """Thousands separators in the whole part."""
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest}"
