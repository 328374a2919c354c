"""Everything that must hold of a repository's pages; `lora-demo pages check` prints what does not."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote

from lora_demo.pages.bank.content import FIGURES, Content
from lora_demo.pages.bank.coverage import uncovered
from lora_demo.pages.bank.handwritten import WrittenPage, assets, written_pages
from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.ledger import Entry
from lora_demo.pages.bank.problem import Problem, nearest
from lora_demo.pages.bank.prose import pieces, place
from lora_demo.pages.bank.yaml_source import YamlSource
from lora_demo.pages.lint.check_exercise import check_exercise
from lora_demo.pages.lint.check_glossary import check_glossary
from lora_demo.pages.lint.check_question import check_proof, check_typed, figures_in
from lora_demo.pages.site import expand_written, generated_pages
from lora_demo.pages.study.downloads import deck_path, table_path

_TARGET = re.compile(r"\(\s*<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_ELSEWHERE = re.compile(r"^(?:[a-z]+:|//|#|/)")


def check(content: Content) -> list[Problem]:
    """All problems of the repository, in the order of the files."""
    if any(problem.path == FIGURES for problem in content.problems):
        # Without figures every text is full of unknown names: the one cause is enough.
        return [problem for problem in content.problems if problem.path == FIGURES]
    found: list[Problem] = []
    names: set[str] = set()
    written = {lang: written_pages(content.root, lang, found) for lang in LANGUAGES}
    for lang in LANGUAGES:
        built = generated_pages(content, lang)
        found += built.problems
        targets = set(built.pages) | assets(content.root, lang) | {deck_path(lang), table_path(lang)}
        found += [problem for page in written[lang] for problem in _check_page(page, content, lang)]
        found += _dead_links(content, lang, written[lang], targets)
        names |= set(built.pages) | {page.page for page in written[lang]}
    found += [*_judged(content.ledger, content.ledger_source, content), *check_glossary(content)]
    found += _judged(content.myths, content.myths_source, content)
    found += [problem for exercise in content.exercises for problem in check_exercise(exercise, content)]
    if content.coverage_source:
        found += uncovered(content.coverage, content.coverage_source, content.questions, names)
    found += _one_language_only(written)
    found += _unused(content, [page.text for lang in LANGUAGES for page in written[lang]])
    return sorted(set(found))


def _check_page(page: WrittenPage, content: Content, lang: str) -> Iterator[Problem]:
    yield from expand_written(content, lang, page).problems
    yield from check_typed(page.text, page.line, page.source, "text", content)


def _dead_links(
    content: Content, lang: str, written: Collection[WrittenPage], targets: Collection[str]
) -> Iterator[Problem]:
    """Relative links of hand-written texts that lead nowhere; the generator's own links come from known pages."""
    for page in written:
        yield from _links(page.text, page.line, page.source, page.page, targets)
    for question in content.questions.values():
        for section in question.answers[lang].values():
            yield from _links(section.text, section.line, question.path, question.page, targets)


def _links(text: str, first_line: int, source: str, page: str, targets: Collection[str]) -> Iterator[Problem]:
    for piece in pieces(text):
        match = _TARGET.fullmatch(piece.text) if piece.kind == "target" else None
        if match is None or _ELSEWHERE.match(match.group(1)):
            continue
        path = unquote(match.group(1).partition("#")[0])
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if path and target not in targets:
            line, column = place(text, piece.start, first_line)
            fix = f"link to a page that is there; {nearest(target, targets)}"
            yield Problem(source, line, column, "link", f"dead link `{match.group(1)}`", fix)


def _judged(entries: Collection[Entry], source: YamlSource | None, content: Content) -> Iterator[Problem]:
    if source is None:
        return
    for index, entry in enumerate(entries):
        if entry.page not in content.questions and entry.page not in content.broken:
            message = f"unknown question `{entry.page}`"
            yield source.problem((index, "page"), message, nearest(entry.page, content.questions))
        for number, by in enumerate(entry.by):
            yield from check_proof(by, (index, "by", number), source, content)
        for lang in LANGUAGES:
            # The claim quotes others and their numbers; the explanation speaks for us.
            line = source.place((index, "explanation", lang))[0]
            text = getattr(entry.explanation, lang)
            yield from check_typed(text, line, source.path, f"[{index}].explanation.{lang}", content)


def _one_language_only(written: dict[str, list[WrittenPage]]) -> Iterator[Problem]:
    paths = {lang: {page.page for page in written[lang]} for lang in LANGUAGES}
    for lang, other in (("zh", "en"), ("en", "zh")):
        for page in written[lang]:
            if page.page not in paths[other]:
                message = f"there is no docs/{other}/{page.page}"
                yield Problem(page.source, 1, 1, "file", message, "write it, or the language switch breaks here")


def _unused(content: Content, pages: Collection[str]) -> Iterator[Problem]:
    """Figures that nothing quotes: neither a page, a claim, the ledger nor a reference table."""
    texts = list(pages)
    used = {name for table in content.tables for name in table.figures}
    for question in content.questions.values():
        texts += [section.text for answer in question.answers.values() for section in answer.values()]
        for entry in [*question.meta.claims, *question.meta.rubric]:
            texts += [entry.zh, entry.en]
        used |= {by.removeprefix("fig:") for claim in question.meta.claims for by in claim.by}
    for entry in (*content.ledger, *content.myths):
        texts += [entry.claim.zh, entry.claim.en, entry.explanation.zh, entry.explanation.en]
        used |= {by.removeprefix("fig:") for by in entry.by}
    texts += [exercise.text(place) for exercise in content.exercises for place in exercise.texts()]
    used |= {name for text in texts for name, _, _ in figures_in(text)}
    unused = sorted(set(content.figures) - used)
    lines = _figure_lines(content) if unused else {}
    for name in unused:
        fix = "quote it, list it in qa/reference-figures.yaml, or take it out of the registry"
        yield Problem(FIGURES, lines.get(name, 1), 3, name, "nothing uses this figure", fix)


def _figure_lines(content: Content) -> dict[str, int]:
    text = (content.root / "qa" / "figures.json").read_text(encoding="utf-8")
    starts = {f"  {json.dumps(name, ensure_ascii=False)}: {{": name for name in content.figures}
    return {starts[line]: number for number, line in enumerate(text.splitlines(), 1) if line in starts}
