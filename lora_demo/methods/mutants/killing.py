"""Which properties reject which mutant."""

from __future__ import annotations

from collections.abc import Iterable

from lora_demo.methods.mutants.mutant import Mutant
from lora_demo.methods.properties.catalogue import PROPERTIES
from lora_demo.methods.properties.claims import Property
from lora_demo.methods.properties.implementation import FOLDER, Implementation
from lora_demo.methods.properties.judging import objection

ENOUGH = 20
"""Examples that tell a mutant; a fault that needs more of them is no classic."""


def reach(judged: Property) -> frozenset[str]:
    """The method modules that a property looks at; a fault elsewhere cannot show in it."""
    implementation = Implementation({"errors": _same("errors")})
    told = objection(judged, implementation, ENOUGH)
    if told is not None:
        raise ValueError(f"{judged.name} rejects the unchanged methods: {told}")
    return implementation.loaded


def rejections(mutant: Mutant, judges: Iterable[str], at_most: int = 3) -> dict[str, str]:
    """Property name -> its objection, for the first `at_most` of `judges` that have one; empty: the mutant survives."""
    implementation, told = mutant.implementation(), {}
    for name in judges:
        message = objection(PROPERTIES[name], implementation, ENOUGH)
        if message is not None:
            told[name] = message
        if len(told) == at_most:
            break
    return told


def _same(module: str) -> str:
    return (FOLDER / f"{module}.py").read_text(encoding="utf-8")
