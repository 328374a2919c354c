"""The page "On your own 4090": its commands exist, are the same in both languages, and run on a small model laid out
like the released one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands.evaluate import described
from lora_demo.models import weights
from lora_demo.results.paths import project_root
from lora_demo.training.preparation.prepare import nano_set
from lora_demo.training.recipes import recipe_files

CLI = CliRunner()
SMALL = ["steps=2", "batch=2", "micro_batch=1", "workers=0", "threads=1", "evaluation.rows=2"]
ELSEWHERE = ("python", "pip", "hf", "tensorboard")
"""Other people's programs on the page."""
MORE = {
    "train": [word for setting in SMALL for word in ("--set", setting)],
    "plan": ["--no-trace"],
    "evaluate": ["--rows", "2"],
}
"""What makes a command of the page small enough for here."""
NOT_RUN = ("measure",)
"""Needs the full-size model."""


def blocks(lang: str, kind: str) -> list[str]:
    text = (project_root() / "docs" / lang / "own-4090.md").read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def lines(lang: str) -> list[str]:
    return [line for block in blocks(lang, "bash") for line in block.splitlines()]


def recipe_text(lang: str) -> str:
    (text,) = blocks(lang, "yaml")
    return text


def test_both_languages_show_the_same_commands_and_recipe():
    assert lines("zh") == lines("en")
    without_about = [re.sub("about: .*", "", recipe_text(lang)) for lang in ("zh", "en")]
    assert without_about[0] == without_about[1]


def test_every_command_exists_with_its_options():
    group = get_command(app)
    seen = []
    for line in lines("zh"):
        words = shlex.split(line.partition(">")[0])
        if words[0] in ELSEWHERE:
            continue
        assert words[0] == "lora-demo", line
        command, at = group, 1
        while hasattr(command, "commands"):
            assert words[at] in command.commands, f"{line}: there is no command {words[at]}"
            command, at = command.commands[words[at]], at + 1
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
        seen.append(words[1])
    assert {"data", "plan", "evaluate", "train", "ask", "merge", "measure"} == set(seen)
    for name in re.findall(r"extends: (\S+)|measure (\S+)", recipe_text("zh") + "\n".join(lines("zh"))):
        assert "".join(name) in recipe_files.shipped()


@pytest.fixture
def home(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder as the page has it after its downloads."""
    shutil.copytree(released, tmp_path / "model_zoo" / "MGM-2B")
    clip = "clip-vit-large-patch14-336"
    shutil.copytree(released.parent / clip, tmp_path / "model_zoo" / "OpenAI" / clip)
    for name, split in (("test", "test"), ("train", "train")):
        file = nano_set(split, "a", images=3, questions=1).export(tmp_path / name)
        (tmp_path / "data").mkdir(exist_ok=True)
        file.rename(tmp_path / "data" / f"{name}.json")
        shutil.copytree(tmp_path / name / "images", tmp_path / "data" / "images", dirs_exist_ok=True)
    (tmp_path / "mine.yaml").write_text(recipe_text("zh"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str) -> str:
    asked, _, target = line.partition(" > ")
    words = shlex.split(asked)[1:]
    done = CLI.invoke(app, [*words, *MORE.get(words[0], [])])
    assert done.exit_code == 0, f"{line}\n{done.output}"
    if target:
        Path(target.strip()).write_text(done.stdout, encoding="utf-8")
    return done.stdout


@pytest.mark.timeout(300)
def test_the_page_runs_from_top_to_bottom(home):
    said = {}
    for line in lines("zh"):
        words = shlex.split(line)
        if words[0] not in ELSEWHERE and words[1] not in NOT_RUN:
            said[line] = run(line)
    evaluations = [text for line, text in said.items() if "evaluate" in line]
    assert json.loads((home / "before.json").read_text())["rows"] == 2
    assert len(evaluations) == 3
    assert all("before: " in text for text in evaluations[1:])
    assert json.loads((home / "runs" / "mine" / "summary.json").read_text())["steps"] == 2
    assert list((home / "runs" / "mine" / "events").iterdir())
    merged = weights.load_reported(home / "model_zoo" / "MGM-2B-mine")[1]
    assert merged.dtypes == ("bfloat16",)


def test_two_evaluations_of_different_rows_do_not_compare():
    found = {"file": "test.json", "rows": 200, "accuracy": 0.5, "loss": 1.0}
    assert "do not compare" not in described(found, found)
    for other in ({"rows": 20}, {"file": "train.json"}):
        assert "these do not compare: before, " in described(found, found | other)


def test_a_broken_picture_is_named_without_a_traceback(home):
    data = json.loads(Path("data/train.json").read_text())
    picture = Path("data/images") / data[0]["image"]
    picture.write_bytes(picture.read_bytes()[:200])
    settings = [word for setting in [*SMALL, "workers=1", "batch=8"] for word in ("--set", setting)]
    done = CLI.invoke(app, ["train", "mine.yaml", "--out", "runs/broken", *settings])
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr
    assert data[0]["image"] in done.stderr


def test_evaluation_names_what_is_wrong(home):
    good = ["evaluate", "data/test.json", "--images", "data/images"]
    cases = {
        ("evaluate", "absent.json", "--images", "data/images"): "no such file",
        ("evaluate", "data/test.json", "--images", "absent"): "no such folder",
        (*good, "--model", "absent"): "no such folder",
        (*good, "--baseline", "mine.yaml"): "not an evaluation printed with --json",
    }
    for words, said in cases.items():
        done = CLI.invoke(app, list(words))
        assert (done.exit_code, said in done.stderr) == (2, True), done.output
