"""What the fields of a configuration may hold: the types they are annotated with, in sizes that can be built.

Descriptions come from files of strangers. JSON knows no types and Python's reader takes NaN, so every value is looked
at here, where the field is still known by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

LARGEST = 2**24
"""Of any width or side. The widest vocabulary is a sixtieth of it; from here on products of three overflow."""
EXACT = 2**53
"""Up to here every whole number is a float as well."""
MOST_LAYERS = 1000
"""Each layer is a module of Python even where its weights cost nothing, so a slip in a file would build for ever."""
ACTIVATIONS = (
    "gelu",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_pytorch_tanh",
    "mish",
    "quick_gelu",
    "relu",
    "relu2",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
)
"""Those of transformers that carry no weights of their own."""
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    tuple: "a list of whole numbers",
}
SHOWN = 60


class ConfigError(ValueError):
    """A configuration that contradicts itself; the message names the part, the field and the fix."""


def need(part: str, condition: bool, problem: str) -> None:
    """Raise ConfigError with the part's name unless the condition holds."""
    if not condition:
        raise ConfigError(f"{part}: {problem}")


def fitted(part: str, config: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the fields of a dataclass, each held against its annotation; whole numbers become floats where due.

    A choice between words is left to its own check. Raises ConfigError.
    """
    kinds = _kinds(config)
    return {name: _fit(part, name, kinds.get(name, ()), value) for name, value in values.items()}


def positive(part: str, config: Any, *names: str, most: int = LARGEST) -> None:
    """Sizes: whole numbers from 1 to `most`. Raises ConfigError."""
    for name in names:
        value = getattr(config, name)
        whole = type(value) is int and value > 0
        need(part, whole, f"{name} must be a positive whole number, found {_shown(value)}")
        need(part, value <= most, f"{name} is {_shown(value)}, and at most {most} can be built")


def positive_number(part: str, config: Any, *names: str) -> None:
    """Real numbers above zero, neither NaN nor infinite. Raises ConfigError."""
    for name in names:
        value = getattr(config, name)
        need(part, math.isfinite(value) and value > 0, f"{name} must be a finite number above 0, found {value!r}")


def activation(part: str, config: Any) -> None:
    """`hidden_act` is one that can be built. Raises ConfigError."""
    name = config.hidden_act
    need(part, name in ACTIVATIONS, f"hidden_act {_shown(name)} is not one of {', '.join(ACTIVATIONS)}")


def _fit(part: str, name: str, kinds: tuple[type, ...], value: Any) -> Any:
    listed = type(value) is not tuple or all(type(entry) is int for entry in value)
    if not kinds or (type(value) in kinds and listed):
        return value
    if float in kinds and type(value) is int and abs(value) <= EXACT:
        return float(value)
    wanted = " or ".join("null" if kind is NoneType else WORDS.get(kind, "an object") for kind in kinds)
    raise ConfigError(f"{part}: {name} must be {wanted}, found {_shown(value)}")


@cache
def _kinds(config: type) -> dict[str, tuple[type, ...]]:
    """Field name -> the exact types that it takes; none for a choice between words."""
    return {name: _types(hint) for name, hint in get_type_hints(config).items()}


def _types(hint: Any) -> tuple[type, ...]:
    if get_origin(hint) is tuple:
        return (tuple,)
    if isinstance(hint, type) and (hint in WORDS or hint is NoneType or is_dataclass(hint)):
        return (hint,)
    inner = get_args(hint)
    if not all(isinstance(part, type) for part in inner):
        return ()
    return tuple(kind for part in inner for kind in _types(part))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
