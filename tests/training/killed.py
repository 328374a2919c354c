"""Kills runs at named moments, each in a process of its own: `python killed.py FOLDER SETTING...`.

Started once as a fresh interpreter; it forks one child per moment, so that torch is imported once. Prints one JSON
object: moment -> how many steps its run had noted when it died.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_demo.training import loop, results, run, step
from lora_demo.training.engine import checkpoint, metrics
from lora_demo.training.recipes import recipe_files

Kill = Callable[[], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Callable[..., bool], *, after: bool = False) -> None:
    """Die just before (or just after) the first call for which `when(number of the call, *arguments)` holds."""
    real, calls = getattr(owner, name), []

    def watched(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        chosen = when(len(calls), *args)
        if chosen and not after:
            die()
        done = real(*args, **kwargs)
        if chosen:
            die()
        return done

    setattr(owner, name, watched)


def half_a_line(told: metrics.Metrics, **values: Any) -> None:
    if values["step"] == 5:
        with told.path.open("a", encoding="utf-8") as stream:
            stream.write('{"step": 5, "lo')
        die()
    WRITE(told, **values)


WRITE = metrics.Metrics.write


def renames(number: int, path: Path, target: Path, *_: Any) -> bool:
    return ".part" in path.name and target.name == "step-0000004"


def between_the_renames_of_best() -> None:
    """At the second evaluation, which counts as the better one here."""
    real = loop.Loop._note_best

    def always_better(self: loop.Loop, found: Any) -> None:
        self.progress.best_accuracy = None
        real(self, found)

    loop.Loop._note_best = always_better
    before(Path, "replace", lambda n, path, target: path.name == checkpoint.BEST, after=True)


MOMENTS: dict[str, Kill] = {
    "in the first forward": lambda: before(step, "_forward_backward", lambda n, *_: n == 1),
    # batch 4 in micro-batches of 2: call 10 is the second one of step 5
    "between two micro-batches": lambda: before(step, "_forward_backward", lambda n, *_: n == 10),
    "between backward and update": lambda: before(step, "_refuse_non_finite", lambda n, *_: n == 6),
    "half a line of metrics": lambda: setattr(metrics.Metrics, "write", half_a_line),
    "before a checkpoint is begun": lambda: before(
        checkpoint, "_write_state", lambda n, place, *_: "0004" in str(place)
    ),
    "weights not yet in it": lambda: before(checkpoint, "save_file", lambda n, _, path: "step-0000004" in str(path)),
    "not yet sealed": lambda: before(checkpoint, "_seal", lambda n, place, *_: "step-0000004" in str(place)),
    "sealed, not yet renamed": lambda: before(Path, "replace", renames),
    "renamed": lambda: before(Path, "replace", renames, after=True),
    "between the two renames of best": between_the_renames_of_best,
    "pruning": lambda: before(checkpoint, "prune", lambda n, *_: n == 3),
    "trained, result not yet written": lambda: before(results, "save", lambda n, *_: True),
    "result written, summary not": lambda: before(
        run, "write_atomically", lambda n, path, *_: path.name == results.SUMMARY
    ),
}


def killed(moment: str, settings: list[str], folder: Path) -> int:
    """Steps noted by a run that died at this moment."""
    child = os.fork()
    if child == 0:
        MOMENTS[moment]()
        run.run(recipe_files.load("nano-lora-b", settings), folder)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        raise SystemExit(f"{moment}: the run was not killed (status {status})")
    return sum("loss" in line for line in metrics.read(folder))


if __name__ == "__main__":
    place, settings = Path(sys.argv[1]), sys.argv[2:]
    found = {moment: killed(moment, settings, place / str(number)) for number, moment in enumerate(MOMENTS)}
    print(json.dumps(found))
