"""A figure: a number with a name, its unit, how it came about and how closely it must come out again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal, get_args

Kind = Literal["exact", "predicted", "measured", "cited"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES = ("zh", "en")


class FigureError(ValueError):
    """A figure that cannot be what it says; the message names the figure, the field and the fix."""


@dataclass(frozen=True)
class Figure:
    """One named number.

    value       in base units: bytes, parameters, tokens, plain ratios (0.65 % is 0.0065 with unit "%")
    unit        "B", "params", "B/param", "B/token", "%", "ratio", "tokens", "bits/param", "1", ...
    tolerance   relative, allowed between this value and a recomputation; 0 means equal
    source      exact, predicted: "module:function"; measured: "qa/records/x.json"; cited: key in literature.yaml
    environment versions and device that matter to the value; empty for pure arithmetic
    title       what the number is, per language
    conditions  under which conditions it holds, per language; may be empty
    """

    name: str
    value: int | float
    unit: str
    kind: Kind
    tolerance: float
    source: str
    title: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    def agrees_with(self, value: int | float) -> bool:
        """Whether a recomputed value lies within the tolerance (exact figures must be equal)."""
        if self.tolerance == 0:
            return value == self.value
        return math.isclose(value, self.value, rel_tol=self.tolerance)

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "name"}

    @classmethod
    def from_json(cls, name: str, entry: Any) -> Figure:
        """Read one entry of the file; whatever does not fit is a FigureError."""
        if not isinstance(entry, dict):
            raise FigureError(f"figure {name}: must be an object, found {type(entry).__name__}")
        known = {f.name for f in fields(cls)} - {"name"}
        needed = [f.name for f in fields(cls) if f.name != "name" and f.default_factory is MISSING]
        if unknown := sorted(set(entry) - known):
            raise FigureError(f"figure {name}: unknown field {unknown[0]!r}; the fields are {sorted(known)}")
        if missing := [field for field in needed if field not in entry]:
            raise FigureError(f"figure {name}: the field {missing[0]!r} is missing")
        if entry["kind"] not in KINDS:
            raise FigureError(f"figure {name}: kind {entry['kind']!r} is not one of {', '.join(KINDS)}")
        for key in ("unit", "source"):
            if not isinstance(entry[key], str):
                raise FigureError(f"figure {name}: {key} {entry[key]!r} is no text")
        for key in ("title", "environment", "conditions"):
            if not _are_texts(entry.get(key, {})):
                raise FigureError(f"figure {name}: {key} must be an object of texts")
        return cls(name=name, **entry)


def _check(figure: Figure) -> None:
    _need(figure, _is_finite(figure.value), f"value {figure.value!r} is not a finite number")
    _need(figure, isinstance(figure.unit, str) and figure.unit != "", "unit is empty")
    tolerable = _is_finite(figure.tolerance) and 0 <= figure.tolerance < 1
    _need(figure, tolerable, "tolerance must lie in [0, 1)")
    _need(figure, figure.kind != "exact" or figure.tolerance == 0, "an exact figure has tolerance 0")
    _need(figure, bool(figure.source), "source is empty")
    missing = [lang for lang in LANGUAGES if not figure.title.get(lang)]
    _need(figure, not missing, f"title lacks {missing}")


def _is_finite(value: object) -> bool:
    """Whether it is a number that a float can hold; bool and NaN are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _are_texts(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(text, str) for text in entry.values())


# A function inside _check would be compiled anew at each call while the tests check types.
def _need(figure: Figure, condition: bool, problem: str) -> None:
    if not condition:
        raise FigureError(f"figure {figure.name}: {problem}")
