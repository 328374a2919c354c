"""`lora-demo ask`: answers from the shipped model, from a run, and clear words about what cannot be used."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.data import labels, template, tokenizer
from lora_demo.data.nano_questions import candidates
from lora_demo.models import shipped
from lora_demo.models.presets import MGM_NANO
from lora_demo.training.recipes import recipe_files
from lora_demo.training.run import run

CLI = CliRunner()


def ask(*arguments: str):
    return CLI.invoke(app, ["ask", *arguments])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory):
    """The sample picture and what stands in its cells."""
    path = tmp_path_factory.mktemp("ask") / "sample.png"
    shown = ask("--sample", str(path), "--json")
    assert shown.exit_code == 0
    cells = [cell for row in json.loads(shown.stdout)["cells"] for cell in row]
    return path, [-1 if cell == "-" else int(cell) for cell in cells]


def test_nano_answers_most_questions_about_the_sample(sample):
    path, cells = sample
    asked = [question for question in candidates(cells, "a") if question.kind in ("count", "largest", "present")]
    answers = [ask("--image", str(path), "--question", question.text).stdout.strip() for question in asked[::3]]
    right = [given == question.answer for given, question in zip(answers, asked[::3], strict=True)]
    assert sum(right) >= len(right) - 1


def test_the_answer_as_json(sample):
    found = json.loads(ask("--image", str(sample[0]), "--question", "How many digits are there?", "--json").stdout)
    assert found["complete"] is True
    assert found["text"].isdigit()
    assert found["tokens"] >= 2


def test_a_checkpoint_folder_and_a_run_folder_answer_too(sample, tmp_path):
    tiny = ["steps=1", "batch=2", "data.images=4", "data.questions=1", "evaluation.rows=2", "threads=1"]
    run(recipe_files.load("nano-lora", [*tiny, "optimizer.lr=1e-9"]), tmp_path / "run")
    question = ("--image", str(sample[0]), "--question", "Which digit is the largest?")
    models = ("nano", str(shipped.FOLDER), str(tmp_path / "run"))
    answers = {ask(*question, "--model", model).stdout for model in models}
    assert len(answers) == 1
    assert answers.pop().strip().isdigit()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--image", "absent.png", "--question", "What?"], "absent.png: no such file"),
        (["--question", "  "], "the question is empty"),
        (["--question", "What?", "--model", "absent"], "absent: no such folder"),
        (["--sample", "sample.jpg"], "ending in .png"),
        (["--question", "Is <eos> there?"], "<eos>"),
        (["--question", "What is on <image>?"], "there is no picture; give one with --image"),
        (["--question", "<image>", "--image", "absent.png"], "the question is empty"),
        (["--sample", "/absent/sample.png"], "--sample /absent/sample.png: cannot be written"),
        (["--question", "What?", "--tokenizer", "absent", "--model", str(shipped.FOLDER)], "absent: no such folder"),
        (["--question", "What?", "--tokenizer", "absent"], "absent: no such folder"),
        (["--question", "What?", "--model", ""], "--model is empty"),
        (["--question", "What?", "--model", "x" * 5000], "File name too long"),
        (["--question", "What?", "--image", "x" * 5000], "cannot be reached: File name too long"),
        (["--question", "\udcff\udcfe"], "the question is not text"),
        (["--question", "x " * 400 + "how many?"], "positions, picture and marks included; the model has 256"),
        (["--sample", "a.png", "--question", "What?"], "--sample only writes a picture"),
        (["--sample", "a.png", "--model", "absent", "--tokenizer", "absent"], "with --model and --tokenizer"),
    ],
)
def test_wrong_input_is_named(arguments, words):
    result = ask(*arguments, "--json")
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert words in result.stderr
    assert words in json.loads(result.stdout)["error"]


def test_a_file_that_is_no_picture_and_a_folder_without_weights(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    assert "not a picture" in ask("--image", str(tmp_path / "text.png"), "--question", "What?").stderr
    assert ask("--question", "What?", "--model", str(tmp_path)).exit_code == 2


def test_the_mark_of_a_picture_may_stand_in_the_question(sample):
    path, _ = sample
    words = [ask("--image", str(path), "--question", asked).stdout for asked in ("how many?", "<image>\nhow many?")]
    assert words[0] == words[1]


def test_a_question_may_be_as_long_as_leaves_room_for_an_answer(sample):
    """One position is an answer of one token, cut off and said to be so; one word more is refused."""
    fixed = len(labels.prompt_ids(template.ask("", image=False), tokenizer.nano()))
    words = "x" * (MGM_NANO.splice.max_length - fixed - 1)
    assert len(labels.prompt_ids(template.ask(words, image=False), tokenizer.nano())) == MGM_NANO.splice.max_length - 1
    found = json.loads(ask("--question", words, "--json").stdout)
    assert (found["tokens"], found["complete"]) == (1, False)
    for longer in (["--question", words + "x"], ["--question", words, "--image", str(sample[0])]):
        refused = ask(*longer)
        assert refused.exit_code == 2
        assert "the question takes" in refused.stderr


@pytest.mark.parametrize("field", ["image_token_index", "ignore_index"])
def test_a_model_with_other_marks_is_refused(tmp_path, field):
    shutil.copytree(shipped.FOLDER, tmp_path / "model")
    path = tmp_path / "model" / "geometry.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["splice"][field] = -1
    path.write_text(json.dumps(content), encoding="utf-8")
    refused = ask("--question", "What?", "--model", str(tmp_path / "model"))
    assert refused.exit_code == 2
    assert "image_token_index and ignore_index must be -200 and -100" in refused.stderr


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_full_disk_leaves_no_half_sample(tmp_path, monkeypatch, before):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "sample.png"
    if before is not None:
        target.write_bytes(before)
    monkeypatch.setattr(os, "fsync", full)
    refused = ask("--sample", str(target))
    assert refused.exit_code == 2
    assert "cannot be written: No space left on device" in refused.stderr
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == (
        [("sample.png", before)] if before else []
    )
