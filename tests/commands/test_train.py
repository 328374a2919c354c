"""`lora-demo train`: exit status and words for what is fine, what stops, and what is wrong."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.lab import nano_evidence
from lora_demo.training.preparation.prepare import nano_set
from lora_demo.training.recipes import recipe_files
from tests.commands.conftest import TEST_IMAGES

CLI = CliRunner()
TINY = ("steps=2", "batch=2", "data.images=4", "data.questions=1", "evaluation.rows=2", "threads=1")


def train(recipe: str, *settings: str, out, more: tuple[str, ...] = ()):
    options = [part for setting in settings for part in ("--set", setting)]
    return CLI.invoke(app, ["train", recipe, *options, "--out", str(out), *more])


def test_a_run_reports_its_numbers(tmp_path):
    done = train("nano-lora", *TINY, out=tmp_path / "run", more=("--json",))
    assert done.exit_code == 0
    summary = json.loads(done.stdout)
    assert summary["steps"] == 2
    assert summary["validation"]["rows"] == 2
    assert 0 < summary["trainable"] < summary["total"]
    assert summary["test"]["rows"] == TEST_IMAGES * nano_evidence.TEST_QUESTIONS
    repeated = train("nano-lora", *TINY, out=tmp_path / "repeated", more=("--json",))
    assert json.loads(repeated.stdout)["test"] == summary["test"]
    again = train("nano-lora", *TINY, out=tmp_path / "run")
    assert again.exit_code == 1
    assert "--resume" in again.stderr


def test_a_log_file_gets_lines_instead_of_a_bar(tmp_path):
    patient = ("steps=4", "optimizer.lr=1e-12", "evaluation.every=1", "evaluation.patience=1")
    done = train("nano-lora", *TINY, *patient, out=tmp_path / "run")
    lines = done.stderr.splitlines()
    assert re.match(r"nano-lora: step 1 of 4, loss \d+\.\d{3}, [\d,]+ tokens/s, \d+\.\d\d GiB, about", lines[0])
    assert sum("answers right" in line for line in lines) == 2
    assert lines[-1].startswith("stopped early: no better accuracy in 1 evaluations")
    assert re.search(r"right answers, test: \d+\.\d% of 20 \(", done.stdout)


def test_the_list_names_every_recipe():
    listed = CLI.invoke(app, ["train", "list"]).stdout.splitlines()
    assert [line.split()[0] for line in listed] == recipe_files.shipped()


@pytest.mark.parametrize(
    ("recipe", "setting", "words"),
    [
        ("nano-lor", "steps=1", "did you mean nano-lora"),
        ("nano-lora", "stepz=1", "did you mean 'steps'"),
        ("nano-lora", "method.r=4096", "r=4096"),
        ("nano-lora", "method.targets=[w_proj]", "w_proj"),
        ("nano-lora", "model.weights=absent", "absent: no such directory"),
    ],
)
def test_wrong_input_is_named(recipe, setting, words, tmp_path):
    result = train(recipe, *TINY, setting, out=tmp_path / "run")
    assert result.exit_code == 2
    assert words in result.stderr


def test_real_data_trains_through_the_same_loop_and_broken_data_is_refused(tmp_path):
    data = nano_set("train", "a", images=4, questions=1)
    file = data.export(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text(
        "extends: nano-lora\nabout: A folder.\ncache_features: false\nsteps: 2\nbatch: 2\n"
        f"data: {{kind: folder, file: '{file}', images: '{file.parent / 'images'}'}}\n"
    )
    done = train(str(tmp_path / "mine.yaml"), out=tmp_path / "run", more=("--json",))
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["validation"] is None
    next((file.parent / "images").iterdir()).unlink()
    refused = train(str(tmp_path / "mine.yaml"), out=tmp_path / "again")
    assert refused.exit_code == 2
    assert "not started" in refused.stderr


def test_what_will_be_cut_is_told(tmp_path):
    file = nano_set("train", "a", images=2, questions=1).export(tmp_path / "data")
    items = json.loads(file.read_text())
    items[1]["conversations"][1]["value"] = "nine " * 300
    file.write_text(json.dumps(items))
    data = f"data={{kind: folder, file: '{file}', images: '{file.parent / 'images'}'}}"
    done = train("nano-lora", "cache_features=false", data, "steps=1", "batch=2", out=tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    words = r"1 of the conversations in use are too long and will be cut, the first: warning: item 1 .*, 256 allowed"
    assert re.search(words, done.stderr)
