"""`accelerate launch` with two CPU processes gives the single process's run.

With loss = Σ over rows / terms, each of P processes divides by terms / P and DDP averages over P: the exact sum again.
For P = 2 both factors are powers of two, so that nothing is rounded, and a sum of two parts does not depend on their
order. Two processes therefore equal one process that accumulates the same two halves, bit for bit. Against the batch
in one piece only the order of summation differs: RTOL, as for any other cut of a batch.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType

from lora_demo.training.engine import checkpoint, sharded
from lora_demo.training.engine.stopped import TrainingStopped
from lora_demo.training.preparation import preflight
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe_files import RecipeError
from lora_demo.training.run import _require_rows, run
from tests.training.launched import ENVIRONMENT, REPLICAS, SETTINGS, curve, train

RTOL = 2e-5


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load_file(folder / "checkpoints" / "step-0000004" / checkpoint.TRAINED)


@pytest.mark.timeout(600)
def test_two_processes_give_the_loss_of_one(tmp_path):
    halves, whole, two = (tmp_path / name for name in ("halves", "whole", "two"))
    expected = train(halves, "micro_batch=3")
    train(whole)
    found = train(two, launcher=REPLICAS)
    assert len(list((two / "checkpoints" / "step-0000004" / "state").glob("random_states_*"))) == 2
    assert curve(two) == curve(halves)
    assert {key: found[key] for key in ("steps", "loss", "validation")} == {
        key: expected[key] for key in ("steps", "loss", "validation")
    }
    ours, theirs = weights(two), weights(halves)
    assert all(torch.equal(ours[name], theirs[name]) for name in {*ours, *theirs})
    losses, uncut = (torch.tensor([loss for _, loss, _ in curve(folder)]) for folder in (two, whole))
    torch.testing.assert_close(losses, uncut, rtol=RTOL, atol=0)
    assert checkpoint.damage(two / "checkpoints" / "step-0000004") is None


def test_a_launcher_with_a_step_of_its_own_is_refused_before_loading(tmp_path, monkeypatch):
    monkeypatch.setattr(Accelerator, "distributed_type", property(lambda self: DistributedType.DEEPSPEED))
    with pytest.raises(TrainingStopped, match=r"launched with DEEPSPEED.*--multi_gpu.*--use_fsdp"):
        run(recipe_files.load("nano-lora-b", SETTINGS), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_processes_than_rows_are_refused():
    with pytest.raises(RecipeError, match="batch 6 leaves some of 8 processes without a row"):
        preflight.check(recipe_files.load("nano-lora-b", SETTINGS), cuda=False, processes=8)


def test_fewer_rows_than_processes_are_refused_instead_of_waiting_for_ever():
    with pytest.raises(RecipeError, match="1 training rows for 2 processes"):
        _require_rows(recipe_files.load("nano-lora-b", SETTINGS), 1, 2)


DYING_PEER = """
import os, signal, sys
from lora_demo.__main__ import app
from lora_demo.training import loop

real, calls = loop.step, []

def dying(*args, **kwargs):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

loop.step = dying
app(sys.argv[1:])
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shards", ["false", "true"])
def test_a_lost_peer_is_named_and_the_last_checkpoint_stays(tmp_path, shards):
    """Two processes as on two machines, where no launcher ends the other one."""
    words = [word for setting in (*SETTINGS, "steps=40") for word in ("--set", setting)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = ENVIRONMENT | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {sharded.SWITCH: shards}
    processes = [
        subprocess.Popen(
            [sys.executable, *program, "train", "nano-lora-b", *words, "--out", str(tmp_path / "run")],
            stderr=subprocess.PIPE,
            text=True,
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank, program in enumerate((["-m", "lora_demo"], ["-c", DYING_PEER]))
    ]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [1, -signal.SIGKILL], said
    assert "another process of this run is gone" in said[0]
    assert "Traceback" not in said[0]
    kept = checkpoint.newest(tmp_path / "run" / "checkpoints")
    assert kept is not None
    assert kept.name == "step-0000002"
    assert checkpoint.damage(kept) is None
