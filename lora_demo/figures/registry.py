"""A figure is registered by decorating the pure function that computes it; families share one function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from lora_demo.results.figure import LANGUAGES, Figure, FigureError, Kind
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record

Number = int | float
Words = Mapping[str, str]
F = TypeVar("F", bound=Callable[..., Number])


def both(zh: str, en: str) -> dict[str, str]:
    """A text in both languages."""
    return {"zh": zh, "en": en}


def no_environment() -> dict[str, str]:
    """What pure arithmetic depends on."""
    return {}


@dataclass(frozen=True)
class Definition:
    """How one figure comes about; `figure()` computes it now."""

    name: str
    unit: str
    kind: Kind
    tolerance: float
    source: str
    title: Words
    conditions: Words
    compute: Callable[[], Number]
    environment: Callable[[], Mapping[str, str]] = no_environment

    def figure(self) -> Figure:
        return Figure(
            name=self.name,
            value=self.compute(),
            unit=self.unit,
            kind=self.kind,
            tolerance=self.tolerance,
            source=self.source,
            title=dict(self.title),
            environment=dict(self.environment()),
            conditions=dict(self.conditions),
        )


@dataclass
class Registry:
    """Definitions by name; a name is given once."""

    definitions: dict[str, Definition] = field(default_factory=dict)

    def add(self, definition: Definition) -> None:
        if earlier := self.definitions.get(definition.name):
            raise FigureError(
                f"figure {definition.name}: registered twice, by {earlier.source} and by {definition.source}; "
                "rename one of them"
            )
        self.definitions[definition.name] = definition

    def figure(
        self,
        name: str,
        *,
        unit: str,
        title: Words,
        conditions: Words | None = None,
        kind: Kind = "exact",
        tolerance: float = 0.0,
        over: Mapping[str, Iterable[Any]] | None = None,
        words: Mapping[str, Mapping[Any, Words]] | None = None,
        environment: Callable[[], Mapping[str, str]] = no_environment,
    ) -> Callable[[F], F]:
        """Register the decorated function as figure `name`, or as a family of figures.

        over    axis -> values; one figure per combination. `name`, `title` and `conditions` are templates in the
                axes (`"mgm2b.lora.{targets}.r{rank}"`), and the function is called with them as keywords
        words   axis -> value -> how a title says that value; values without an entry stand as they are
        """

        def register(function: F) -> F:
            for point in _combinations(over or {}):
                self.add(
                    Definition(
                        name=name.format(**point),
                        unit=unit,
                        kind=kind,
                        tolerance=tolerance,
                        source=f"{function.__module__}:{function.__name__}",
                        title=_fill(title, point, words or {}),
                        conditions=_fill(conditions or {}, point, words or {}),
                        compute=partial(function, **point),
                        environment=environment,
                    )
                )
            return function

        return register

    def measured(
        self,
        name: str,
        *,
        record: str,
        unit: str,
        title: Words,
        conditions: Words | None = None,
        tolerance: float = 0.0,
    ) -> Callable[[Callable[[Record], Number]], Callable[[Record], Number]]:
        """Register a function that derives the figure from the samples of `qa/records/<record>.json`."""

        def load() -> Record:
            return Record.load(records_dir() / f"{record}.json")

        def environment() -> dict[str, str]:
            run = load()
            return {**run.versions, "device": run.device, "date": run.date}

        def register(derive: Callable[[Record], Number]) -> Callable[[Record], Number]:
            self.add(
                Definition(
                    name=name,
                    unit=unit,
                    kind="measured",
                    tolerance=tolerance,
                    source=f"qa/records/{record}.json",
                    title=title,
                    conditions=conditions or {},
                    compute=lambda: derive(load()),
                    environment=environment,
                )
            )
            return derive

        return register


REGISTRY = Registry()
figure = REGISTRY.figure
measured = REGISTRY.measured


def _combinations(axes: Mapping[str, Iterable[Any]]) -> Iterable[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _fill(template: Words, point: Mapping[str, Any], words: Mapping[str, Mapping[Any, Words]]) -> dict[str, str]:
    return {
        language: template[language].format(**{axis: _said(words, axis, point[axis], language) for axis in point})
        for language in LANGUAGES
        if language in template
    }


def _said(words: Mapping[str, Mapping[Any, Words]], axis: str, value: Any, language: str) -> Any:
    known = words.get(axis, {}).get(value)
    return known[language] if known else value
