"""All definitions: the catalogue's and those that the literature file yields."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import pkgutil
from collections.abc import Iterable, Mapping

from lora_demo.figures import catalogue
from lora_demo.figures.literature import cited_definitions
from lora_demo.figures.registry import REGISTRY, Definition, Registry
from lora_demo.results.paths import literature_file


class UnknownFigure(ValueError):
    """A name that is not registered; the message offers near ones."""


def definitions() -> dict[str, Definition]:
    """Every registered figure by name."""
    for module in sorted(m.name for m in pkgutil.iter_modules(catalogue.__path__)):
        importlib.import_module(f"{catalogue.__name__}.{module}")
    everything = Registry(dict(REGISTRY.definitions))
    for definition in cited_definitions(literature_file()):
        everything.add(definition)
    return everything.definitions


def select(known: Mapping[str, Definition], names: Iterable[str]) -> dict[str, Definition]:
    """Those whose name matches; a name may be a pattern such as `mgm2b.lora.*`. No names: all."""
    wanted = list(names)
    if not wanted:
        return dict(known)
    chosen: dict[str, Definition] = {}
    for name in wanted:
        found = fnmatch.filter(known, name)
        if not found:
            raise UnknownFigure(f"no figure is called {name!r}{_near(name, known)}")
        chosen.update({match: known[match] for match in found})
    return chosen


def _near(name: str, known: Mapping[str, Definition]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"; did you mean {', '.join(near)}?" if near else "; `lora-demo figures --check --json` lists all names"
