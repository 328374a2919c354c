"""A run that does not fit: one message with what was being allocated, the peak, and the way that `plan` knows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import advice as advising
from lora_demo.commands.advice import SWITCHES, advice
from lora_demo.memory.cards import CARDS, card
from lora_demo.memory.plan import METHODS, ladder
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.results.units import GIB
from lora_demo.training.engine.accelerated import AcceleratedEngine
from lora_demo.training.measurement import device_cap
from lora_demo.training.recipes import recipe_files

CLI = CliRunner()
TINY = ("steps=1", "batch=2", "data.images=4", "data.questions=1", "evaluation.rows=2", "threads=1")
MADE_UP = ["data={kind: synthetic, length: 2048, supervised: 64}", "model.weights=random"]
REFUSAL = "CUDA out of memory. Tried to allocate 1.95 GiB. GPU 0 has a total capacity of 44.31 GiB"


def test_the_command_says_what_where_and_what_next(tmp_path, monkeypatch):
    def refuse(self, loss):
        self.doing = "backward pass"
        raise torch.OutOfMemoryError(REFUSAL)

    monkeypatch.setattr(AcceleratedEngine, "backward", refuse)
    options = [part for setting in TINY for part in ("--set", setting)]
    done = CLI.invoke(app, ["train", "nano-lora", *options, "--out", str(tmp_path / "run")])
    said = " ".join(done.stderr.split())
    assert done.exit_code == 1
    assert "out of memory in the backward pass of step 1: 1.95 GiB were asked for" in said
    assert "Set checkpointing=true, then lower the rows" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["mgm-2b-full-bf16-foreach", "mgm-2b-lora-r16-all", "mgm-2b-qlora"])
def test_advice_names_the_same_method_where_it_fits(name):
    said = advice(recipe_files.load(name, MADE_UP), "rtx4090")
    assert "`lora-demo plan --model mgm-2b --gpu rtx4090 --seq 2048` suggests: " in said
    method = {"mgm-2b-full-bf16-foreach": "full", "mgm-2b-lora-r16-all": "LoRA r=16", "mgm-2b-qlora": "QLoRA"}[name]
    assert f"suggests: {method}" in said
    assert "GiB at batch 1" in said


def test_advice_is_the_same_sum_as_plan_and_fits():
    recipe = recipe_files.load("mgm-2b-full-mixed", MADE_UP)
    found = advising.proposals(advising.decoder("mgm-2b"), card("8gb"), 2048, 64)
    fitting = [one for one in found if one.fits]
    said = advice(recipe, "8gb")
    if fitting:
        assert fitting[0].needs <= card("8gb").budget
        assert fitting[0].method in said
    else:
        assert "finds no way that fits" in said


def test_advice_promises_no_row_that_the_model_would_cut():
    assert "or one of 2048 positions" in advice(recipe_files.load("mgm-2b-lora-r16-all", MADE_UP), "h200")


def test_a_model_without_a_formula_gets_the_general_order(monkeypatch):
    def refuse(*_: object) -> None:
        raise BuildError("no such decoder")

    monkeypatch.setattr(advising, "decoder", refuse)
    assert advice(recipe_files.load("mgm-2b-full-bf16", MADE_UP), "rtx4090").startswith("Set checkpointing=true")


def test_every_rung_of_the_ladder_has_its_switch():
    rungs = {rung for start in METHODS.values() for taken, _ in ladder(start, 64) for rung in taken}
    assert rungs == set(SWITCHES)
    for switch in SWITCHES.values():
        recipe_files.load("mgm-2b-lora-r16-all", [*MADE_UP, switch])


def test_without_a_cap_the_gpu_at_hand_is_asked_about(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Some card")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: SimpleNamespace(total_memory=24 * GIB))
    said = advice(recipe_files.load("mgm-2b-full-mixed", MADE_UP), None)
    assert "--gpu CARD" in said
    assert "suggests" in said


def test_the_cap_is_the_cards_budget(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr("lora_demo.commands.train.cap_memory", lambda limit, name: asked.update({name: limit}))
    options = [part for setting in (*TINY, "method.r=9999") for part in ("--set", setting)]
    CLI.invoke(app, ["train", "nano-lora", *options, "--out", str(tmp_path / "run"), "--as-gpu", "rtx4090"])
    assert asked == {"rtx4090": CARDS["rtx4090"].visible - CARDS["rtx4090"].context}
    assert device_cap.own_device() == torch.device("cuda", 0)
