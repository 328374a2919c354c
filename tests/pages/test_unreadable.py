"""Files that are no content at all: each is named with its place, and no command drops what it cannot read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.pages.bank.problem import InvalidContent
from lora_demo.pages.bank.yaml_source import read_yaml
from lora_demo.pages.readme import END, START

RUNNER = CliRunner()
QUESTION = "qa/questions/memory/what-is-saved.md"
EXERCISE = "qa/exercises/total"


@pytest.fixture
def here(small_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORA_DEMO_ROOT", str(small_repo))
    (small_repo / "README.md").write_text(f"{START}\nold\n{END}\n", encoding="utf-8")
    return small_repo


def put(root: Path, path: str, content: bytes | None) -> None:
    """Write the content; none: a pipe that nobody writes into."""
    (root / path).unlink()
    if content is None:
        os.mkfifo(root / path)
    else:
        (root / path).write_bytes(content)


@pytest.mark.parametrize(
    ("path", "content", "line", "says"),
    [
        (QUESTION, b"---\n\xff\n---\n", 2, "no text in UTF-8 (byte 4)"),
        (QUESTION, b"---\n- 1\n---\n", 2, "is not a mapping of fields"),
        (QUESTION, b"---\na: &a [*a]\n---\n", 2, "an alias repeats a whole list"),
        (QUESTION, b'---\nid: !!python/object/apply:os.system ["id"]\n---\n', 2, "could not determine a constructor"),
        (QUESTION, None, 1, "is no regular file"),
        ("qa/topics.yaml", b"\xff", 1, "no text in UTF-8"),
        ("qa/topics.yaml", b"- &a\n  id: *a\n", 2, "an alias repeats"),
        ("qa/literature.yaml", b"\n\xff", 2, "no text in UTF-8"),
        ("qa/literature.yaml", b"a: &a [*a]", 1, "an alias repeats"),
        ("qa/verified.json", b"[1]", 1, "must be an object"),
        ("qa/verified.json", b"[" * 100_000, 1, "recursion"),
        ("qa/figures.json", b"[" * 100_000, 1, "recursion"),
        ("qa/figures.json", None, 1, "a pipe or a device"),
        ("docs/en/index.md", b"\n\xff", 2, "no text in UTF-8"),
        (f"{EXERCISE}/exercise.yaml", b"\xff", 1, "no text in UTF-8"),
        (f"{EXERCISE}/starter.py", b"x = (\n", 1, "not valid Python: '(' was never closed"),
        (f"{EXERCISE}/checks.py", b"\xff", 1, "no text in UTF-8"),
        ("pkg/count.py", b"def\n", 1, "not valid Python"),
    ],
)
def test_check_names_the_file_and_the_line(here: Path, path: str, content: bytes | None, line: int, says: str) -> None:
    put(here, path, content)
    result = RUNNER.invoke(app, ["pages", "check"])
    assert result.exit_code == 1, result.exception
    found = [text for text in result.stdout.splitlines() if text.startswith(f"{path}:{line}:")]
    assert any(says in text for text in found), result.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 2026-99-99", "month must be in 1..12"),
        ("a: !!bool x", "'x'"),
        ("a: " + "1" * 5000, "Exceeds the limit"),
        ("? [1]\n: 2", "unhashable key"),
        ("- " * 3000 + "x", "too deep"),
        ("[" * 100_000, "too deep"),
    ],
)
def test_yaml_of_any_kind_is_a_problem_not_a_crash(text: str, says: str) -> None:
    with pytest.raises(InvalidContent, match=says):
        read_yaml("x.yaml", text)


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        (QUESTION, b"", f"{QUESTION}:1:1: front matter: there is none"),
        (QUESTION, None, f"{QUESTION}:1:1: file: is no regular file"),
        ("qa/topics.yaml", b"- id: memory\n", "qa/topics.yaml:1:3: [0].title: the field `title` is missing"),
        ("qa/topics.yaml", b"[]", "qa/topics.yaml has no topic `memory`"),
        ("README.md", b"\xff", "README.md: no text in UTF-8 (byte 0)"),
        ("README.md", b"no place", "add them"),
        ("README.md", None, "README.md is no regular file"),
    ],
)
def test_an_index_with_gaps_is_not_written(here: Path, path: str, content: bytes | None, says: str) -> None:
    put(here, path, content)
    before = (here / "README.md").read_bytes() if path != "README.md" else b""
    result = RUNNER.invoke(app, ["pages", "index"])
    assert result.exit_code == 2, result.exception
    assert says in result.stderr
    assert path == "README.md" or (here / "README.md").read_bytes() == before


def test_an_index_needs_a_readme(here: Path) -> None:
    (here / "README.md").unlink()
    result = RUNNER.invoke(app, ["pages", "index"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "README.md cannot be read or written: No such file" in result.stderr


@pytest.mark.parametrize("where", ["", "nowhere"])
@pytest.mark.parametrize(
    "command", [["pages", "check"], ["pages", "check", "--json"], ["pages", "index"], ["new-question", "memory.x"]]
)
def test_a_root_without_content_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, command: list[str]
) -> None:
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path / where))
    result = RUNNER.invoke(app, command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path / where} has no qa/" in result.stderr
    assert "LORA_DEMO_ROOT" in result.stderr


def test_folders_without_a_question_are_nothing_to_check(here: Path) -> None:
    shutil.rmtree(here / "qa/questions/memory")
    result = RUNNER.invoke(app, ["pages", "check"])
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("topics", "says"),
    [(b"[]", "lists no topic"), (b"- 3\n", "qa/topics.yaml:1:3"), (b"\xff", "no text in UTF-8")],
)
def test_a_question_needs_topics_that_can_be_read(here: Path, topics: bytes, says: str) -> None:
    put(here, "qa/topics.yaml", topics)
    result = RUNNER.invoke(app, ["new-question", "memory.new-one"])
    assert result.exit_code == 2, result.exception
    assert says in result.stderr


@pytest.mark.parametrize("slug", ["a" * 300, "new-one"])
def test_a_question_that_cannot_be_written_says_so(here: Path, slug: str) -> None:
    shutil.rmtree(here / "qa/questions/memory")
    (here / "qa/questions/memory").write_text("a file where the folder should be")
    topic = "math" if len(slug) > 100 else "memory"
    result = RUNNER.invoke(app, ["new-question", f"{topic}.{slug}"])
    assert result.exit_code == 2, result.exception
    assert f"qa/questions/{topic}/{slug}.md cannot be written" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
