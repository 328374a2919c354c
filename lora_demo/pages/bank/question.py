"""A question: its front matter, its two answers section by section, and where each part stands in its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from lora_demo.pages.bank.yaml_source import EVIDENCE_PATTERN, ID_PATTERN, Strict, YamlSource, field_names

Level = Literal["junior", "mid", "senior"]
Kind = Literal["concept", "math", "number", "engineering", "comparison", "behaviour", "coding"]
LEVELS: tuple[Level, ...] = get_args(Level)

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
QuestionId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Evidence = Annotated[str, StringConstraints(pattern=EVIDENCE_PATTERN)]


class Both(Strict):
    """One text per language."""

    zh: Text
    en: Text


class Asked(Strict):
    """In how many public lists the question stands; `logs` only where an interview log is sourced."""

    lists: Annotated[int, Field(ge=0)]
    logs: list[Text] = Field(default_factory=list)


class Aliases(Strict):
    """How candidates type the question."""

    zh: Annotated[list[Text], Field(min_length=1)]
    en: Annotated[list[Text], Field(min_length=1)]


class Claim(Strict):
    """One sentence and what proves it: pytest node ids, `fig:NAME`, `cite:KEY`."""

    zh: Text
    en: Text
    by: list[Evidence] = Field(default_factory=list)


class Point(Strict):
    """One observable point an interviewer listens for, and the level that should reach it."""

    level: Level
    zh: Text
    en: Text


class FrontMatter(Strict):
    id: QuestionId
    topic: Text
    level: Level
    kind: Kind
    asked: Asked
    aliases: Aliases
    followups: list[QuestionId]
    claims: list[Claim]
    rubric: Annotated[list[Point], Field(min_length=3, max_length=6)]
    title: Both | None = None


FIELD_NAMES = field_names(FrontMatter, Asked, Aliases, Claim, Point)


@dataclass(frozen=True)
class Section:
    """The text under one heading; `line` is the file's line of the first line of `text`."""

    text: str
    line: int


@dataclass(frozen=True)
class Question:
    path: str
    meta: FrontMatter
    source: YamlSource
    answers: dict[str, dict[str, Section]]

    @property
    def id(self) -> str:
        return self.meta.id

    @property
    def slug(self) -> str:
        return self.meta.id.partition(".")[2]

    @property
    def page(self) -> str:
        """The page's path in either language."""
        return f"q/{self.meta.topic}/{self.slug}.md"

    def title(self, lang: str) -> str:
        if self.meta.title:
            return getattr(self.meta.title, lang)
        return getattr(self.meta.aliases, lang)[0]

    def aliases(self, lang: str) -> list[str]:
        return getattr(self.meta.aliases, lang)
