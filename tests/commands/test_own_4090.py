"""The page "On your own 4090": its commands exist, are the same in both languages, and run on a small model laid out
like the released one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.main import get_command
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands.evaluate import described
from lora_demo.models import weights
from lora_demo.results.paths import project_root
from lora_demo.training.preparation.prepare import nano_set
from lora_demo.training.recipes import recipe_files

CLI = CliRunner()
DOCS = project_root() / "docs"
SMALL = ["steps=2", "batch=2", "micro_batch=1", "workers=0", "threads=1", "evaluation.rows=2"]
ELSEWHERE = ("python", "pip", "hf", "tensorboard", "curl", "unzip")
"""Other people's programs on the page."""
BEFORE = "lora-demo evaluate data/test.json --images data/images --model model_zoo/MGM-2B --json"
MORE = {
    "train": [word for setting in SMALL for word in ("--set", setting)],
    "plan": ["--no-trace"],
    "evaluate": ["--rows", "2"],
}
"""What makes a command of the page small enough for here."""
IN_SMALL = {
    "mgm-2b-lora-24gb --length 2048": "nano-lora --length 200",
    "--matrix mgm-2b-short": "--matrix small.yaml",
}
"""`measure` wants the full-size model; here it is the same command with a recipe of the small one."""
SMALL_MATRIX = "about: One measurement.\nsteps: 1\ngroups: {one: {recipes: [nano-lora]}}\n"
SIZES = {"VALIDATION, TEST, TRAIN = 200, 500, 5000": "VALIDATION, TEST, TRAIN = 2, 2, 3"}
CONVNEXT = "model.vision_tower_aux."


def blocks(lang: str, kind: str) -> list[str]:
    text = (DOCS / lang / "own-4090.md").read_text(encoding="utf-8")
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
    assert {"data", "plan", "evaluate", "train", "ask", "merge", "measure", "memory"} == set(seen)
    for name in re.findall(r"extends: (\S+)|measure ([^-]\S+)", recipe_text("zh") + "\n".join(lines("zh"))):
        assert "".join(name) in recipe_files.shipped()
    for small in IN_SMALL:
        assert any(small in line for line in lines("zh"))


