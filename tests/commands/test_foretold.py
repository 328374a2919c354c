"""A full-size run on a CPU is announced before it starts, and refused where weights and optimizer cannot fit."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import foretold
from lora_demo.results.units import GIB
from lora_demo.training.measurement.forecast import Forecast
from lora_demo.training.recipes import recipe_files

CLI = CliRunner()
FOUND = Forecast(operations=6e12, seconds=480.0, least=6 * GIB, peak=9 * GIB)


def test_too_little_memory_is_refused_before_a_weight_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(foretold, "host_memory", lambda: 4 * GIB)
    done = CLI.invoke(app, ["train", "mgm-2b-lora-cpu", "--out", str(tmp_path / "run")])
    said = " ".join(done.stderr.split())
    assert done.exit_code == 1
    assert "on this CPU about" in said
    assert "not started: weights and optimizer alone take 6." in said
    assert "4.0 GiB are free on this host" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("free", "words"), [(12 * GIB, "12.0 GiB are free: fits"), (7 * GIB, "may not fit: the system may end")]
)
def test_what_is_said(free, words):
    said = foretold.told(FOUND, free, steps=100)
    assert "about 8 min per step, 13 h for all 100; about 9.0 GiB of host memory" in said
    assert words in said


def test_small_models_and_gpus_are_left_alone(monkeypatch):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("no forecast was needed")

    monkeypatch.setattr(foretold, "forecast", never)
    foretold.foretell(recipe_files.load("nano-lora"), Console())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    foretold.foretell(recipe_files.load("mgm-2b-lora-cpu"), Console())


@pytest.mark.parametrize(
    ("name", "remedies"),
    [
        ("mgm-2b-lora-cpu", "close other programs, take model.nf4=own, or choose a method that trains less"),
        ("mgm-2b-full-bf16", "close other programs, or choose a method that trains less"),
        ("mgm-2b-full-mixed", "close other programs, take model.dtype=bfloat16, or choose a method that trains less"),
    ],
)
def test_only_what_the_recipe_can_take_is_proposed(name, remedies):
    assert foretold.remedies(recipe_files.load(name)) == remedies
