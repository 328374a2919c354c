"""What must hold of the glossary: its links lead somewhere, every term is used, nobody writes what it rules out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.glossary import Glossary
from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.problem import Problem, nearest
from lora_demo.pages.bank.prose import GAP, masked, place
from lora_demo.pages.bank.question import Question
from lora_demo.pages.kinds.question_page import FOR_THE_EAR
from lora_demo.pages.writing.term_links import first_uses, places

# What others say may be quoted with their word for it.
_QUOTED = re.compile(r"“[^”\n]*”|\"[^\"\n]*\"|「[^」\n]*」")


def check_glossary(content: Content) -> Iterator[Problem]:
    """Every fault of the glossary and every spelling in the questions that it rules out."""
    glossary = content.glossary
    if glossary.source is None:
        return
    yield from _links(content)
    for lang in LANGUAGES:
        yield from _unused(content, lang)
        wrong = _wrong_spellings(glossary, lang)
        for question in content.questions.values():
            yield from _misspelt(question, lang, wrong)


def _links(content: Content) -> Iterator[Problem]:
    source, topics = content.glossary.source, [topic.id for topic in content.topics]
    assert source is not None
    for index, term in enumerate(content.glossary.terms):
        if term.topic not in topics:
            yield source.problem((index, "topic"), f"unknown topic `{term.topic}`", nearest(term.topic, topics))
        if term.page and term.page not in content.questions and term.page not in content.broken:
            fix = nearest(term.page, content.questions)
            yield source.problem((index, "page"), f"unknown question `{term.page}`", fix)


def _unused(content: Content, lang: str) -> Iterator[Problem]:
    """Terms that no question links in this language: a glossary of words nobody reads drifts."""
    glossary, used = content.glossary, set[str]()
    for question in content.questions.values():
        for key, section in question.answers[lang].items():
            if key not in FOR_THE_EAR:
                first_uses(section.text, lang, glossary, used)
    assert glossary.source is not None
    for index, term in enumerate(glossary.terms):
        if term.id not in used:
            shown = getattr(term.term, lang)
            fix = "add the spelling that the questions use to `also`, or take the term out"
            yield glossary.source.problem((index, "term", lang), f"no question uses `{shown}`", fix)


def _wrong_spellings(glossary: Glossary, lang: str) -> dict[str, str]:
    """Wrong form -> what to write."""
    return {form: getattr(term.term, lang) for term in glossary.terms for form in getattr(term.avoid, lang)}


def _misspelt(question: Question, lang: str, wrong: dict[str, str]) -> Iterator[Problem]:
    for key, section in question.answers[lang].items():
        yield from _in_text(section.text, section.line, question.path, f"{lang}.{key}", wrong)
    for field, entries in (("claims", question.meta.claims), ("rubric", question.meta.rubric)):
        for index, entry in enumerate(entries):
            line = question.source.place((field, index, lang))[0]
            yield from _in_text(getattr(entry, lang), line, question.path, f"{field}[{index}].{lang}", wrong)


def _in_text(text: str, line: int, path: str, field: str, wrong: dict[str, str]) -> Iterator[Problem]:
    present = [form for form in wrong if form in text]
    if present:
        prose = _QUOTED.sub(lambda match: GAP * len(match.group()), masked(text))
        for form in present:
            for start, _ in places(prose, form):
                at = place(text, start, line)
                yield Problem(path, *at, field, f"the glossary rules out `{form}`", f"write `{wrong[form]}`")
