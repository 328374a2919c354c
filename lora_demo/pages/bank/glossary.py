"""The field's terms, one spelling per language, from `qa/glossary.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated

from pydantic import Field, StringConstraints

from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.problem import InvalidContent, Problem
from lora_demo.pages.bank.question import Both, QuestionId, Text
from lora_demo.pages.bank.yaml_source import Strict, YamlSource, field_names, read_yaml, validate

TERM_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class Forms(Strict):
    """Spellings per language."""

    zh: list[Text] = Field(default_factory=list)
    en: list[Text] = Field(default_factory=list)


class Term(Strict):
    """One idea: how each language writes it, what it means, what else is right (`also`) and what is not (`avoid`).

    topic   the heading it stands under
    page    the question that explains it in full; that page itself does not link the term
    """

    id: Annotated[str, StringConstraints(pattern=TERM_PATTERN)]
    topic: Text
    term: Both
    meaning: Both
    also: Forms = Forms()
    avoid: Forms = Forms()
    page: QuestionId | None = None

    def forms(self, lang: str) -> list[str]:
        """Every right spelling, the shown one first."""
        return [getattr(self.term, lang), *getattr(self.also, lang)]


@dataclass(frozen=True)
class Glossary:
    terms: tuple[Term, ...] = ()
    source: YamlSource | None = None

    @cached_property
    def by_form(self) -> Mapping[str, list[tuple[str, Term]]]:
        """Per language (form, term), the longest form first: "prefix tuning" is looked for before "prefix"."""
        return {
            lang: sorted(((f, t) for t in self.terms for f in t.forms(lang)), key=lambda pair: -len(pair[0]))
            for lang in LANGUAGES
        }


@lru_cache(maxsize=4)
def parse_glossary(path: str, text: str) -> Glossary:
    """The terms in file order; an id or a spelling stands for one term only."""
    source = read_yaml(path, text)
    terms = tuple(validate(list[Term], source, field_names(Term, Both, Forms)))
    if problems := [*_doubled_ids(terms, source), *_doubled_forms(terms, source)]:
        raise InvalidContent(problems)
    return Glossary(terms, source)


def _doubled_ids(terms: tuple[Term, ...], source: YamlSource) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, term in enumerate(terms):
        if term.id in seen:
            yield source.problem((index, "id"), f"`{term.id}` stands twice", "rename one")
        seen.add(term.id)


def _doubled_forms(terms: tuple[Term, ...], source: YamlSource) -> Iterator[Problem]:
    """A spelling that is right for two terms, or right for one and wrong for another."""
    for lang in LANGUAGES:
        owner: dict[str, str] = {}
        for index, term in enumerate(terms):
            for form in term.forms(lang):
                if owner.setdefault(form.lower(), term.id) != term.id:
                    message = f"`{form}` also stands for `{owner[form.lower()]}`"
                    yield source.problem((index, "also"), message, "give each term spellings of its own")
        for index, term in enumerate(terms):
            for form in getattr(term.avoid, lang):
                # Letter case may be the whole mistake (Qlora), so it counts here.
                if any(form in other.forms(lang) for other in terms):
                    message = f"`{form}` is to be avoided and right at once"
                    yield source.problem((index, "avoid"), message, "take it out of one of the lists")
