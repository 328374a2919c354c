"""Claims and what became of them: the source notes' (`qa/ledger.yaml`) and those in circulation (`qa/myths.yaml`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field

from lora_demo.pages.bank.problem import InvalidContent
from lora_demo.pages.bank.question import Both, Evidence, QuestionId, Text
from lora_demo.pages.bank.yaml_source import Strict, YamlSource, field_names, read_yaml, validate

Verdict = Literal["holds", "partly", "conditional", "contested", "wrong", "incomplete"]


class Entry(Strict):
    """One claim: what is said (in our words), the verdict, why, what proves it, and the question about it."""

    id: Text
    claim: Both
    verdict: Verdict
    explanation: Both
    by: Annotated[list[Evidence], Field(min_length=1)]
    page: QuestionId


@lru_cache(maxsize=4)
def parse_ledger(path: str, text: str) -> tuple[tuple[Entry, ...], YamlSource]:
    """The entries in file order and where each field stands; ids must differ."""
    source = read_yaml(path, text)
    entries = validate(list[Entry], source, field_names(Entry, Both))
    ids = [entry.id for entry in entries]
    doubled = [i for i, one in enumerate(ids) if one in ids[:i]]
    if doubled:
        raise InvalidContent(source.problem((i, "id"), f"`{ids[i]}` stands twice", "rename one") for i in doubled)
    return tuple(entries), source
