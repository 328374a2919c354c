"""The plan: the tested replacement for choosing a rank by memory."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from lora_demo.commands import plan as command
from lora_demo.memory.cards import CARDS, card
from lora_demo.memory.formula.closed_form import Dimensions, Request, estimate, model_dimensions
from lora_demo.memory.plan import METHODS, Proposal, ladder, proposals, reserved
from tests.memory.peft_kinds import SMALL
from tests.unchecked import unchecked

MGM = model_dimensions("mgm-2b")


def ask(gpu: str, model: Dimensions = MGM, length: int = 1024) -> list[Proposal]:
    return proposals(model, card(gpu), length, supervised=64)


@pytest.mark.parametrize("gpu", ["6gb", "8gb", "16gb", "rtx4090", "a100-80gb"])
def test_batch_and_length_are_the_largest_that_fit(gpu: str) -> None:
    budget = card(gpu).budget
    fitting = [one for one in ask(gpu) if one.fits]
    assert fitting
    for one in fitting:
        assert reserved(MGM, one.request) == one.needs <= budget
        assert reserved(MGM, replace(one.request, batch=one.batch)) <= budget
        assert reserved(MGM, replace(one.request, batch=one.batch + 1)) > budget
        assert reserved(MGM, replace(one.request, length=one.length)) <= budget
        assert reserved(MGM, replace(one.request, length=one.length + 1)) > budget


def test_no_cheaper_rung_would_have_done() -> None:
    for one in ask("rtx4090") + ask("8gb"):
        start = replace(METHODS[one.method], length=1024)
        rungs = dict(ladder(start, 64))
        assert one.savers in rungs
        cheaper = [request for savers, request in rungs.items() if len(savers) < len(one.savers)]
        budget = card("rtx4090" if one in ask("rtx4090") else "8gb").budget
        assert all(reserved(MGM, request) > budget for request in cheaper)


def test_each_rung_saves_or_costs_nothing() -> None:
    for start in METHODS.values():
        peaks = [estimate(MGM, replace(request, length=2048)).peak for _, request in ladder(start, 64)]
        assert all(later <= earlier for earlier, later in pairwise(peaks)), start


def test_what_fits_stands_first_and_strongest_first() -> None:
    names = list(METHODS)
    for gpu in CARDS:
        found = ask(gpu)
        assert {one.method for one in found} == set(names)
        fits = [one.fits for one in found]
        assert fits == sorted(fits, reverse=True)
        fitting = [names.index(one.method) for one in found if one.fits]
        assert fitting == sorted(fitting)
        lacking = [one.needs for one in found if not one.fits]
        assert lacking == sorted(lacking)


def test_memory_does_not_choose_the_rank() -> None:
    """The notes' function gave r=8 below 16 GB and r=32 above 20: both fit from 12 GB on."""
    for gpu in ("12gb", "16gb", "rtx4090"):
        budget = card(gpu).budget
        lean = Request(checkpointing=True, supervised=64, optimizer="fused", length=1024)
        assert all(reserved(MGM, replace(lean, rank=rank)) <= budget for rank in (8, 32))


@pytest.mark.parametrize(("model", "longest"), [("mgm-2b", 2048), ("mgm-nano", 256)])
def test_no_row_is_longer_than_the_model_takes(model: str, longest: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(model, "h200", None, 64, trace=False, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)["proposals"]
    assert max(one["length"] for one in found) == longest


def test_a_card_too_small_is_told_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("llama-3.1-8b", "6gb", 4096, 64, trace=False, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert all(not one["fits"] and "it lacks" in one["reason"] for one in told["proposals"])


def test_the_first_proposal_is_confirmed_by_a_trace() -> None:
    told = json.loads(unchecked(printed_plan, "mgm-2b", "8gb", 700, 32))
    first = told["proposals"][0]
    assert first["fits"]
    assert first["reason"].endswith("at batch 1")
    assert told["first_traced"] <= told["budget"]
    # The allowance covers what the allocator really reserved, and is no more than a quarter above it.
    assert told["first_traced"] <= first["needs"] <= 1.25 * told["first_traced"]


def printed_plan(model: str, gpu: str, length: int, supervised: int) -> str:
    """What the command prints as JSON, its first proposal traced."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert command.run(model, gpu, length, supervised, trace=True, as_json=True) == 0
    return printed.getvalue()


@pytest.mark.parametrize(
    ("model", "gpu", "length", "supervised", "said"),
    [
        ("mgm-2c", "8gb", 1024, 64, "mgm-2b"),
        ("mgm-2b", "rtx4091", 1024, 64, "rtx4090"),
        ("mgm-2b", "8gb", 64, 64, "--seq 64 must be longer than --supervised 64"),
        ("mgm-2b", "8gb", 500, 64, "576"),
        ("mgm-2b", "a100-80gb", 2049, 64, "--seq 2049: mgm-2b cuts rows at 2048 positions"),
        ("", "8gb", 1024, 64, "nor a folder with config.json"),
        ("m" * 5000, "8gb", 1024, 64, "nor a folder with config.json"),
    ],
)
def test_bad_input_is_named(
    model: str, gpu: str, length: int, supervised: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(model, gpu, length, supervised, trace=False, as_json=False) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"model_type": "qwen3"}, "model_type 'qwen3' is not in the closed form"),
        ({"model_type": "llama", "hidden_size": 64}, "lacks num_hidden_layers, intermediate_size"),
        ({**SMALL, "hidden_size": 130}, "hidden_size 130 must be a multiple of num_attention_heads 4"),
        ({**SMALL, "intermediate_size": [64, 128]}, "intermediate_size differs from layer to layer"),
    ],
)
def test_a_config_that_does_not_do_is_told_why(
    content: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
    assert command.run(str(tmp_path), "8gb", 1024, 64, trace=False, as_json=False) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
