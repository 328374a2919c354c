"""What must hold of one question beyond its format: proofs exist, both languages agree, lengths, no typed quantity."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import LANGUAGES, SECTIONS
from lora_demo.pages.bank.problem import Problem, nearest
from lora_demo.pages.bank.prose import pieces, place
from lora_demo.pages.bank.question import Question
from lora_demo.pages.bank.tested import named
from lora_demo.pages.bank.yaml_source import Location, YamlSource
from lora_demo.pages.kinds.question_page import ARROW, plain, section_text
from lora_demo.pages.lint.length import BOUNDS, UNITS, length
from lora_demo.pages.lint.matching import advice
from lora_demo.pages.lint.quantities import quantities
from lora_demo.pages.writing.expand import Expander

FIGURE = re.compile(r"\{\{\s*fig:\s*([^\s|}]+)\s*(?:\|\s*(\w+))?\s*\}\}")
SIXTY = "sixty-seconds"


def check_question(question: Question, content: Content) -> Iterator[Problem]:
    """Every fault of one question that was parsed."""
    yield from _topic(question, content)
    yield from _follow_ups(question, content)
    yield from _claims(question, content)
    yield from _sixty_seconds(question, content)
    yield from _parity(question)
    yield from _typed_quantities(question, content)


def figures_in(text: str) -> Iterator[tuple[str, str, int]]:
    """(name, form, offset) of every figure placeholder outside code."""
    for piece in pieces(text):
        match = FIGURE.fullmatch(piece.text) if piece.kind == "placeholder" else None
        if match:
            yield match.group(1), match.group(2) or "short", piece.start


def check_proof(by: str, at: Location, source: YamlSource, content: Content) -> Iterator[Problem]:
    """A `by:` entry names a figure, a work or a test that is there."""
    kind, _, name = by.partition(":")
    if kind == "fig" and name not in content.figures:
        yield source.problem(at, f"unknown figure `{name}`", nearest(name, content.figures))
    elif kind == "cite" and name not in content.literature:
        yield source.problem(at, f"`{name}` is not in qa/literature.yaml", nearest(name, content.literature))
    elif kind not in ("fig", "cite") and named(by, content.tests) is None:
        fix = f"name a test that is there, or write it; {nearest(by, content.tests)}"
        yield source.problem(at, f"there is no test `{by}`", fix)


def check_typed(
    text: str, first_line: int, path: str, field: str, content: Content, quotes_are_free: bool = False
) -> Iterator[Problem]:
    """The number lint over one text."""
    for quantity in quantities(text, quotes_are_free):
        line, column = place(text, quantity.offset, first_line)
        message = f"the typed quantity `{quantity.text}` has no source"
        yield Problem(path, line, column, field, message, advice(quantity, content.figures))


def _topic(question: Question, content: Content) -> Iterator[Problem]:
    known = [topic.id for topic in content.topics]
    if question.meta.topic not in known:
        fix = f"add it to qa/topics.yaml; {nearest(question.meta.topic, known)}"
        yield question.source.problem(("topic",), f"unknown topic `{question.meta.topic}`", fix)


def _follow_ups(question: Question, content: Content) -> Iterator[Problem]:
    listed = question.meta.followups
    for index, name in enumerate(listed):
        if name not in content.questions and name not in content.broken:
            message = f"unknown question `{name}`"
            yield question.source.problem(("followups", index), message, nearest(name, content.questions))
    for lang in LANGUAGES:
        section = question.answers[lang]["follow-ups"]
        arrows = [(m.group(1), m.start()) for m in ARROW.finditer(section.text)]
        for name, offset in arrows:
            if name not in listed:
                line, column = place(section.text, offset, section.line)
                message = f"`→ {name}` is not among the front matter's followups"
                yield Problem(question.path, line, column, f"{lang}.follow-ups", message, f"add `{name}` to followups")
        for index, name in enumerate(listed):
            if name not in [arrow for arrow, _ in arrows]:
                heading = SECTIONS[lang]["follow-ups"]
                message = f"`{name}` has no line under `### {heading}`"
                yield question.source.problem(("followups", index), message, f"end a line there with `→ {name}`")


def _claims(question: Question, content: Content) -> Iterator[Problem]:
    for index, claim in enumerate(question.meta.claims):
        if not claim.by and question.meta.kind != "behaviour":
            fix = "name a test, `fig:NAME` or `cite:KEY` that proves it"
            yield question.source.problem(("claims", index, "by"), "nothing proves this claim", fix)
        for place_, by in enumerate(claim.by):
            yield from check_proof(by, ("claims", index, "by", place_), question.source, content)


def _sixty_seconds(question: Question, content: Content) -> Iterator[Problem]:
    for lang in LANGUAGES:
        section = question.answers[lang][SIXTY]
        where = f"{lang}.{SIXTY}"
        for name, form, offset in figures_in(section.text):
            if form != "spoken":
                line, column = place(section.text, offset, section.line)
                message = f"the {form} form of `{name}` stands in a text for the ear"
                yield Problem(question.path, line, column, where, message, f"write `{{{{ fig:{name}|spoken }}}}`")
        count = length(plain(section_text(question, SIXTY, Expander(content, lang, question.page, ""))), lang)
        low, high = BOUNDS[lang]
        if not low <= count <= high:
            fix = f"{'say more' if count < low else 'cut it'}: {low} to {high}"
            yield Problem(question.path, section.line, 1, where, f"{count} {UNITS[lang]} after rendering", fix)


def _parity(question: Question) -> Iterator[Problem]:
    """Both languages quote the same figures and show as many code blocks."""
    bodies = {lang: [s.text for s in question.answers[lang].values()] for lang in LANGUAGES}
    names = {lang: {name for text in bodies[lang] for name, _, _ in figures_in(text)} for lang in LANGUAGES}
    for lang, other in (("zh", "en"), ("en", "zh")):
        if missing := sorted(names[other] - names[lang]):
            line = question.answers[lang]["one-sentence"].line
            message = f"only `## {other}` quotes {', '.join(missing)}"
            yield Problem(question.path, line, 1, lang, message, f"quote the same figures under `## {lang}`")
    blocks = {lang: sum(_code_blocks(text) for text in bodies[lang]) for lang in LANGUAGES}
    if blocks["zh"] != blocks["en"]:
        line = question.answers["en"]["in-depth"].line
        message = f"{blocks['en']} code blocks, {blocks['zh']} under `## zh`"
        yield Problem(question.path, line, 1, "en", message, "show the same code in both languages")


def _code_blocks(text: str) -> int:
    return sum(
        piece.kind == "fence" or (piece.kind == "placeholder" and "code:" in piece.text) for piece in pieces(text)
    )


def _typed_quantities(question: Question, content: Content) -> Iterator[Problem]:
    for lang in LANGUAGES:
        for key, section in question.answers[lang].items():
            where = f"{lang}.{key}"
            yield from check_typed(
                section.text, section.line, question.path, where, content, quotes_are_free=key == "mistakes"
            )
        for field, entries in (("claims", question.meta.claims), ("rubric", question.meta.rubric)):
            for index, entry in enumerate(entries):
                line, _ = question.source.place((field, index, lang))
                where = f"{field}[{index}].{lang}"
                yield from check_typed(getattr(entry, lang), line, question.path, where, content)
