"""`lora-demo pages check` and `lora-demo new-question`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.pages.bank.language import LANGUAGES, SECTIONS

RUNNER = CliRunner()


@pytest.fixture
def here(small_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORA_DEMO_ROOT", str(small_repo))
    return small_repo


def test_check_passes_on_a_sound_repository(here: Path) -> None:
    result = RUNNER.invoke(app, ["pages", "check"])
    assert result.exit_code == 0
    assert "2 questions, 4 figures, 0 problem(s)" in result.stdout


def test_check_fails_with_file_line_and_fix(here: Path) -> None:
    page = here / "docs/en/index.md"
    page.write_text(page.read_text(encoding="utf-8") + "\nSaves 18 GB.\n", encoding="utf-8")
    result = RUNNER.invoke(app, ["pages", "check"])
    assert result.exit_code == 1
    assert "docs/en/index.md:10:7: text: the typed quantity `18 GB` has no source. Fix: write" in result.stdout
    listed = json.loads(RUNNER.invoke(app, ["pages", "check", "--json"]).stdout)
    assert [(p["path"], p["line"], p["column"]) for p in listed] == [("docs/en/index.md", 10, 7)]


def test_new_question_has_every_part_and_the_check_names_what_is_empty(here: Path) -> None:
    result = RUNNER.invoke(app, ["new-question", "math.new-one"])
    assert result.exit_code == 0
    text = (here / "qa/questions/math/new-one.md").read_text(encoding="utf-8")
    assert all(f"### {title}\n" in text for lang in LANGUAGES for title in SECTIONS[lang].values())
    found = json.loads(RUNNER.invoke(app, ["pages", "check", "--json"]).stdout)
    empty = [p for p in found if p["path"] == "qa/questions/math/new-one.md" and "is empty" in p["message"]]
    assert sum("section" in p["message"] for p in empty) == 12
    assert "claims[0].zh" in {p["field"] for p in empty}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("maths.x", "the topics are memory, math"),
        ("math.X y", "small letters"),
        ("memory.activations", "is there already"),
    ],
)
def test_new_question_refuses_and_writes_nothing(here: Path, name: str, says: str) -> None:
    before = {file: file.read_bytes() for file in here.rglob("*") if file.is_file()}
    result = RUNNER.invoke(app, ["new-question", name])
    assert result.exit_code == 2
    assert says in result.output
    assert {file: file.read_bytes() for file in here.rglob("*") if file.is_file()} == before
