"""A method's settings held against the types that its `apply` declares, so that a wrong one ends before any weight."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from lora_demo.methods.registry import METHODS

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
Fitting = tuple[str, Any]
"""What a piece of an annotation asks for: in words, and as the type that values are held against."""

PIECES: dict[Any, Fitting] = {
    bool: ("true or false", bool),
    int: ("a whole number such as 8", Annotated[int, Field(gt=-(2**31), lt=2**31)]),
    float: ("a finite number such as 0.5", float),
    str: ("a name such as q_proj, or all", str),
    Iterable[str]: ("a list of names such as [q_proj, v_proj]", list[str] | tuple[str, ...]),
    type(None): ("null", None),
}


def problem(method: str, setting: str, value: Any) -> str | None:
    """What is wrong with the value's type; None if nothing is, or if the method has no such setting."""
    hint = typing.get_type_hints(METHODS[method].apply).get(setting)
    pieces = [PIECES[piece] for piece in _pieces(hint) if piece in PIECES]
    if not pieces or any(_fits(value, asked) for _, asked in pieces):
        return None
    return f"{setting}={value}: expected {', or '.join(words for words, _ in pieces)}"


def _pieces(hint: Any) -> tuple[Any, ...]:
    pieces = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return tuple(piece for piece in pieces if not (piece is int and float in pieces))


def _fits(value: Any, asked: Any) -> bool:
    try:
        TypeAdapter(asked, config=STRICT).validate_python(value)
    except ValidationError:
        return False
    return True
