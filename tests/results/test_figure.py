"""A figure refuses to be what it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.results.figure import Figure, FigureError

GOOD = {
    "value": 2,
    "unit": "B/param",
    "kind": "exact",
    "tolerance": 0.0,
    "source": "module:function",
    "title": {"zh": "字节", "en": "bytes"},
}


def test_entry_survives_the_way_to_json_and_back() -> None:
    """What is written is what is read."""
    figure = Figure.from_json("a.b", GOOD)
    assert Figure.from_json("a.b", figure.to_json()) == figure


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("kind", "guess", "kind 'guess' is not one of exact, predicted, measured, cited"),
        ("value", float("nan"), "value nan is not a finite number"),
        ("value", True, "value True is not a finite number"),
        ("unit", "", "unit is empty"),
        ("tolerance", 1.0, r"tolerance must lie in \[0, 1\)"),
        ("tolerance", 0.01, "an exact figure has tolerance 0"),
        ("source", "", "source is empty"),
        ("title", {"zh": "字节", "en": ""}, r"title lacks \['en'\]"),
        ("extra", 1, "unknown field 'extra'"),
        ("value", 10**400, "value 1000.* is not a finite number"),
        ("tolerance", float("nan"), "tolerance must lie in"),
        ("source", 5, "source 5 is no text"),
        ("title", "text", "title must be an object of texts"),
        ("conditions", {"zh": 1}, "conditions must be an object of texts"),
    ],
)
def test_contradiction_names_figure_and_field(field: str, value: object, said: str) -> None:
    """The message says which figure and what is wrong."""
    with pytest.raises(FigureError, match=f"figure a.b: {said}"):
        Figure.from_json("a.b", {**GOOD, field: value})


def test_missing_field_is_named() -> None:
    """A field left out is an error of that figure."""
    with pytest.raises(FigureError, match=r"figure a\.b: the field 'unit' is missing"):
        Figure.from_json("a.b", {key: value for key, value in GOOD.items() if key != "unit"})


@given(st.floats(min_value=1.0, max_value=1e12), st.floats(min_value=-0.04, max_value=0.04))
def test_tolerance_is_relative(value: float, shift: float) -> None:
    """Two percent either way is allowed, more is not."""
    figure = Figure.from_json("a.b", {**GOOD, "kind": "predicted", "value": value, "tolerance": 0.02})
    if abs(abs(shift) - 0.02) > 0.001:
        assert figure.agrees_with(value * (1 + shift)) == (abs(shift) < 0.02)


def test_exact_figure_agrees_with_nothing_else() -> None:
    """One more is another number."""
    figure = Figure.from_json("a.b", GOOD)
    assert figure.agrees_with(2)
    assert not figure.agrees_with(3)