@pytest.fixture
def home(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder as the page has it after its downloads, and with the data split as it says."""
    shutil.copytree(released, tmp_path / "model_zoo" / "MGM-2B")
    clip = "clip-vit-large-patch14-336"
    shutil.copytree(released.parent / clip, tmp_path / "model_zoo" / "OpenAI" / clip)
    file = nano_set("train", "a", images=8, questions=2, rounds=1).export(tmp_path / "nano")
    coco = tmp_path / "data" / "images" / "coco"
    (coco.parent).mkdir(parents=True)
    (tmp_path / "nano" / "images").rename(coco)
    (coco / "train2017").mkdir()
    items = json.loads(file.read_text())
    for picture in sorted(coco.glob("*.png")):
        picture.rename(coco / "train2017" / f"{int(picture.stem) + 9:012}.jpg")
    for item in items:
        item["image"] = f"coco/train2017/{int(Path(item['image']).stem) + 9:012}.jpg"
    others = [{"id": "words", "conversations": items[0]["conversations"]}, {**items[0], "image": "gqa/images/1.jpg"}]
    (tmp_path / "data" / "mgm_instruction.json").write_text(json.dumps([*items, *others]))
    (tmp_path / "mine.yaml").write_text(recipe_text("zh"), encoding="utf-8")
    (tmp_path / "small.yaml").write_text(SMALL_MATRIX)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    split()
    return tmp_path


def split() -> None:
    (zh,), (en,) = blocks("zh", "python"), blocks("en", "python")
    assert zh == en
    for large, small in SIZES.items():
        assert large in zh
        zh = zh.replace(large, small)
    subprocess.run([sys.executable, "-c", zh], check=True)


def run(line: str) -> str:
    asked, _, target = line.partition(" > ")
    for large, small in IN_SMALL.items():
        asked = asked.replace(large, small)
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
        if words[0] not in ELSEWHERE and words[1:] != ["memory", "compare"]:
            said[line] = run(line)
    evaluations = [text for line, text in said.items() if "evaluate" in line]
    assert json.loads((home / "before.json").read_text())["rows"] == 2
    assert len(evaluations) == 3
    assert all("before: " in text for text in evaluations[1:])
    assert json.loads((home / "runs" / "mine" / "summary.json").read_text())["steps"] == 2
    assert list((home / "runs" / "mine" / "events").iterdir())
    merged = weights.load_reported(home / "model_zoo" / "MGM-2B-mine")[1]
    assert merged.dtypes == ("bfloat16",)
    records = {path.stem for path in (home / "qa" / "records").iterdir()}
    assert records == {"measured-nano-lora-t200-b4-s0-cpu", "measured-nano-lora-cpu"}
    nothing = CLI.invoke(app, ["memory", "compare"])
    assert (nothing.exit_code, "no record that was measured on a GPU" in nothing.stderr) == (2, True)


def test_the_split_shares_no_image_and_takes_coco_only(home):
    parts = {name: json.loads(Path(f"data/{name}.json").read_text()) for name in ("validation", "test", "train")}
    images = {name: {item["image"] for item in items} for name, items in parts.items()}
    assert {name: len(found) for name, found in images.items()} == {"validation": 2, "test": 2, "train": 3}
    assert len(set.union(*images.values())) == 7
    assert all(image.startswith("coco/train2017/") for found in images.values() for image in found)
    assert all(len(parts[name]) == 2 * len(found) for name, found in images.items()), "both questions of an image"


def test_a_convnext_in_the_folder_that_the_page_names_is_found(home):
    (folder,) = {shlex.split(line)[-1] for line in lines("zh") if "convnext_large" in line}
    inside = run(BEFORE)
    stripped, aux = {}, {}
    for shard in Path("model_zoo/MGM-2B").glob("*.safetensors"):
        tensors = load_file(shard)
        aux |= {key: value for key, value in tensors.items() if key.startswith(CONVNEXT)}
        stripped[shard] = {key: value for key, value in tensors.items() if not key.startswith(CONVNEXT)}
    for shard, tensors in stripped.items():
        save_file(tensors, shard)
    index = Path("model_zoo/MGM-2B/model.safetensors.index.json")
    found = json.loads(index.read_text())
    found["weight_map"] = {key: name for key, name in found["weight_map"].items() if key not in aux}
    index.write_text(json.dumps(found))
    config = Path("model_zoo/MGM-2B/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"mm_vision_tower_aux": folder}))
    missing = CLI.invoke(app, shlex.split(BEFORE)[1:])
    assert missing.exit_code == 2
    assert "ConvNeXt" in missing.stderr
    Path(folder).mkdir(parents=True)
    torch.save({_openclip(key): value for key, value in aux.items()}, Path(folder) / "open_clip_pytorch_model.bin")
    assert json.loads(run(BEFORE)) == json.loads(inside)


def _openclip(key: str) -> str:
    """A key of the ConvNeXt as OpenCLIP's file has it."""
    part = key.removeprefix(CONVNEXT)
    return f"visual.trunk.{part.replace('vision_stem', 'stem').replace('vision_stages', 'stages')}"


def test_two_evaluations_of_different_rows_do_not_compare():
    found = {"file": "test.json", "rows": 200, "accuracy": 0.5, "loss": 1.0}
    assert "do not compare" not in described(found, found)
    for other in ({"rows": 20}, {"file": "train.json"}):
        assert "these do not compare: before, " in described(found, found | other)


def test_a_broken_picture_is_named_without_a_traceback(home):
    data = json.loads(Path("data/train.json").read_text())
    picture = Path("data/images") / data[0]["image"]
    picture.write_bytes(picture.read_bytes()[:200])
    settings = [word for setting in [*SMALL, "batch=8"] for word in ("--set", setting)]
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
