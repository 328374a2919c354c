"""Steps measured on a GPU beside their prediction: a record of `lora-demo measure`, predicted from its recipe alone.

The prediction sees nothing of what was measured; from the record it takes the recipe and which card it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.results.record import Record, RecordError
from lora_demo.results.units import GIB
from lora_demo.training.recipes import recipe_files

Kind = TypeVar("Kind")
PREFIX = "measured-"
HOPPER = ("H100", "H200", "H20", "H800", "GH200")
"""Cards for which cuBLAS holds a larger workspace."""


@dataclass(frozen=True)
class Compared:
    """Bytes at the peak. A run that ended without memory has measured nothing: None, and `limit` says what it had."""

    name: str
    device: str
    outcome: str
    limit: int | None
    allocated: int | None
    reserved: int | None
    predicted_allocated: int
    predicted_reserved: int

    @property
    def error(self) -> float | None:
        """(predicted - measured) / measured, of what the allocator took from the card."""
        return None if self.reserved is None else self.predicted_reserved / self.reserved - 1

    def __str__(self) -> str:
        predicted = f"predicted {_gib(self.predicted_allocated)} allocated, {_gib(self.predicted_reserved)} reserved"
        if self.allocated is None or self.reserved is None:
            had = "" if self.limit is None else f" with {_gib(self.limit)}"
            return f"{self.name} ({self.device}): {self.outcome}{had}; {predicted}"
        measured = f"measured {_gib(self.allocated)} allocated, {_gib(self.reserved)} reserved"
        return f"{self.name} ({self.device}): {measured}; {predicted}, {self.error:+.1%} of what it took"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"error": self.error}


def on_a_gpu(record: Record) -> bool:
    """Whether it was measured on one: elsewhere PyTorch's allocator has nothing to read off."""
    return record.configuration.get("cuda") is not None


def compare(record: Record) -> Compared:
    """Raises RecordError for what `measure` did not write, RecipeError for a recipe that cannot be used, and what
    `predict_recipe` raises for one that cannot be traced."""
    found = record.samples
    recipe = recipe_files.parse(_entry(record, record.configuration, "recipe", dict), f"of record {record.name}")
    outcome, limit = _entry(record, found, "outcome", str), record.configuration.get("limit")
    if limit is not None:
        limit = _bytes(record, record.configuration, "limit")
    ran = outcome == "ran"
    measured = {name: _bytes(record, found, f"peak_{name}") if ran else None for name in ("allocated", "reserved")}
    predicted = predict_recipe(recipe, "h200" if any(mark in record.device for mark in HOPPER) else "rtx4090")
    return Compared(
        name=record.name,
        device=record.device,
        outcome=outcome,
        limit=limit,
        allocated=measured["allocated"],
        reserved=measured["reserved"],
        predicted_allocated=predicted.peak_allocated,
        predicted_reserved=predicted.peak_reserved,
    )


def _entry(record: Record, part: dict[str, Any], name: str, kind: type[Kind]) -> Kind:
    value = part.get(name)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    said = f"{name} must be {kind.__name__}, found {value!r}" if name in part else f"lacks {name}"
    raise RecordError(f"record {record.name}: not one that `lora-demo measure --record` wrote: {said}")


def _bytes(record: Record, part: dict[str, Any], name: str) -> int:
    if (value := _entry(record, part, name, int)) < 1:
        raise RecordError(f"record {record.name}: {name} {value}: no step takes so little; measure again")
    return value


def records(folder: Path, names: Sequence[str] = ()) -> list[Record]:
    """The records of these names or paths; without any, all that were measured on a GPU. Raises RecordError."""
    if not names:
        found = [Record.load(path) for path in sorted(folder.glob(f"{PREFIX}*.json"))]
        return [record for record in found if on_a_gpu(record)]
    paths = [Path(name) if name.endswith(".json") else folder / f"{name}.json" for name in names]
    found = [Record.load(path) for path in paths]
    if on_cpu := [record.name for record in found if not on_a_gpu(record)]:
        raise RecordError(
            f"record {on_cpu[0]}: was not measured on a GPU; there is no peak to hold a prediction against"
        )
    return found


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB"
