"""An edited question is live in `mkdocs serve` within seconds, in both languages."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.site_plugin import ROOT

SECONDS = 3
QUESTION = "qa/questions/principles/what-is-lora.md"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What serving needs, apart from the checkout, so that the test may edit it."""
    for name in ("docs", "qa", "lora_demo", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for name in ("mkdocs.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def server(copy: Path) -> Iterator[tuple[str, psutil.Process]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (copy / "serve.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mkdocs", "serve", "--no-strict", "--dev-addr", f"127.0.0.1:{port}"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "NO_MKDOCS_2_WARNING": "1"},
        stdout=log,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for(address, "LoRA", 240)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def wait_for(url: str, text: str, seconds: float) -> None:
    """Ask until the page holds the text."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                if text in answer.read().decode():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not show {text!r} within {seconds:.0f} s")


def test_edited_question_is_live_in_both_languages(copy: Path, server: tuple[str, psutil.Process]) -> None:
    address, process = server
    page = "q/principles/what-is-lora/"
    wait_for(address + page, "60 秒", 60)
    file = copy / QUESTION
    text = file.read_text(encoding="utf-8")
    edited = text.replace("### 一句话\n", "### 一句话\n改过了：", 1).replace(
        "### In one sentence\n", "### In one sentence\nEdited: ", 1
    )
    before = process.cpu_times()
    file.write_text(edited, encoding="utf-8")
    wait_for(address + page, "改过了：", 60)
    wait_for(address + "en/" + page, "Edited: ", 60)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    # CPU time, as for the cold build; on an idle machine only the watcher's fraction of a second comes on top.
    # Three seconds for the first thirty questions, eight for a hundred and fifty, and in between in proportion.
    questions = len(list((copy / "qa" / "questions").glob("*/*.md")))
    allowed = SECONDS + 5 * max(0, questions - 30) / 120
    assert spent <= allowed, f"rebuilding {questions} questions took {spent:.1f} s"
