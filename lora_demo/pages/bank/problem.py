"""What is wrong in a content file: where, which field, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache


@dataclass(frozen=True, order=True)
class Problem:
    """One fault. `path` is relative to the repository root, `line` and `column` count from 1."""

    path: str
    line: int
    column: int
    field: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.field}: {self.message}. Fix: {self.fix}"


class InvalidContent(ValueError):
    """Content that cannot be published; the message lists every problem, one per line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        lines = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{len(self.problems)} problem(s) in the content:\n{lines}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice for a misspelt name: ``write `a.b` (near: …)`` or what could be looked at instead."""
    near = _near(name, tuple(known))
    if near:
        return "did you mean " + " or ".join(f"`{one}`" for one in near) + "?"
    return "no known name is near it"


@lru_cache(maxsize=4096)
def _near(name: str, known: tuple[str, ...]) -> list[str]:
    """Cached: one misspelt name often stands in many places, and comparing is slow."""
    return get_close_matches(name, known, n=3, cutoff=0.5)
