"""The judged process: reads a job from standard input, prints one JSON line per event, under `guard`.

    in   {"checks": path, "gives": names, "answers": [source, …], "seconds": of CPU time}
    out  {"starts": name} and {"name", "status", "message", "counterexample"}, then {"done": number of the answer}

Started by `judging`; what an answer prints goes to standard error.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TextIO

import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky

from lora_demo.judge import guard
from lora_demo.judge.verdict import LOADING, CheckResult

ANSWER = "your answer"
EXAMPLES = 40
_GIVEN = re.compile(r"^ {4}(\w+)=(.*?),?$", re.MULTILINE)


def main() -> None:
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # What an answer may need is loaded before the guard, which lets nobody load native code.
    torch.manual_seed(0)
    job = json.load(sys.stdin)
    settings.register_profile(
        "judge",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=EXAMPLES,
        suppress_health_check=list(HealthCheck),
        # Explaining which parts of an example matter takes a hundred times as long as finding it.
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        # One failure at a time: several would come as a group without an example.
        report_multiple_bugs=False,
        print_blob=False,
    )
    settings.load_profile("judge")
    checks = _checks(job["checks"])
    guard.put_on(job["seconds"])
    for number, source in enumerate(job["answers"]):
        for event in _judged(source, job["gives"], checks):
            _tell(told, event)
        _tell(told, {"done": number})


def _tell(told: TextIO, event: dict[str, Any]) -> None:
    told.write(json.dumps(event) + "\n")
    told.flush()


def _checks(path: str) -> dict[str, Callable[[ModuleType], None]]:
    """The functions of a checks file that are called check_…, in the file's order."""
    specification = importlib.util.spec_from_file_location("checks", path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return {name.removeprefix("check_"): value for name, value in vars(module).items() if name.startswith("check_")}


def _judged(source: str, gives: list[str], checks: dict[str, Callable]) -> Iterator[dict[str, Any]]:
    yield {"starts": LOADING}
    module, loaded = _load(source, gives)
    yield vars(loaded)
    if loaded.status != "pass":
        return
    for name, check in checks.items():
        yield {"starts": name}
        yield vars(_result(name, check, module))


def _load(source: str, gives: list[str]) -> tuple[ModuleType, CheckResult]:
    module = ModuleType("answer")
    try:
        exec(compile(source, ANSWER, "exec"), vars(module))
    except SyntaxError as error:
        return module, CheckResult(LOADING, "error", f"line {error.lineno}: {error.msg}")
    except BaseException as error:  # whatever it raises, SystemExit included, is a result
        return module, CheckResult(LOADING, "error", _in_words(error))
    for name in gives:
        if not hasattr(module, name):
            near = difflib.get_close_matches(name, vars(module), n=1)
            hint = f"; it has {near[0]!r}" if near else ""
            return module, CheckResult(LOADING, "error", f"the file defines no {name!r}{hint}")
    return module, CheckResult(LOADING, "pass")


def _result(name: str, check: Callable, answer: ModuleType) -> CheckResult:
    try:
        _seeded(check)(answer=answer)
    except AssertionError as error:
        return CheckResult(name, "fail", _first_line(str(error)), _counterexample(error))
    except Flaky:
        return CheckResult(name, "fail", "gives different results for the same input and the same random seed")
    except BaseException as error:
        return CheckResult(name, "error", _in_words(error), _counterexample(error))
    return CheckResult(name, "pass")


def _seeded(check: Callable) -> Callable:
    """The check with PyTorch's random numbers set before each example, so that an example can be run again."""
    inner = getattr(check, "hypothesis", None)
    target = inner.inner_test if inner else check
    if getattr(target, "seeds", False):
        return check

    def run(*args: Any, **kwargs: Any) -> None:
        torch.manual_seed(0)
        target(*args, **kwargs)

    if inner is None:
        return run
    vars(run)["seeds"] = True
    inner.inner_test = run
    return check


def _counterexample(error: BaseException) -> str | None:
    """The falsifying example, as Hypothesis notes it on the error, without the answer itself."""
    notes = "\n".join(getattr(error, "__notes__", ()))
    return ", ".join(f"{name}={value}" for name, value in _GIVEN.findall(notes) if name != "answer") or None


def _in_words(error: BaseException) -> str:
    """Type, message and the last line of the answer's own code that led to it."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == ANSWER]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(error).__name__}: {_first_line(str(error))}".rstrip(": ")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:500] if lines else ""


if __name__ == "__main__":
    main()
