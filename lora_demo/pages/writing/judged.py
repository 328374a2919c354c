"""The deliberately broken implementations and the properties that reject them, from `qa/records/mutants.json`."""

from __future__ import annotations

import json
from typing import Any

from lora_demo.pages.bank.content import Content

RECORD = "qa/records/mutants.json"
HEADS = {
    "mutants": {
        "zh": ("写错的地方", "为什么会这么写", "被哪条性质抓住"),
        "en": ("The slip", "Why people write it", "Rejected by"),
    },
    "properties": {"zh": ("性质", "它证明的话"), "en": ("Property", "The claim it proves")},
}


def mutants(content: Content, lang: str, page: str) -> str:
    """One row per broken implementation: what is wrong, why people write it, the properties that reject it."""
    samples = _samples(content)
    rows = [
        (
            mutant["what"][lang],
            mutant["why"][lang],
            ", ".join(_linked(content, samples, j) for j in mutant["rejected_by"]),
        )
        for mutant in samples["mutants"].values()
    ]
    return _table(HEADS["mutants"][lang], rows)


def properties(content: Content, lang: str, page: str) -> str:
    """One row per property: its name, linked to the test, and its claim."""
    samples = _samples(content)
    rows = [(_linked(content, samples, name), claim[lang]) for name, claim in samples["properties"].items()]
    return _table(HEADS["properties"][lang], rows)


def _samples(content: Content) -> dict[str, Any]:
    try:
        return json.loads((content.root / RECORD).read_text(encoding="utf-8"))["samples"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{RECORD} cannot be read ({error}): run `lora-demo bench mutants --record`") from error


def _linked(content: Content, samples: dict[str, Any], name: str) -> str:
    path = samples["properties"][name]["test"].partition("::")[0]
    target = content.blob(path)
    return f"[`{name}`]({target})" if target else f"`{name}`"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = [heads, tuple("---" for _ in heads), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)
