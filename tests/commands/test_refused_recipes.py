"""Everything that `lora-demo train` refuses before a weight is read: exit status 2, the thing, the place, the fix."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.models import shipped, weights
from lora_demo.training.preparation import prepare
from lora_demo.training.preparation.prepare import nano_set
from tests.data import gemma_like

CLI = CliRunner()
MADE_UP = ("data={kind: synthetic, length: 704, supervised: 64}", "model.weights=random")
REFUSALS = {
    "prefix with checkpointing": (
        "mgm-2b-prefix",
        (*MADE_UP, "checkpointing=true"),
        "cache of keys and values.*set checkpointing to false",
    ),
    "BitFit on Gemma": ("mgm-2b-bitfit", MADE_UP, "has no biases.*use LoRA or IA3 instead"),
    "BitFit on Gemma, before anything is fetched for it": ("mgm-2b-bitfit", (), "has no biases.*use LoRA or IA3"),
    "BitFit on nano's Gemma": ("nano-bitfit", ("model.attention_bias=false",), "has no biases"),
    "a tower as target": (
        "mgm-2b-lora-r16-all",
        (*MADE_UP, "method.targets=[vision_tower.vision_model.encoder.layers.0.self_attn.q_proj]"),
        "names a vision tower.*both towers stay frozen",
    ),
    "a target that hits nothing": ("mgm-2b-lora-r16-all", (*MADE_UP, "method.targets=[q_prj]"), "near names.*q_proj"),
    "a rank above the width": ("mgm-2b-lora-r16-all", (*MADE_UP, "method.r=4096"), "r=4096"),
    "chunked loss beside all logits": (
        "mgm-2b-lora-12gb",
        (*MADE_UP, "supervised_only=false"),
        "loss_chunk for none; set one of them",
    ),
    "full fine-tuning of a packed base": ("mgm-2b-full-bf16", (*MADE_UP, "model.nf4=own"), "packs for good"),
    "qlora on a packed base": ("nano-qlora", ("model.nf4=own",), "packs the base itself"),
    "DoRA on bitsandbytes": ("mgm-2b-dora", (*MADE_UP, "model.nf4=bitsandbytes"), "set model.nf4 to own"),
    "a paged optimizer without a GPU": ("mgm-2b-qlora", MADE_UP, "nothing to page; take adamw8bit"),
    "a checkpoint that is not there": ("mgm-2b-lora-r16-all", (), "model_zoo/MGM-2B: no such directory"),
    "a row longer than the model takes": (
        "mgm-2b-lora-r16-all",
        (*MADE_UP, "data.length=4096"),
        r"data\.length 4096: mgm-2b takes",
    ),
    "bitsandbytes without a GPU": (
        "nano-lora",
        ("model.nf4=bitsandbytes",),
        r"recipe nano-lora: model\.nf4=bitsandbytes computes on a GPU.*set model\.nf4=own",
    ),
    "a rank that is a word": ("nano-lora", ("method.r=abc",), r"nano-lora.*: method\.r=abc: expected a whole number"),
    "a rank of zero": ("nano-lora", ("method.r=0",), "r=0"),
    "too many threads": ("nano-lora", ("threads=100000",), "threads: .*1024"),
    "a parent given by --set": ("nano-lora", ("extends=nano-full",), "extends=nano-full.*stands in its file"),
    "a name that is a path": ("nano-lora", ("name=../../elsewhere",), "name: .*can be no path; .*--out"),
    "a rank without end": ("nano-adalora", ("adaptive_rank.final_rank=.inf",), "adaptive_rank.final_rank: .*finite"),
    "an unknown card": ("nano-lora", (), "no card 'rtx4900'; near names: rtx4090", "--as-gpu", "rtx4900"),
    "a cap without a GPU": ("nano-lora", (), "no CUDA GPU here", "--as-gpu", "rtx4090"),
}


@pytest.fixture(autouse=True)
def _no_weight_is_read(monkeypatch):
    def read(*_: object, **__: object) -> None:
        raise AssertionError("weights were touched before the refusal")

    monkeypatch.setattr(weights, "load", read)
    monkeypatch.setattr(shipped, "load_nano", read)
    monkeypatch.setattr(prepare, "materialise", read)


def refused(recipe: str, settings: tuple[str, ...], out: Path, *more: str) -> str:
    options = [part for setting in settings for part in ("--set", setting)]
    result = CLI.invoke(app, ["train", recipe, *options, "--out", str(out), *more])
    assert result.exit_code == 2, result.output
    assert not out.exists(), "a refusal leaves no folder behind"
    return " ".join(result.stderr.split())


@pytest.mark.parametrize("case", REFUSALS)
def test_a_recipe_is_refused_before_anything_is_loaded(case, tmp_path):
    recipe, settings, words, *more = REFUSALS[case]
    assert re.search(words, refused(recipe, settings, tmp_path / "run", *more))


@pytest.fixture
def folder_data(tmp_path) -> tuple[str, ...]:
    file = nano_set("train", "a", images=3, questions=1).export(tmp_path / "data")
    return ("cache_features=false", f"data={{kind: folder, file: '{file}', images: '{file.parent / 'images'}'}}")


def test_a_tokenizer_of_another_model_is_refused(tmp_path, folder_data):
    other = gemma_like.save(tmp_path / "tokenizer")
    settings = (*folder_data, "model.weights=random", f"model.tokenizer={other}")
    said = refused("mgm-2b-lora-r16-all", settings, tmp_path / "run")
    assert re.search(r"has \d+ ids, the model's embedding 256000 rows: .*belongs to the checkpoint", said)


def test_data_is_checked_before_the_weights(tmp_path, folder_data):
    picture = next((tmp_path / "data").rglob("images/*"))
    picture.unlink()
    said = refused("nano-lora", folder_data, tmp_path / "run")
    assert "not started" in said
    assert picture.name in said


def test_a_picture_that_is_cut_off_is_found_before_the_weights(tmp_path, folder_data):
    picture = next((tmp_path / "data").rglob("images/*"))
    picture.write_bytes(picture.read_bytes()[:-200])
    said = refused("nano-lora", folder_data, tmp_path / "run")
    assert re.search(rf"image \[.*\]: .*{picture.name}: the picture is damaged or cut off", said)


def test_an_answer_that_would_be_cut_away_is_found_before_the_weights(tmp_path, folder_data):
    file = next((tmp_path / "data").glob("*.json"))
    items = json.loads(file.read_text())
    items[2]["conversations"][0]["value"] += " and" * 300
    file.write_text(json.dumps(items))
    said = refused("nano-lora", folder_data, tmp_path / "run")
    assert re.search(r"item 2 .*conversations: \d+ positions, 256 allowed; 0 of \d+ answer tokens remain", said)


def test_a_data_file_that_is_not_there_is_named(tmp_path):
    data = f"data={{kind: folder, file: absent.json, images: '{tmp_path}'}}"
    said = refused("nano-lora", ("cache_features=false", data), tmp_path / "run")
    assert "data file absent.json: not there; name yours" in said
