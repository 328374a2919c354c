"""Judge answers from outside: start the judged process, follow what it tells, end it when it takes too long."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import IO, Any

from lora_demo.judge.verdict import LOADING, CheckResult, Verdict

LARGEST = 100_000
"""Bytes of an answer's file."""
KEPT = 4_000
"""Characters of what an answer prints."""
SECONDS = 60
LOADS = 120
"""Seconds that loading PyTorch may take on a slow disk, before any answer is looked at."""


class AnswerUnreadable(ValueError):
    """The file cannot be an answer; the message says why."""


class JudgeUnavailable(RuntimeError):
    """What the judged process needs is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Job:
    """checks   file with functions `check_…(answer, …)`
    gives    names that an answer has to define
    names    of the checks, in order, to say which of them were not reached
    seconds  for one answer
    """

    checks: Path
    gives: tuple[str, ...]
    names: tuple[str, ...]
    seconds: int = SECONDS


def read_answer(path: Path) -> str:
    """The source of an answer. Raises AnswerUnreadable."""
    try:
        if stat.S_ISDIR(mode := path.stat().st_mode):
            raise AnswerUnreadable(f"{path}: cannot be read: Is a directory")
        if not stat.S_ISREG(mode):
            # A pipe would wait for somebody to write, a device never ends.
            raise AnswerUnreadable(f"{path}: a pipe or a device; save the answer in a file")
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise AnswerUnreadable(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) > LARGEST:
        raise AnswerUnreadable(f"{path}: more than {LARGEST:,} bytes; an answer is one short Python file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnswerUnreadable(f"{path}: no text in UTF-8 (byte {error.start}); save it as UTF-8") from error


def judge(job: Job, source: str) -> Verdict:
    """Judge one answer in a process of its own."""
    return judge_all(job, [source])[0]


def judge_all(job: Job, sources: Sequence[str]) -> list[Verdict]:
    """Judge several answers one after the other; a new process after each that did not come to its end.

    Raises JudgeUnavailable.
    """
    missing = [name for name in ("torch", "hypothesis") if importlib.util.find_spec(name) is None]
    if missing:
        raise JudgeUnavailable(f"judging needs {' and '.join(missing)}: pip install -c constraints.txt -e '.[train]'")
    verdicts: list[Verdict] = []
    while len(verdicts) < len(sources):
        verdicts += _in_one_process(job, sources[len(verdicts) :])
    return verdicts


def _in_one_process(job: Job, sources: Sequence[str]) -> list[Verdict]:
    """At least one verdict; fewer than sources if the process ended early."""
    with tempfile.TemporaryDirectory() as folder, _started(job, sources, folder) as process:
        events, printed = _Lines(process.stdout), _Printed(process.stderr)
        try:
            return _followed(job, len(sources), events, printed)
        finally:
            _end(process)


def _started(job: Job, sources: Sequence[str], folder: str) -> subprocess.Popen[bytes]:
    # -I: neither the working directory nor the user's settings can put modules in the way of ours.
    command = [sys.executable, "-I", "-X", "utf8", "-m", "lora_demo.judge.child"]
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    surroundings = kept | {"HOME": folder, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=surroundings,
        start_new_session=True,
    )
    seconds = job.seconds * len(sources) + LOADS
    content = {"checks": str(job.checks), "gives": job.gives, "answers": list(sources), "seconds": seconds}
    if process.stdin is not None:
        process.stdin.write(json.dumps(content).encode())
        process.stdin.close()
    return process


def _followed(job: Job, count: int, events: _Lines, printed: _Printed) -> list[Verdict]:
    verdicts: list[Verdict] = []
    while len(verdicts) < count:
        verdict, ended = _one(job, events, first=not verdicts)
        verdicts.append(replace(verdict, printed=printed.text() if count == 1 else ""))
        if ended:
            break
    return verdicts


def _one(job: Job, events: _Lines, *, first: bool) -> tuple[Verdict, bool]:
    """The verdict on the next answer, and whether the process is at its end."""
    results: list[CheckResult] = []
    current, deadline = LOADING, time.monotonic() + (LOADS if first else job.seconds)
    while True:
        try:
            event = events.next(deadline - time.monotonic())
        except queue.Empty:
            return _cut_off(job, results, current, f"no end after {job.seconds} s"), True
        match event:
            case {"starts": str(name)}:
                current = name
                deadline = time.monotonic() + job.seconds if name == LOADING else deadline
            case {"name": str(name)} if name == current:
                results.append(CheckResult(**event))
            case {"done": _} if _complete(job, results):
                return Verdict(tuple(results)), False
            case None:
                reason = "the process ended here: memory or time used up, or the answer left it"
                return _cut_off(job, results, current, reason), True
            case _:
                return _cut_off(job, results, current, "the answer got in the way of the judge's own messages"), True


def _complete(job: Job, results: Sequence[CheckResult]) -> bool:
    """Whether there is a result for each check, or the answer could not be loaded."""
    names = tuple(result.name for result in results)
    return names in ((LOADING,), (LOADING, *job.names)) and (len(names) > 1 or results[0].status != "pass")


def _cut_off(job: Job, results: list[CheckResult], current: str, reason: str) -> Verdict:
    """What was found until then, the check that did not end, and the ones that were not reached."""
    found = [*results, CheckResult(current, "error", reason)]
    reached = {result.name for result in found}
    rest = [CheckResult(name, "error", "not reached") for name in job.names if name not in reached]
    return Verdict((*found, *rest), ended=False)


def _end(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


class _Lines:
    """Events of the judged process, read by a thread so that waiting for one can end."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self.queue: queue.Queue[dict[str, Any] | None] = queue.Queue(maxsize=1000)
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            self.queue.put(_event(line))
        self.queue.put(None)

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next event; None at the end. Raises queue.Empty after so many seconds."""
        return self.queue.get(timeout=max(seconds, 0.001))


def _event(line: bytes) -> dict[str, Any]:
    """One message; whatever does not look like one of ours is empty."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(event, dict):
        return {}
    forms = ({"starts"}, {"done"}, {field.name for field in fields(CheckResult)})
    if set(event) not in forms:
        return {}
    return {name: visible(value) if isinstance(value, str) else value for name, value in event.items()}


def visible(text: str) -> str:
    """The text without what a terminal would obey instead of show."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


class _Printed:
    """What an answer prints: read to the end, so that it never blocks, and kept up to KEPT characters."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self.kept = b""
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream: IO[bytes] | None) -> None:
        while stream is not None and (part := stream.read1(8192)):  # type: ignore[attr-defined]
            self.kept += part[: max(0, KEPT - len(self.kept))]

    def text(self) -> str:
        self.thread.join(timeout=0.2)
        return visible(self.kept.decode("utf-8", errors="replace"))
