"""Judge every mutant with the properties that can see it, and record the first three that reject it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lora_demo.methods.mutants import killing
from lora_demo.methods.mutants.catalogue import MUTANTS
from lora_demo.methods.mutants.mutant import Mutant
from lora_demo.methods.properties.catalogue import PROPERTIES
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, installed_versions, today

NAME = "mutants"


def run(tell: Callable[[str, list[str]], None]) -> Record:
    """`samples` hold all that the site's table shows, so that the site needs no torch; `tell` hears each verdict."""
    reach = {name: killing.reach(judged) for name, judged in PROPERTIES.items()}
    # the properties that look at few modules say most plainly what is wrong: they are asked first
    judges = sorted(reach, key=lambda name: len(reach[name]))
    rejected = {}
    for name, mutant in MUTANTS.items():
        rejected[name] = list(killing.rejections(mutant, [j for j in judges if mutant.module in reach[j]]))
        tell(name, rejected[name])
    return Record(
        name=NAME,
        configuration={"examples": killing.ENOUGH, "properties_per_mutant": "the first three that object"},
        samples={
            "mutants": {name: described(mutant) | {"rejected_by": rejected[name]} for name, mutant in MUTANTS.items()},
            "properties": properties(),
        },
        seed=None,
        device="cpu",
        versions=installed_versions(),
        date=today(),
    )


def described(mutant: Mutant) -> dict[str, Any]:
    """What a mutant is, without the verdict."""
    return {
        "module": mutant.module,
        "before": mutant.before,
        "after": mutant.after,
        "what": {"zh": mutant.zh, "en": mutant.en},
        "why": dict(zip(("zh", "en"), mutant.why, strict=True)),
    }


def properties() -> dict[str, dict[str, str]]:
    """Name -> claim in both languages and the test that runs it."""
    return {
        name: judged.claim | {"test": f"tests/methods/test_property_{_theme(name)}.py::test_{name}"}
        for name, judged in PROPERTIES.items()
    }


def survivors(record: Record) -> list[str]:
    return [name for name, mutant in record.samples["mutants"].items() if not mutant["rejected_by"]]


def save(record: Record) -> None:
    record.save(records_dir())


def _theme(name: str) -> str:
    return PROPERTIES[name].check.__module__.rsplit(".", 1)[-1]
