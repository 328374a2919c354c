"""What every command does when its output goes nowhere: one line, or none, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.results.paths import project_root

FULL = Path("/dev/full")
FIXTURE = project_root() / "tests" / "pages" / "fixtures" / "repo"
COMMANDS = [["--help"], ["pages", "check"], ["dojo", "solution", "total"], ["dojo", "list", "--json"]]
full = pytest.mark.skipif(not FULL.exists(), reason="a device that is always full is Linux's")


def start(arguments: list[str], home: Path, stdout: int, **more: str) -> subprocess.Popen[str]:
    surroundings = os.environ | {"LORA_DEMO_ROOT": str(FIXTURE), "LORA_DEMO_HOME": str(home)} | more
    command = [sys.executable, "-m", "lora_demo", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=surroundings)


@full
@pytest.mark.parametrize(
    ("arguments", "unbuffered"), [*((arguments, "") for arguments in COMMANDS), (["pages", "check"], "1")]
)
def test_a_full_disk_is_one_line(tmp_path: Path, arguments: list[str], unbuffered: str) -> None:
    with FULL.open("w") as device:
        process = start(arguments, tmp_path, device.fileno(), PYTHONUNBUFFERED=unbuffered)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said == "the output cannot be written: No space left on device; send it where there is room\n"


@pytest.mark.parametrize("arguments", COMMANDS[1:3])
def test_a_reader_that_has_gone_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    process = start(arguments, tmp_path, writes)
    os.close(writes)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (1, "")


def test_an_error_of_a_command_is_not_taken_for_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "inside.bin")

    monkeypatch.setattr("lora_demo.commands.site_commands._refuse", broken)
    monkeypatch.setenv("LORA_DEMO_ROOT", "/nowhere")
    result = CliRunner().invoke(app, ["pages", "check"])
    assert isinstance(result.exception, FileNotFoundError)


def test_half_a_character_is_shown_as_an_escape(tmp_path: Path) -> None:
    process = start(["dojo", "list", "--lang", "zh"], tmp_path, subprocess.PIPE, PYTHONIOENCODING="ascii")
    printed, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "")
    assert "\\u6c42\\u603b\\u6570" in printed
