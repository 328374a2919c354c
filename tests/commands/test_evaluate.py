"""`lora-demo evaluate`: rows in numbers, an earlier evaluation beside them, and clear words about what does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import evaluate as command
from lora_demo.models import shipped
from lora_demo.training.evaluation import Evaluation

CLI = CliRunner()
BEFORE = {"file": "data.json", "model": "nano", "loss": 1.5, "accuracy": 0.5, "by_group": {"all": 0.5}, "rows": 2}


def item(name: str, question: str = "Sure?", answer: str = "yes") -> dict:
    said = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": name, "conversations": said}


def evaluate(folder: Path, items: list[dict], *options: str):
    (folder / "data.json").write_text(json.dumps(items), encoding="utf-8")
    return CLI.invoke(app, ["evaluate", str(folder / "data.json"), "--images", str(folder), *options])


def refused(done) -> str:
    assert done.exit_code == 2
    assert isinstance(done.exception, SystemExit)
    return done.stderr


def test_a_baseline_stands_in_the_json(tmp_path):
    items = [item("a"), item("b")]
    first = evaluate(tmp_path, items, "--json")
    (tmp_path / "before.json").write_text(first.stdout, encoding="utf-8")
    found = json.loads(evaluate(tmp_path, items, "--json", "--baseline", str(tmp_path / "before.json")).stdout)
    values = json.loads(first.stdout)
    assert found.pop("before") == {
        **{key: values[key] for key in ("file", "rows", "loss", "accuracy")},
        "compares": True,
    }
    assert found == values
    (tmp_path / "before.json").write_text(json.dumps(BEFORE), encoding="utf-8")
    found = json.loads(evaluate(tmp_path, items, "--json", "--baseline", str(tmp_path / "before.json")).stdout)
    assert found["before"]["compares"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"rows": -1},
        {"rows": 0},
        {"rows": True},
        {"rows": 1.5},
        {"rows": float("inf")},
        {"accuracy": 55},
        {"accuracy": -0.1},
        {"accuracy": float("nan")},
        {"accuracy": "1"},
        {"loss": float("nan")},
        {"loss": float("inf")},
        {"loss": -1},
        {"loss": None},
        {"file": ["x"]},
    ],
    ids=str,
)
def test_a_baseline_of_nonsense_is_refused_with_the_value(tmp_path, change):
    (tmp_path / "before.json").write_text(json.dumps(BEFORE | change), encoding="utf-8")
    said = refused(evaluate(tmp_path, [item("a")], "--baseline", str(tmp_path / "before.json")))
    (key,) = change
    assert f"not an evaluation printed with --json: {key} must be " in said


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 100_000, '{"file": ' + "9" * 5000 + "}"])
def test_a_baseline_that_is_no_evaluation_is_refused(tmp_path, content):
    (tmp_path / "before.json").write_text(content, encoding="utf-8")
    said = refused(evaluate(tmp_path, [item("a")], "--baseline", str(tmp_path / "before.json")))
    assert "not an evaluation printed with --json" in said


def test_rows_that_are_cut_are_counted_and_told(tmp_path):
    items = [item("short"), item("long", answer="7" * 600)]
    done = evaluate(tmp_path, items, "--json")
    assert json.loads(done.stdout)["cut"] == 1
    assert "1 of 2 conversations are longer than the model's 256 positions and are cut there" in done.stderr
    assert "item 1 (id long)" in done.stderr
    first = evaluate(tmp_path, items, "--json", "--rows", "1")
    assert (json.loads(first.stdout)["cut"], "longer" in first.stderr) == (0, False)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (item("long", question="x " * 400), "nothing-left"),
        (item("half", question="\ud800"), "not-text"),
    ],
)
def test_items_that_cannot_be_judged_are_refused_and_named(tmp_path, bad, words):
    said = refused(evaluate(tmp_path, [item("a"), bad]))
    assert words in said
    assert f"item 1 (id {bad['id']})" in said


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_refused(tmp_path, monkeypatch, loss):
    monkeypatch.setattr(command, "evaluate", lambda *_, **__: Evaluation(loss, 0.5, {"all": 0.5}, 1))
    done = evaluate(tmp_path, [item("a")], "--json")
    assert f"nano: the loss is {loss}" in refused(done)
    assert f"the loss is {loss}" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize(
    "options",
    [("--model", "absent"), ("--model", "x" * 5000), ("--tokenizer", "absent"), ("--baseline", "x" * 5000)],
    ids=["model", "long model", "tokenizer", "long baseline"],
)
def test_refusals_are_json_where_json_was_asked_for(tmp_path, options):
    done = evaluate(tmp_path, [item("a")], *options, "--json")
    assert json.loads(done.stdout)["error"] in refused(done)


def test_an_adapter_that_fits_nothing_is_not_answered_by_its_base(tmp_path):
    shutil.copytree(shipped.FOLDER, tmp_path / "model")
    settings = {"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}
    (tmp_path / "model" / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    save_file({"x": torch.zeros(3)}, tmp_path / "model" / "adapter_model.safetensors")
    said = refused(evaluate(tmp_path, [item("a")], "--model", str(tmp_path / "model")))
    assert "adapter_model.safetensors: lacks base_model.model.model.layers.0." in said
