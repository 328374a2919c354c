"""`lora-demo figures`: what it writes, what it finds, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lora_demo.__main__ import app

FAMILY = "lora.square4096.*"
NAME = "lora.square4096.r16"


def figures(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["figures", *arguments])


def plant(path: Path, name: str, **fields: object) -> None:
    entries = json.loads(path.read_text(encoding="utf-8"))
    entries[name] |= fields
    path.write_text(json.dumps(entries), encoding="utf-8")


def test_stale_value_is_found_and_named_with_old_new_and_fix(figures_copy: Path) -> None:
    """A changed value fails the check and the output says which, what it was, what it is and what to run."""
    plant(figures_copy, NAME, value=130_000)
    before = figures_copy.read_bytes()
    result = figures(FAMILY, "--check")
    assert result.exit_code == 1
    for word in (NAME, "130000", "131072", f"lora-demo figures {NAME}"):
        assert word in result.stdout
    assert figures_copy.read_bytes() == before


def test_fix_that_the_check_names_repairs_the_file(figures_copy: Path) -> None:
    """After the named command the same check passes."""
    plant(figures_copy, NAME, value=130_000)
    assert figures(NAME).exit_code == 0
    assert figures(FAMILY, "--check").exit_code == 0


def test_changed_title_is_stale_too(figures_copy: Path) -> None:
    """Not only the value is held against the registry."""
    plant(figures_copy, NAME, title={"zh": "旧", "en": "old"})
    result = figures(NAME, "--check")
    assert result.exit_code == 1
    assert "title" in result.stdout


def test_missing_figure_fails_the_check(figures_copy: Path) -> None:
    """A registered figure that the file lacks is reported as missing."""
    entries = json.loads(figures_copy.read_text(encoding="utf-8"))
    del entries[NAME]
    figures_copy.write_text(json.dumps(entries), encoding="utf-8")
    result = figures(NAME, "--check", "--json")
    assert result.exit_code == 1
    (verdict,) = json.loads(result.stdout)["figures"]
    assert (verdict["status"], verdict["old"], verdict["new"]) == ("missing", None, 131_072)


def test_regenerating_changes_nothing_when_all_is_fresh(figures_copy: Path) -> None:
    """Sorted and deterministic: the same bytes come out."""
    before = figures_copy.read_bytes()
    result = figures(FAMILY, "--json")
    assert json.loads(result.stdout)["changed"] == []
    assert figures_copy.read_bytes() == before


def test_regenerating_some_keeps_the_others(figures_copy: Path) -> None:
    """Only the named figure is recomputed; a stale neighbour stays for the check to find."""
    plant(figures_copy, "lora.square4096.r8", value=1)
    figures(NAME)
    assert json.loads(figures_copy.read_text(encoding="utf-8"))["lora.square4096.r8"]["value"] == 1


@pytest.mark.parametrize("name", ["[/bold]x", "[bold]x", "[link=file:///x]x"])
def test_a_name_like_markup_is_shown_as_it_is(figures_copy: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Neither obeyed nor a traceback."""
    # Whether the file holds strangers is asked of the whole file only, and all of it takes minutes.
    monkeypatch.setattr("lora_demo.figures.command.definitions", dict)
    stranger = json.loads(figures_copy.read_text(encoding="utf-8"))[NAME]
    figures_copy.write_text(json.dumps({name: stranger}), encoding="utf-8")
    result = figures("--check")
    assert result.exit_code == 1, result.exception
    assert name in result.stdout


def test_unknown_name_offers_near_ones(figures_copy: Path) -> None:
    """A typing error ends with exit 2 and a suggestion."""
    result = figures("lora.square4096.r17")
    assert result.exit_code == 2
    assert NAME in result.stderr


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda text: text[: len(text) // 2], "line", id="half written"),
        pytest.param(lambda text: "not json", "Expecting value", id="no json"),
        pytest.param(lambda text: text[:-2] + f',"{NAME}": {{}}}}', "stands twice", id="name twice"),
        pytest.param(lambda text: text.replace('"kind": "exact"', '"kind": "guess"', 1), "kind 'guess'", id="kind"),
        pytest.param(lambda text: text.replace('"value"', '"valu"', 1), "unknown field 'valu'", id="field"),
        pytest.param(lambda text: "[]", "top level", id="no object"),
        pytest.param(lambda text: "[" * 100_000, "recursion", id="deep"),
    ],
)
@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_damaged_file_is_refused_and_left_alone(figures_copy: Path, damage, said: str, mode: list[str]) -> None:
    """Exit 2, the fault named, a way back, and not one byte changed."""
    figures_copy.write_text(damage(figures_copy.read_text(encoding="utf-8")), encoding="utf-8")
    before = figures_copy.read_bytes()
    result = figures(NAME, *mode)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "git checkout" in result.stderr
    assert figures_copy.read_bytes() == before
    assert [path.name for path in figures_copy.parent.glob("*.tmp")] == []


def test_a_folder_in_the_files_place_is_named(figures_copy: Path) -> None:
    """The way out is not to change permissions."""
    figures_copy.unlink()
    figures_copy.mkdir()
    result = figures(NAME)
    assert result.exit_code == 2
    assert "a folder, a pipe or a device, where a file belongs" in result.stderr
    assert "writable" not in result.stderr


def test_unwritable_folder_is_a_clear_error(figures_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file and the cause; the file stays."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # root may write anywhere, so a chmod proves nothing where tests run as root
    monkeypatch.setattr("lora_demo.results.store.tempfile.mkstemp", refuse)
    before = figures_copy.read_bytes()
    result = figures(NAME)
    assert result.exit_code == 2
    assert "figures.json was left as it is: Permission denied" in result.stderr
    assert figures_copy.read_bytes() == before


def test_broken_literature_is_named_with_source_and_field(repository: Path) -> None:
    """A bad entry stops the command with file, source and field."""
    file = repository / "qa" / "literature.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("year: 2021", "year: soon", 1), encoding="utf-8")
    result = figures(NAME)
    assert result.exit_code == 2
    assert "literature.yaml" in result.stderr
    assert "'hu2021', field year" in result.stderr


def test_help_says_what_it_does() -> None:
    """The command explains itself."""
    result = figures("--help")
    assert result.exit_code == 0
    assert "--check" in result.stdout
