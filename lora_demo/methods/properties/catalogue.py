"""All properties by name."""

from __future__ import annotations

from types import ModuleType

from lora_demo.methods.properties import (
    expressivity,
    freezing,
    low_rank,
    merge,
    other_methods,
    quantised,
    scale,
    several_adapters,
    start,
    virtual,
)
from lora_demo.methods.properties.claims import Property

THEMES: tuple[ModuleType, ...] = (
    low_rank,
    start,
    scale,
    merge,
    freezing,
    several_adapters,
    other_methods,
    expressivity,
    virtual,
    quantised,
)


def of_theme(theme: ModuleType) -> list[Property]:
    """The properties that a theme file defines, in its order."""
    return [value for value in vars(theme).values() if isinstance(value, Property)]


PROPERTIES: dict[str, Property] = {judged.name: judged for theme in THEMES for judged in of_theme(theme)}
