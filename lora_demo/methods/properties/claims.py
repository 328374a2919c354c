"""A property: a claim in both languages, what it draws, and the check that raises AssertionError where it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

Check = Callable[..., None]


@dataclass(frozen=True)
class Property:
    """`check(implementation, **drawn)`; `examples` in the default profile, fewer where one example is costly."""

    name: str
    claim: dict[str, str]
    check: Check
    drawn: dict[str, SearchStrategy[Any]]
    examples: int


def claim(zh: str, en: str, *, examples: int = 60, **drawn: SearchStrategy[Any]) -> Callable[[Check], Property]:
    """Make the decorated check a property, named as the function."""

    def make(check: Check) -> Property:
        return Property(check.__name__, {"zh": zh, "en": en}, check, drawn, examples)

    return make
