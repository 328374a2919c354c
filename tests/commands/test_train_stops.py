"""`lora-demo train` when something gives way: exit status 1, one message with the reason and what is left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.training import loop, results
from lora_demo.training.engine import checkpoint, metrics

CLI = CliRunner()
TINY = ["steps=4", "batch=2", "data.images=4", "data.questions=1", "evaluation.rows=2", "threads=1", "save.every=2"]
TINY += ["cache_features=false"]
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def stopped(folder: Path, *settings: str) -> str:
    """The message of a run that had to stop."""
    options = [word for setting in (*TINY, *settings) for word in ("--set", setting)]
    done = CLI.invoke(app, ["train", "nano-lora-b", *options, "--out", str(folder)])
    assert done.exit_code == 1, done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.stderr
    return done.stderr


def full_after(monkeypatch, owner, name: str, calls: int) -> None:
    """The disk is full from this call of a writing function on."""
    real, made = getattr(owner, name), []

    def write(*args, **kwargs):
        made.append(1)
        if len(made) > calls:
            raise FULL
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, write)


@pytest.mark.parametrize(
    ("owner", "name", "calls", "left"),
    [
        (checkpoint, "save_file", 0, None),
        (checkpoint, "save_file", 1, 2),
        (checkpoint, "_seal", 1, 2),
        (metrics.Metrics, "write", 3, 2),
        (results, "save", 0, 4),
    ],
)
def test_a_full_disk_names_itself_and_the_last_good_checkpoint(tmp_path, monkeypatch, owner, name, calls, left):
    full_after(monkeypatch, owner, name, calls)
    said = stopped(tmp_path / "run")
    assert "No space left on device" in said
    place = tmp_path / "run" / "checkpoints"
    if left is None:
        assert "No checkpoint has been written yet" in said
        assert checkpoint.numbered(place) == []
    else:
        assert f"step-{left:07d}" in said
        assert checkpoint.newest(place) == place / f"step-{left:07d}"
    assert not list(place.glob(".*"))


def test_a_read_only_folder_is_refused_before_the_model_is_read(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    said = stopped(tmp_path / "run")
    assert "cannot be written, so no checkpoint could be kept" in said
    assert "Read-only file system" in said


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([], "is not a finite number; the update was not made"),
        (["clip_norm=null"], "trained weights are no finite numbers any more"),
    ],
)
def test_a_run_that_diverges_keeps_the_last_good_checkpoint(tmp_path, more, reason):
    said = stopped(tmp_path / "run", "optimizer.lr=1e6", "schedule.warmup=0", "save.every=1", *more)
    assert reason in said
    assert "lower optimizer.lr" in said
    kept = checkpoint.newest(tmp_path / "run" / "checkpoints")
    assert kept is not None
    assert str(kept) in said


def test_ctrl_c_says_what_is_left_and_how_to_go_on(tmp_path, monkeypatch):
    real, calls = loop.step, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(loop, "step", interrupted)
    options = [word for setting in TINY for word in ("--set", setting)]
    done = CLI.invoke(app, ["train", "nano-lora-b", *options, "--out", str(tmp_path / "run")])
    assert done.exit_code == 130
    assert "interrupted. The last good checkpoint is" in done.stderr
    assert "step-0000002. Go on with --resume" in done.stderr


DYING_WORKER = """
import os, signal, sys
from torch.utils.data import get_worker_info
from lora_demo.__main__ import app
from lora_demo.training import loop

real = loop.StepInputs.__getitem__

def dying(self, number):
    if get_worker_info() is not None and number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, number)

loop.StepInputs.__getitem__ = dying
app(sys.argv[1:])
"""


def test_a_lost_data_worker_is_named(tmp_path):
    """In a process of its own: PyTorch tells of the death by a signal, and shape checking renames what it raises."""
    options = [word for setting in (*TINY, "workers=1", "steps=8") for word in ("--set", setting)]
    command = [sys.executable, "-c", DYING_WORKER, "train", "nano-lora-b", *options, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 1, done.stderr
    assert "a process that loads data was killed" in done.stderr
    assert "lower workers" in done.stderr
    assert "Traceback" not in done.stderr
    assert checkpoint.newest(tmp_path / "run" / "checkpoints") is not None


def test_a_run_whose_best_state_is_damaged_says_so(tmp_path, monkeypatch):
    real = checkpoint.damage
    monkeypatch.setattr(checkpoint, "damage", lambda path: "cut off" if path.name == checkpoint.BEST else real(path))
    said = stopped(tmp_path / "run")
    assert "best is damaged (cut off)" in said
    assert "step-0000004" in said
