"""Everything the pages are made of, read once: questions, topics, figures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lora_demo.pages.bank.coverage import Covered, parse_coverage
from lora_demo.pages.bank.exercise import Exercise, load_exercises
from lora_demo.pages.bank.glossary import Glossary, parse_glossary
from lora_demo.pages.bank.ledger import Entry, parse_ledger
from lora_demo.pages.bank.literature import Reference, parse_literature
from lora_demo.pages.bank.parse import parse_question
from lora_demo.pages.bank.problem import InvalidContent, Problem
from lora_demo.pages.bank.question import Question
from lora_demo.pages.bank.reference_tables import Table, parse_tables
from lora_demo.pages.bank.source_text import read_text
from lora_demo.pages.bank.tested import Test, find_tests
from lora_demo.pages.bank.topics import Topic, parse_topics
from lora_demo.pages.bank.yaml_source import YamlSource
from lora_demo.results import store
from lora_demo.results.figure import Figure

T = TypeVar("T")
FIGURES = "qa/figures.json"
SEEN = {"date", "version"}


@dataclass(frozen=True)
class Content:
    """What a repository holds. `problems` are those met while reading; what could be read is there all the same."""

    root: Path
    repo_url: str = ""
    topics: tuple[Topic, ...] = ()
    questions: Mapping[str, Question] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    literature: Mapping[str, Reference] = field(default_factory=dict)
    tests: Mapping[str, Test] = field(default_factory=dict)
    verified: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    ledger: tuple[Entry, ...] = ()
    ledger_source: YamlSource | None = None
    myths: tuple[Entry, ...] = ()
    myths_source: YamlSource | None = None
    glossary: Glossary = field(default_factory=Glossary)
    coverage: tuple[Covered, ...] = ()
    coverage_source: YamlSource | None = None
    exercises: tuple[Exercise, ...] = ()
    # Ids of files that are there but could not be read: links to them are not dead.
    broken: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    def by_topic(self, topic: str) -> list[Question]:
        """A topic's questions, the most asked first."""
        return [q for q in self.most_asked() if q.meta.topic == topic]

    def tables_on(self, page: str) -> list[Table]:
        return [table for table in self.tables if table.page == page]

    def blob(self, path: str, line: int = 0, last: int = 0) -> str:
        """The file on the repository's site, or "" where no repository is set."""
        if not self.repo_url:
            return ""
        lines = f"#L{line}" + (f"-L{last}" if last else "") if line else ""
        return f"{self.repo_url}/blob/main/{path}{lines}"

    def most_asked(self) -> list[Question]:
        return sorted(self.questions.values(), key=lambda q: (-q.meta.asked.lists, q.id))


def load(root: Path, repo_url: str = "") -> Content:
    """Read `root`/qa. Collects every problem instead of stopping at the first."""
    problems: list[Problem] = []

    def read(name: str, parse: Callable[[str, str], T], absent: T) -> T:
        file = root / name
        if not os.path.lexists(file):
            return absent
        try:
            return parse(name, read_text(root, file))
        except InvalidContent as error:
            problems.extend(error.problems)
            return absent

    questions: dict[str, Question] = {}
    broken: set[str] = set()
    for file in sorted((root / "qa" / "questions").rglob("*.md")):
        name = file.relative_to(root).as_posix()
        question = read(name, lambda path, text: parse_question(path, text), None)
        if question is None:
            broken.add(f"{file.parent.name}.{file.stem}")
        else:
            questions[question.id] = question
    figures = _figures(root, problems)
    exercises, in_exercises = load_exercises(root)
    problems += in_exercises
    names = frozenset(figures)
    ledger, ledger_source = read("qa/ledger.yaml", parse_ledger, ((), None))
    myths, myths_source = read("qa/myths.yaml", parse_ledger, ((), None))
    coverage, coverage_source = read("qa/coverage.yaml", parse_coverage, ((), None))
    return Content(
        root=root,
        repo_url=repo_url.rstrip("/"),
        topics=read("qa/topics.yaml", parse_topics, ()),
        questions=questions,
        broken=frozenset(broken),
        figures=figures,
        tables=read("qa/reference-figures.yaml", lambda path, text: parse_tables(path, text, names), ()),
        ledger=ledger,
        ledger_source=ledger_source,
        myths=myths,
        myths_source=myths_source,
        glossary=read("qa/glossary.yaml", parse_glossary, Glossary()),
        coverage=coverage,
        coverage_source=coverage_source,
        exercises=exercises,
        literature=read("qa/literature.yaml", parse_literature, {}),
        tests=find_tests(root),
        verified=read("qa/verified.json", _verified, {}),
        problems=tuple(problems),
    )


def _verified(path: str, text: str) -> dict[str, dict[str, str]]:
    """Question id -> {"date", "version"}, as the test run wrote it."""
    line, column, message = 1, 1, "must be an object: question -> date and version"
    try:
        found = json.loads(text)
        if isinstance(found, dict) and all(isinstance(one, dict) and set(one) == SEEN for one in found.values()):
            return found
    except json.JSONDecodeError as error:
        line, column, message = error.lineno, error.colno, error.msg
    except (ValueError, RecursionError) as error:
        message = str(error)
    raise InvalidContent([Problem(path, line, column, "file", message, "run the tests to write it again")])


def _figures(root: Path, problems: list[Problem]) -> dict[str, Figure]:
    try:
        return store.load(root / FIGURES)
    except store.BrokenStore as error:
        cause = error.__cause__
        line = cause.lineno if isinstance(cause, json.JSONDecodeError) else 1
        problems.append(Problem(FIGURES, line, 1, "file", str(error), "restore the committed file"))
        return {}
