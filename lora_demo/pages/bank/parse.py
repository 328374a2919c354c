"""Question file -> Question, or every problem that stands in the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from lora_demo.pages.bank.language import LANGUAGES, SECTIONS
from lora_demo.pages.bank.problem import InvalidContent, Problem
from lora_demo.pages.bank.prose import masked, place
from lora_demo.pages.bank.question import FIELD_NAMES, FrontMatter, Question, Section
from lora_demo.pages.bank.yaml_source import read_yaml, validate

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^(##|###)[ \t]+(.+?)[ \t]*$", re.MULTILINE)


@lru_cache(maxsize=1024)
def parse_question(path: str, text: str) -> Question:
    """Parse the file at `path` (relative to the root). Cached by content: an edit re-parses one file only."""
    front = _FRONT.match(text)
    if front is None:
        fix = "begin the file with `---`, the fields, and `---`"
        raise InvalidContent([Problem(path, 1, 1, "front matter", "there is none", fix)])
    source = read_yaml(path, front.group(1), first_line=2)
    answers, problems = _answers(path, text, front.end())
    try:
        meta = validate(FrontMatter, source, FIELD_NAMES)
    except InvalidContent as error:
        raise InvalidContent([*error.problems, *problems]) from error
    problems += _identity(path, meta, source.place(("id",)))
    if problems:
        raise InvalidContent(problems)
    return Question(path, meta, source, answers)


def _identity(path: str, meta: FrontMatter, at: tuple[int, int]) -> list[Problem]:
    wanted = ".".join(path.removesuffix(".md").split("/")[-2:])
    if meta.id != wanted:
        fix = f"write `id: {wanted}` or move the file"
        return [Problem(path, *at, "id", f"`{meta.id}` does not match the path", fix)]
    if meta.topic != wanted.split(".")[0]:
        fix = f"write `topic: {wanted.split('.')[0]}`"
        return [Problem(path, *at, "topic", f"`{meta.topic}` does not match the id", fix)]
    return []


def _answers(path: str, text: str, start: int) -> tuple[dict[str, dict[str, Section]], list[Problem]]:
    """Both languages' sections; headings inside code do not count."""
    visible = masked(text)
    marks = [(m.group(1), m.group(2), m.start(), m.end()) for m in _HEADING.finditer(visible, start)]
    ends = [*(mark[2] for mark in marks), len(text)][1:]
    found: dict[str, list[tuple[str, Section]]] = {}
    problems, lang = [], ""
    for (rank, name, at, after), end in zip(marks, ends, strict=True):
        line = place(text, at)[0]
        if rank == "##":
            lang = name
            if lang not in LANGUAGES or lang in found:
                problems.append(
                    _problem(path, line, name, "unexpected or doubled part", "keep one `## zh`, one `## en`")
                )
            found.setdefault(lang, [])
        else:
            body = text[after:end]
            lead = len(body) - len(body.lstrip("\n")) if body.strip() else 0
            found.setdefault(lang, []).append((name, Section(body.strip("\n").rstrip(), line + lead)))
    end_line = place(text, len(text.rstrip()))[0]
    for lang in LANGUAGES:
        problems += _order(path, lang, found.get(lang), end_line)
    keys = {lang: {title: key for key, title in SECTIONS[lang].items()} for lang in LANGUAGES}
    answers = {lang: {keys[lang][n]: s for n, s in found.get(lang, []) if n in keys[lang]} for lang in LANGUAGES}
    return answers, problems


def _order(path: str, lang: str, found: list[tuple[str, Section]] | None, end: int) -> Iterator[Problem]:
    """Every section there, filled, once and in order."""
    wanted = list(SECTIONS[lang].values())
    if found is None:
        yield _problem(path, end, lang, f"the part `## {lang}` is missing", f"add `## {lang}` with {', '.join(wanted)}")
        return
    names = [name for name, _ in found]
    lines = {name: section.line for name, section in found}
    for name in wanted:
        if name not in names:
            yield _problem(path, end, lang, f"the section `### {name}` is missing", f"add it under `## {lang}`")
        elif not _COMMENT.sub("", next(s.text for n, s in found if n == name)).strip():
            yield _problem(path, lines[name], lang, f"the section `### {name}` is empty", "write it")
    for name in names:
        if name not in wanted or names.count(name) > 1:
            fix = f"keep exactly: {', '.join(wanted)}"
            yield _problem(path, lines[name], lang, f"unexpected or doubled section `### {name}`", fix)
    if sorted(names) == sorted(wanted) and names != wanted:
        first = next(name for name, want in zip(names, wanted, strict=True) if name != want)
        fix = f"the order is {', '.join(wanted)}"
        yield _problem(path, lines[first], lang, f"the section `### {first}` is out of order", fix)


def _problem(path: str, line: int, field: str, message: str, fix: str) -> Problem:
    return Problem(path, line, 1, field, message, fix)
