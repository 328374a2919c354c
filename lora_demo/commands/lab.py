"""`lora-demo lab`: experiments on mgm-nano, and their records."""

from __future__ import annotations

import difflib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from lora_demo.commands.refusals import BAD_INPUT
from lora_demo.lab.catalogue import EXPERIMENTS, run
from lora_demo.lab.workshop import Workshop
from lora_demo.results.paths import records_dir
from lora_demo.training.engine.stopped import TrainingStopped


def listing() -> str:
    """The experiments, one per line."""
    width = max(map(len, EXPERIMENTS))
    return "\n".join(f"{name:{width}}  {experiment.about}" for name, experiment in EXPERIMENTS.items())


def start(names: Sequence[str], settings: Sequence[str], images: int, *, record: bool) -> int:
    """Run experiments; runs they share are made once. Exit status 0 done, 1 a run stopped, 2 bad input."""
    errors = Console(stderr=True)
    if unknown := [name for name in names if name not in EXPERIMENTS]:
        near = difflib.get_close_matches(unknown[0], EXPERIMENTS, n=2, cutoff=0.4) or list(EXPERIMENTS)
        words = f"no experiment is called {unknown[0]!r}: {', '.join(near)}?"
        errors.print(words, markup=False, highlight=False, soft_wrap=True)
        return 2
    if record and settings:
        errors.print(
            "--record keeps what the recipes do as they stand; leave --set out", highlight=False, soft_wrap=True
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        lab = Workshop(Path(folder), settings, images, say=lambda line: _say(errors, line))
        try:
            for name in names:
                done = run(name, lab)
                print(done.save(records_dir()) if record else json.dumps(asdict(done), indent=1, ensure_ascii=False))
        except BAD_INPUT as error:
            errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
            return 2
        except TrainingStopped as error:
            errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
            return 1
    return 0


def _say(errors: Console, line: str) -> None:
    """Names and paths as they are: nothing in them is markup."""
    errors.print(line, markup=False, highlight=False, soft_wrap=True)
