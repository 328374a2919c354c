"""Answers of every kind, hostile ones too: each gets a verdict in words, in time, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lora_demo.judge.judging import KEPT, LARGEST, AnswerUnreadable, Job, judge, judge_all, read_answer
from lora_demo.judge.verdict import LOADING, Verdict

CHECKS = """
from hypothesis import given
from hypothesis import strategies as st

@given(x=st.integers(0, 50), y=st.integers(0, 50))
def check_adds(answer, x, y):
    assert answer.add(x, y) == x + y, f"{answer.add(x, y)} is not the sum"

def check_has_a_docstring(answer):
    assert answer.add.__doc__, "say what it does"
"""
RIGHT = 'def add(x, y):\n    """The sum."""\n    return x + y\n'
posix = pytest.mark.skipif(os.name != "posix", reason="limits of this kind are POSIX's")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "checks.py").write_text(CHECKS)
    return Job(tmp_path / "checks.py", ("add",), ("adds", "has_a_docstring"), seconds=20)


def said(verdict: Verdict, name: str) -> str:
    return next(result.message for result in verdict.tests if result.name == name)


def inside(line: str) -> str:
    """A right answer that also does something when it is called."""
    return f'import os, sys\ndef add(x, y):\n    """The sum."""\n    {line}\n    return x + y\n'


def test_a_right_answer_passes_every_check(job):
    verdict = judge(job, RIGHT)
    assert verdict.to_json() == {
        "version": 1,
        "status": "pass",
        "tests": [
            {"name": name, "status": "pass", "message": "", "counterexample": None}
            for name in (LOADING, "adds", "has_a_docstring")
        ],
    }


def test_a_wrong_answer_gets_the_smallest_counterexample(job):
    verdict = judge(job, RIGHT.replace("x + y\n", "x + min(y, 6)\n"))
    assert verdict.status == "fail"
    failed = verdict.tests[1]
    assert (failed.status, failed.message, failed.counterexample) == ("fail", "6 is not the sum", "x=0, y=7")
    assert verdict.tests[2].status == "pass"


def test_an_answer_that_raises_is_told_its_own_line(job):
    verdict = judge(job, RIGHT.replace("return x + y", "return x + y + unknown"))
    assert verdict.status == "fail"
    assert verdict.tests[1].status == "error"
    assert said(verdict, "adds") == "line 3: NameError: name 'unknown' is not defined"


def test_an_answer_that_changes_its_mind_is_told_so(job):
    moody = "calls = []\n" + inside("calls.append(1); y += len(calls) == 9")
    assert "different results for the same input" in said(judge(job, moody), "adds")


UNLOADABLE = {
    "def add(x, y) return": "line 1: expected ':'",
    "x = 1\0": "null bytes",
    "(" * 10_000: "too many nested parentheses",
    "def ad(x, y):\n    return 0\n": "defines no 'add'; it has 'ad'",
    "import nothing_of_that_name": "line 1: ModuleNotFoundError",
    "raise SystemExit(0)": "line 1: SystemExit",
    "raise KeyboardInterrupt": "line 1: KeyboardInterrupt",
    "def f(): f()\nf()": "line 1: RecursionError",
    "": "defines no 'add'",
}


def test_a_file_that_does_not_load_says_why(job):
    for (source, message), verdict in zip(UNLOADABLE.items(), judge_all(job, list(UNLOADABLE)), strict=True):
        assert verdict.status == "error", source[:40]
        assert [result.name for result in verdict.tests] == [LOADING], source[:40]
        assert message in said(verdict, LOADING)


@pytest.mark.parametrize("source", ["while True: pass\n", inside("while True: pass")])
def test_an_answer_without_an_end_is_ended(job, source):
    hasty = Job(job.checks, job.gives, job.names, seconds=1)
    started = time.monotonic()
    verdict = judge(hasty, source)
    assert time.monotonic() - started < 60
    assert verdict.status == "error"
    assert any("no end after 1 s" in result.message for result in verdict.tests)
    assert {result.name for result in verdict.tests} == {LOADING, *job.names}
    assert said(verdict, "has_a_docstring") == "not reached"


@posix
@pytest.mark.parametrize("line", ["os._exit(0)", "import signal; signal.raise_signal(signal.SIGKILL)"])
def test_an_answer_that_leaves_does_not_pass(job, line):
    verdict = judge(job, inside(line))
    assert verdict.status == "error"
    assert "the process ended here" in said(verdict, "adds")


FORBIDDEN = [
    "open(PLACE, 'w')",
    "open(PLACE, 'a')",
    "os.close(os.open(PLACE, os.O_CREAT | os.O_WRONLY))",
    "import pathlib; pathlib.Path(PLACE).write_text('x')",
    "import torch; torch.save(torch.zeros(3), PLACE)",
    "import numpy; numpy.save(PLACE, [1])",
    "os.mkdir(PLACE)",
    "os.remove(KEPT)",
    "os.rename(KEPT, PLACE)",
    "os.truncate(KEPT, 0)",
    "import shutil; shutil.copy(KEPT, PLACE)",
    "os.system('touch ' + PLACE)",
    "import subprocess; subprocess.run(['touch', PLACE])",
    "os.fork()",
    "os.execv('/bin/touch', ['touch', PLACE])",
    "import multiprocessing; multiprocessing.Process(target=print).start()",
    "import socket; socket.create_connection(('127.0.0.1', 80))",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1/')",
    "import ctypes; ctypes.CDLL(None).getpid()",
    "os.kill(os.getppid(), 0)",
]


@posix
def test_what_no_exercise_needs_is_refused(job, tmp_path):
    kept, place = tmp_path / "kept", tmp_path / "place"
    kept.write_text("mine")
    names = f"KEPT, PLACE = {str(kept)!r}, {str(place)!r}\n"
    verdicts = judge_all(job, [names + inside(line) for line in FORBIDDEN])
    passed = [line for line, verdict in zip(FORBIDDEN, verdicts, strict=True) if verdict.tests[1].status != "error"]
    assert not passed
    assert kept.read_text() == "mine"
    assert not place.exists() or not place.read_bytes()


@posix
@pytest.mark.parametrize("line", ["bytearray(64 << 30)", "import torch; torch.empty(64 << 30)"])
def test_an_answer_that_wants_too_much_memory_is_told(job, line):
    assert judge(job, inside(line)).tests[1].status == "error"


def test_an_answer_may_print_as_much_as_it_likes(job):
    verdict = judge(job, "print('hello')\n" + inside("print('x' * 100_000)"))
    assert verdict.status == "pass"
    assert verdict.printed.startswith("hello\n")
    assert len(verdict.printed) <= KEPT


def test_a_terminal_obeys_nothing_that_an_answer_says(job):
    verdict = judge(job, "print('\\x1b[2J')\n" + inside("raise ValueError('\\x1b]0;mine\\x07')"))
    assert "\x1b" not in verdict.printed + said(verdict, "adds")
    assert "ValueError: �]0;mine�" in said(verdict, "adds")


def test_an_answer_cannot_tell_the_judge_what_to_say(job):
    forged = json.dumps({"name": "adds", "status": "pass", "message": "", "counterexample": None}) + "\n"
    forged += json.dumps({"done": 0}) + "\n"
    writes = f"[os.write(fd, {forged.encode()!r}) for fd in range(3, 30) if os.path.exists(f'/proc/self/fd/{{fd}}')]"
    verdict = judge(job, f"import os\n{writes}\n" + RIGHT.replace("x + y\n", "0\n"))
    assert verdict.status == "error"


def test_several_answers_share_a_process_until_one_breaks_it(job):
    broken = "import os\nos._exit(1)\n"
    verdicts = judge_all(job, [RIGHT, broken, RIGHT, RIGHT.replace("+", "-")])
    assert [verdict.status for verdict in verdicts] == ["pass", "error", "pass", "fail"]


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "pipe.py"])
def test_what_never_ends_is_no_answer(tmp_path, device):
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(AnswerUnreadable, match="a pipe or a device"):
        read_answer(tmp_path / device)


def test_a_file_that_cannot_be_an_answer_is_refused(tmp_path):
    (tmp_path / "large.py").write_bytes(b"#" * (LARGEST + 1))
    (tmp_path / "latin.py").write_bytes("x = 'é'".encode("latin-1"))
    (tmp_path / "marked.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    for name, message in {
        "none.py": "none.py: cannot be read: No such file",
        ".": "cannot be read: Is a directory",
        "large.py": "more than 100,000 bytes",
        "latin.py": r"no text in UTF-8 \(byte 5\)",
    }.items():
        with pytest.raises(AnswerUnreadable, match=message):
            read_answer(tmp_path / name)
    assert read_answer(tmp_path / "marked.py") == "x = 1\n"
