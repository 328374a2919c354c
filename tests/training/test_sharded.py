"""`accelerate launch --use_fsdp` shards what replicas would repeat, and trains to the same result.

Two processes over gloo against one that accumulates the same two halves. The loss of the first step is the same sum;
from then on gradients are clipped by a norm that is summed slice by slice, so that the last digits move: RTOL.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lora_demo.training import results
from lora_demo.training.engine import checkpoint
from lora_demo.training.preparation import preflight
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe_files import RecipeError
from lora_demo.training.run import run
from tests.training.launched import SETTINGS, SHARDS, curve, python, train
from tests.training.sharded_worker import AGAIN

RTOL = 2e-5
WORKER = str(Path(__file__).parent / "sharded_worker.py")
EACH = {
    "nano-full-b": ["checkpointing=true", "loss_chunk=7"],
    **{f"nano-{name}": [] for name in ("dora", "adapter", "prefix", "prompt", "layernorm", "qlora")},
}
"""Embedding and projectors trained, weights read by the adapter, parameters outside of layers, a packed base."""


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sharded")
    recipes = {name: [*SETTINGS, *more] for name, more in EACH.items()}
    python(*SHARDS, WORKER, str(root), json.dumps(recipes))
    return root


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", EACH)
def test_sharded_training_is_training(name, sharded, tmp_path):
    recipe = recipe_files.load(name, [*SETTINGS, *EACH[name], "micro_batch=3"])
    a_move = recipe.optimizer.lr  # What Adam moves a weight in one step, at most.
    whole = run(recipe, tmp_path / "one")
    ours, theirs = (
        torch.tensor([entry[1:] for entry in curve(folder)]) for folder in (sharded / name, tmp_path / "one")
    )
    torch.testing.assert_close(ours, theirs, rtol=RTOL, atol=0)
    summary = json.loads((sharded / name / "summary.json").read_text())
    assert (summary["trainable"], summary["total"]) == (whole.trainable, whole.total)
    loaded, kept = results.load(sharded / name).state_dict(), results.load(tmp_path / "one").state_dict()
    assert loaded.keys() == kept.keys()
    for key in loaded:
        torch.testing.assert_close(loaded[key], kept[key], rtol=0, atol=a_move / 30, msg=key)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", EACH)
def test_each_process_holds_half(name, sharded):
    (first, total), (second, same) = (json.loads((sharded / f"held-{rank}.json").read_text())[name] for rank in (0, 1))
    assert first + second == total == same
    assert first <= 0.51 * total


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", EACH)
def test_a_sharded_run_goes_on_from_its_checkpoint_bit_for_bit(name, sharded):
    again = sharded / f"{name}{AGAIN}"
    assert curve(again) == curve(sharded / name)
    ours, theirs = (load_file(f / "checkpoints" / "step-0000004" / checkpoint.TRAINED) for f in (again, sharded / name))
    assert all(torch.equal(ours[key], theirs[key]) for key in {*ours, *theirs})


@pytest.mark.timeout(600)
def test_replicas_do_not_go_on_from_shards(sharded, tmp_path):
    recipe = recipe_files.load("nano-dora", [*SETTINGS])
    with pytest.raises(checkpoint.CheckpointError, match=r"written by a run with .*--use_fsdp.*resume it the same way"):
        run(recipe, sharded / "nano-dora", resume=True)


@pytest.mark.timeout(600)
def test_the_command_shards_when_the_launcher_says_so(tmp_path):
    found = train(tmp_path / "two", launcher=SHARDS)
    expected = run(recipe_files.load("nano-lora-b", [*SETTINGS, "micro_batch=3"]), tmp_path / "one").summary()
    assert found["loss"] == pytest.approx(expected["loss"], rel=RTOL)
    assert found["validation"]["accuracy"] == expected["validation"]["accuracy"]
    # The optimizer's state names parameters only where it was gathered from slices.
    state = torch.load(tmp_path / "two" / "checkpoints" / "step-0000004" / "state" / "optimizer.bin", weights_only=True)
    assert all(isinstance(name, str) for name in state["state"])


@pytest.mark.parametrize(
    ("name", "setting", "reason"),
    [
        ("nano-adalora", "steps=4", "adaptive_rank weighs singular values"),
        ("nano-lora-b", "optimizer.implementation=adamw8bit", "adamw8bit scales blocks"),
        ("nano-lora-b", "model.nf4=bitsandbytes", "nf4 bitsandbytes packs whole layers"),
        ("nano-towers", "steps=4", "towers trains what sharding leaves whole"),
    ],
)
def test_what_needs_whole_tensors_is_refused_before_loading(name, setting, reason):
    with pytest.raises(RecipeError, match=f"{reason}.*--multi_gpu"):
        preflight.check(recipe_files.load(name, [setting]), cuda=False, processes=2, sharded=True)
