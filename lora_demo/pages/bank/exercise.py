"""A hand-coding exercise: `qa/exercises/<name>/` with `exercise.yaml`, `starter.py` and `checks.py`.

The solution is a tested file of the package, so that what is shown as right is what the repository runs. A slip is the
solution with one small edit, and names the check that has to catch it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.problem import InvalidContent, Problem, nearest
from lora_demo.pages.bank.question import Both, Level, QuestionId, Text
from lora_demo.pages.bank.source_text import read_text
from lora_demo.pages.bank.yaml_source import Location, Strict, YamlSource, field_names, read_yaml, validate

FOLDER = "qa/exercises"
FILE, STARTER, CHECKS = "exercise.yaml", "starter.py", "checks.py"
PREFIX = "check_"


class Check(Strict):
    """A property that an answer must have; `name` is the function check_<name> of `checks.py`."""

    name: Text
    says: Both


class Slip(Strict):
    """What people get wrong: `old` stands once in the solution, `new` instead of it is caught by the check `by`."""

    says: Both
    by: Text
    old: Text
    new: str


class Meta(Strict):
    """order     place in the list
    minutes   a candidate's time on a whiteboard
    question  the answer that explains the matter
    solution  path of the file from the repository's root, and the names in it that the exercise asks for
    """

    order: Annotated[int, Field(ge=1)]
    title: Both
    level: Level
    minutes: Annotated[int, Field(ge=1, le=60)]
    question: QuestionId
    solution: Text
    gives: Annotated[list[Text], Field(min_length=1)]
    task: Both
    hints: Annotated[list[Both], Field(min_length=2)]
    checks: Annotated[list[Check], Field(min_length=2)]
    slips: Annotated[list[Slip], Field(min_length=3)]


@dataclass(frozen=True)
class Exercise:
    """One exercise: its texts, its starter file and its solution's source."""

    name: str
    meta: Meta
    source: YamlSource
    starter: str
    solution: str

    @property
    def page(self) -> str:
        return f"exercises/{self.name}.md"

    @property
    def checks_file(self) -> str:
        return f"{FOLDER}/{self.name}/{CHECKS}"

    def title(self, lang: str) -> str:
        return getattr(self.meta.title, lang)

    def text(self, location: Location) -> str:
        """The text at a place of `exercise.yaml`, for example ("checks", 0, "says", "zh")."""
        found = self.source.data
        for part in location:
            found = found[part]
        return found.strip()

    def texts(self) -> Iterator[Location]:
        """The places of all texts in both languages."""
        lists = {"hints": (), "checks": ("says",), "slips": ("says",)}
        for lang in LANGUAGES:
            yield from (("title", lang), ("task", lang))
            for name, inner in lists.items():
                yield from ((name, index, *inner, lang) for index in range(len(self.source.data[name])))

    def with_slip(self, slip: Slip) -> str:
        """The solution's source with the slip in it."""
        return self.solution.replace(slip.old, slip.new)


def load_exercises(root: Path) -> tuple[tuple[Exercise, ...], list[Problem]]:
    """All exercises in order, and every problem met; an exercise with a problem is left out."""
    found: list[Exercise] = []
    problems: list[Problem] = []
    for file in sorted((root / FOLDER).glob(f"*/{FILE}")):
        try:
            found.append(_read(root, file))
        except InvalidContent as error:
            problems += error.problems
    ordered = tuple(sorted(found, key=lambda one: (one.meta.order, one.name)))
    for first, second in pairwise(ordered):
        if first.meta.order == second.meta.order:
            message = f"`{first.name}` has order {first.meta.order} as well"
            problems.append(second.source.problem(("order",), message, "give each exercise a place of its own"))
    return ordered, problems


def _read(root: Path, file: Path) -> Exercise:
    path = file.relative_to(root).as_posix()
    source, meta = _parse(path, read_text(root, file))
    texts: dict[str, str] = {}
    for name, wanted in ((STARTER, file.with_name(STARTER)), (CHECKS, file.with_name(CHECKS))):
        if not wanted.is_file():
            raise InvalidContent([Problem(path, 1, 1, "file", f"`{name}` is missing beside it", "write it")])
        texts[name] = read_text(root, wanted)
    if not (root / meta.solution).is_file():
        raise InvalidContent(
            [source.problem(("solution",), f"there is no file `{meta.solution}`", "name a tested file")]
        )
    solution = read_text(root, root / meta.solution)
    exercise = Exercise(file.parent.name, meta, source, texts[STARTER], solution)
    folder = path.removesuffix(FILE)
    _refuse_syntax({folder + STARTER: exercise.starter, folder + CHECKS: texts[CHECKS], meta.solution: solution})
    if problems := [*_in_code(exercise, texts), *_in_slips(exercise)]:
        raise InvalidContent(problems)
    return exercise


@lru_cache(maxsize=64)
def _parse(path: str, text: str) -> tuple[YamlSource, Meta]:
    source = read_yaml(path, text)
    return source, validate(Meta, source, field_names(Meta, Check, Slip, Both))


def _refuse_syntax(files: Mapping[str, str]) -> None:
    """Code by path: what does not parse defines nothing that could be looked for."""
    for path, code in files.items():
        try:
            ast.parse(code)
        except SyntaxError as error:
            message = f"not valid Python: {error.msg}"
            problem = Problem(path, error.lineno or 1, error.offset or 1, "file", message, "put the line right")
            raise InvalidContent([problem]) from error
        except (ValueError, RecursionError, MemoryError) as error:
            message = f"not valid Python: {error or 'too deep'}"
            raise InvalidContent([Problem(path, 1, 1, "file", message, "write plain Python")]) from error


def _in_code(exercise: Exercise, texts: dict[str, str]) -> list[Problem]:
    """Starter and solution define what is asked for; the checks file has the checks that are described, no others."""
    source, meta = exercise.source, exercise.meta
    problems: list[Problem] = []
    for where, code in ((STARTER, exercise.starter), (meta.solution, exercise.solution)):
        missing = [name for name in meta.gives if name not in _defined(code)]
        problems += [
            source.problem(("gives",), f"`{where}` defines no `{name}`", "define it there") for name in missing
        ]
    written = [name.removeprefix(PREFIX) for name in _defined(texts[CHECKS]) if name.startswith(PREFIX)]
    described = [check.name for check in meta.checks]
    if written != described:
        message = f"`{CHECKS}` has {', '.join(written) or 'none'}; described here: {', '.join(described)}"
        problems.append(source.problem(("checks",), message, "describe each check, in the order of the file"))
    return problems


def _in_slips(exercise: Exercise) -> list[Problem]:
    source, names = exercise.source, [check.name for check in exercise.meta.checks]
    problems: list[Problem] = []
    for index, slip in enumerate(exercise.meta.slips):
        if (times := exercise.solution.count(slip.old)) != 1:
            message = f"stands {times} times in `{exercise.meta.solution}`"
            problems.append(source.problem(("slips", index, "old"), message, "quote a part that stands there once"))
        if slip.by not in names:
            message = f"there is no check `{slip.by}`"
            problems.append(source.problem(("slips", index, "by"), message, nearest(slip.by, names)))
    return problems


def _defined(code: str) -> list[str]:
    """Names of the functions and classes at a file's top level, in order."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in ast.parse(code).body if isinstance(node, kinds)]
