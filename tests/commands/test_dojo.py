"""`lora-demo dojo`: the way from `next` to a passed exercise, and clear words about what cannot be used."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.results.paths import project_root

CLI = CliRunner()
NAME = "lora-linear"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Progress of nobody, in English."""
    monkeypatch.setenv("LORA_DEMO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path / "home"


def dojo(*arguments: str):
    return CLI.invoke(app, ["dojo", *arguments])


def solution() -> str:
    return (project_root() / "lora_demo" / "methods" / "whiteboard" / "linear.py").read_text(encoding="utf-8")


def test_from_next_to_passed(tmp_path):
    answer = tmp_path / "answer.py"
    first = dojo("next", "--out", str(answer))
    assert first.exit_code == 0
    assert f"lora-demo dojo judge {NAME} --file {answer}" in first.stdout
    assert "raise NotImplementedError" in answer.read_text()
    unwritten = dojo("judge", NAME, "--file", str(answer))
    assert unwritten.exit_code == 1
    assert "line 9: NotImplementedError" in unwritten.stdout
    answer.write_text(solution().replace("alpha / r", "alpha"), encoding="utf-8")
    wrong = dojo("judge", NAME, "--file", str(answer))
    assert wrong.exit_code == 1
    assert "counterexample: sizes=(5, 13), r=2, alpha=1.0" in wrong.stdout
    assert "no division by r" in wrong.stdout
    answer.write_text(solution(), encoding="utf-8")
    right = dojo("judge", NAME, "--file", str(answer), "--json")
    assert right.exit_code == 0
    verdict = json.loads(right.stdout)
    assert (verdict["version"], verdict["status"]) == (1, "pass")
    assert {"name", "status", "message", "counterexample"} == set(verdict["tests"][0])
    listed = json.loads(dojo("list", "--json").stdout)
    assert [(one["name"], one["tries"]) for one in listed if one["passed"]] == [(NAME, 3)]
    assert json.loads(dojo("next", "--json").stdout)["name"] == listed[1]["name"]


def test_hints_come_one_by_one_and_stop():
    hints = [dojo("hint", NAME).stdout for _ in range(4)]
    assert [hint[:8] for hint in hints[:3]] == ["Hint 1/3", "Hint 2/3", "Hint 3/3"]
    assert f"lora-demo dojo solution {NAME}" in hints[3]
    assert dojo("hint", NAME, "--number", "2").stdout == hints[1]
    assert "has 3 hints, no 7" in dojo("hint", NAME, "--number", "7").stderr


def test_the_solution_is_the_tested_source():
    assert dojo("solution", NAME).stdout.endswith(solution())


def test_both_languages_say_the_same():
    zh, en = (json.loads(dojo("list", "--json", "--lang", lang).stdout) for lang in ("zh", "en"))
    texts = ("title", "task")
    assert all(a["title"] != b["title"] for a, b in zip(zh, en, strict=True))
    bare = [[{key: one[key] for key in one if key not in texts} for one in language] for language in (zh, en)]
    assert bare[0] == bare[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["judge", "lora-linaer", "--file", "x.py"], "no exercise is called 'lora-linaer': lora-linear"),
        (["judge", NAME, "--file", "nowhere.py"], "nowhere.py: cannot be read: No such file"),
        (["judge", NAME, "--file", "."], "cannot be read: Is a directory"),
        (["hint", "zzzz"], "no exercise is called 'zzzz'"),
        (["list", "--lang", "fr"], "--lang fr: zh or en"),
        (["next", "--out", "/nowhere/at/all/answer.py"], "/nowhere/at/all/answer.py cannot be written"),
    ],
)
def test_bad_input_is_named(arguments, message):
    done = dojo(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_file_that_is_there_is_never_overwritten(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("my work")
    done = dojo("next", "--out", str(mine))
    assert (done.exit_code, mine.read_text()) == (2, "my work")
    assert "is there already and was left as it is" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="pipes of this kind are POSIX's")
def test_a_pipe_is_no_answer(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    done = dojo("judge", NAME, "--file", str(tmp_path / "pipe.py"))
    assert done.exit_code == 2
    assert "pipe.py: a pipe or a device; save the answer in a file" in done.stderr


def test_a_full_disk_leaves_no_starter_behind(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    answer = tmp_path / "answer.py"
    with monkeypatch.context() as disk:
        disk.setattr("lora_demo.results.store.os.fsync", full)
        done = dojo("next", "--out", str(answer))
    assert done.exit_code == 2
    assert "answer.py cannot be written: No space left on device" in done.stderr
    assert not answer.exists()
    assert dojo("next", "--out", str(answer)).exit_code == 0


def entry(**fields) -> str:
    return json.dumps({"version": 1, "exercises": {NAME: fields}})


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"version": 9, "exercises": {}}',
        '{"version": 1, "exercises": {"x": 3}}',
        entry(hints=-5),
        entry(tries=True),
        entry(tries=1.5),
        entry(passed="\ud800"),
        entry(passed="yesterday"),
        entry(passed="20260102"),
    ],
)
def test_progress_that_cannot_be_read_is_put_aside(home, content):
    home.mkdir()
    (home / "dojo.json").write_text(content)
    done = dojo("hint", NAME)
    assert done.exit_code == 0
    assert "could not be read" in done.stderr
    assert (home / "dojo.unreadable-1.json").read_text() == content
    assert json.loads((home / "dojo.json").read_text())["exercises"][NAME]["hints"] == 1


def test_progress_that_cannot_even_be_put_aside_is_left_alone(home, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    home.mkdir()
    (home / "dojo.json").write_text("{")
    # root may rename anywhere, so a chmod proves nothing where tests run as root
    with monkeypatch.context() as folder:
        folder.setattr("pathlib.Path.replace", refuse)
        done = dojo("hint", NAME)
    assert done.exit_code == 0, done.exception
    assert "Hint 1/3" in done.stdout
    assert "nor put aside (Permission denied), so nothing is kept" in done.stderr
    assert [file.read_text() for file in home.iterdir()] == ["{"]


def test_a_verdict_is_shown_where_progress_cannot_be_kept(home):
    home.write_text("a file where the folder should be")
    done = dojo("hint", NAME)
    assert done.exit_code == 0
    assert "Hint 1/3" in done.stdout
    assert "LORA_DEMO_HOME names another folder" in done.stderr


def test_check_says_what_is_not_sound(tmp_path, monkeypatch):
    source = project_root() / "tests" / "pages" / "fixtures" / "repo"
    root = shutil.copytree(source, tmp_path / "repo")
    monkeypatch.setenv("LORA_DEMO_ROOT", str(root))
    sound = dojo("check")
    assert sound.exit_code == 0, sound.stdout
    assert sound.stdout == "total: sound (2 checks, 3 slips)\n"
    file = root / "qa" / "exercises" / "total" / "exercise.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("new: return one - LIMIT", "new: return LIMIT + one"))
    (root / "qa" / "exercises" / "total" / "starter.py").write_text("def total():\n    return 4\n")
    broken = dojo("check", "total")
    assert broken.exit_code == 1
    assert "the starter passes as it stands" in broken.stdout
    assert "slip 'subtracted': the check is_right does not catch it" in broken.stdout
