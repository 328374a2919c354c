"""Holding `qa/figures.json` against what the registry computes now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lora_demo.figures.registry import Definition
from lora_demo.results.figure import Figure

Status = Literal["fresh", "stale", "missing", "unregistered"]
HELD = ("unit", "kind", "tolerance", "source", "title", "conditions")


@dataclass(frozen=True)
class Verdict:
    """One figure: what the file says, what comes out now, and which field differs first."""

    name: str
    status: Status
    field: str | None
    old: object
    new: object

    @property
    def fix(self) -> str:
        """The command that puts it right; the plain one also drops what nothing registers."""
        if self.status == "fresh":
            return ""
        return "lora-demo figures" if self.status == "unregistered" else f"lora-demo figures {self.name}"


def verify(stored: Mapping[str, Figure], definitions: Mapping[str, Definition], *, whole: bool) -> list[Verdict]:
    """One verdict per definition, and, if `whole`, per stored name that nothing registers."""
    verdicts = [_one(name, stored.get(name), definition) for name, definition in sorted(definitions.items())]
    if whole:
        strangers = sorted(set(stored) - set(definitions))
        verdicts += [Verdict(name, "unregistered", None, stored[name].value, None) for name in strangers]
    return verdicts


def _one(name: str, stored: Figure | None, definition: Definition) -> Verdict:
    now = definition.figure()
    if stored is None:
        return Verdict(name, "missing", None, None, now.value)
    if not stored.agrees_with(now.value):
        return Verdict(name, "stale", "value", stored.value, now.value)
    for field in HELD:
        old, new = getattr(stored, field), getattr(now, field)
        if old != new:
            return Verdict(name, "stale", field, old, new)
    return Verdict(name, "fresh", None, stored.value, now.value)
