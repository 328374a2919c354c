"""Rounding a value for the ear or the eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A spoken number keeps the fewest digits, at most three, whose error stays within this share of the value.
SPOKEN_ERROR = 0.016
Steps = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Rounded:
    """A rounded number: its text, the value it stands for, and the word of its scale (" 亿", " billion")."""

    text: str
    value: float
    scale: str = ""

    @property
    def exact(self) -> bool:
        return abs(float(self.text) - self.value) <= 1e-9 * abs(self.value)


def significant(value: float, digits: int) -> str:
    """`value` at `digits` significant digits: no exponent, no separators, no zeros after the last decimal."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    text = f"{rounded:.15f}" if abs(rounded) < 1e6 else f"{rounded:.0f}"
    return significant_tail(text, digits)


def significant_tail(text: str, digits: int) -> str:
    """Drop the noise that binary fractions leave after the last significant decimal."""
    if "." not in text:
        return text
    whole, _, rest = text.partition(".")
    leading = len(rest) - len(rest.lstrip("0")) if int(whole) == 0 else 0
    keep = digits + leading if int(whole) == 0 else max(digits - len(whole.lstrip("-")), 0)
    return f"{float(text):.{keep}f}".rstrip("0").rstrip(".") if keep else f"{float(text):.0f}"


def for_the_ear(value: float) -> str:
    """The fewest significant digits within SPOKEN_ERROR; what three digits say exactly stays as it is."""
    if abs(float(significant(value, 3)) - value) <= 1e-9 * abs(value):
        return significant(value, 3)
    for digits in (1, 2):
        text = significant(value, digits)
        if abs(float(text) - value) <= SPOKEN_ERROR * abs(value):
            return text
    return significant(value, 3)


def scaled(value: float, steps: Steps, digits: int | None = None) -> Rounded:
    """`value` in the largest step in which it rounds to at least one; plain below the smallest step.

    steps   (size, word), the largest first
    digits  significant digits to keep; None rounds for the ear
    """
    for size, word in (*steps, (1.0, "")):
        number = value / size
        text = for_the_ear(number) if digits is None else significant(number, digits)
        if abs(float(text)) >= 1 or size == 1.0:
            return Rounded(text, number, word)
    raise AssertionError("the last step is 1")


def grouped(text: str) -> str:
    """Thousands separators in the whole part."""
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest}"
