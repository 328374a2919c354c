import json
import os
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from lora_demo.__main__ import app

GOOD = {
    "id": "a",
    "image": "a.png",
    "conversations": [{"from": "human", "value": "<image>?"}, {"from": "gpt", "value": "7"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    return tmp_path


def run(folder: Path, content: str, *options: str):
    path = folder / "data.json"
    path.write_text(content, encoding="utf-8")
    return CliRunner().invoke(app, ["data", "check", str(path), "--images", str(folder), *options])


def test_clean_data_exits_0(folder: Path):
    result = run(folder, json.dumps([GOOD]))
    assert result.exit_code == 0
    assert "1 items, 0 errors, 0 warnings" in result.stdout
    assert "lengths: not checked" in result.stdout


def test_problems_exit_1_and_are_all_printed(folder: Path):
    result = run(folder, json.dumps([GOOD | {"id": "b", "image": "gone.png"}, GOOD | {"id": "c", "conversations": []}]))
    assert result.exit_code == 1
    assert f"item 0 (id b), image [{folder / 'gone.png'}]: there is no such file" in result.stdout
    assert "item 1 (id c), conversations: " in result.stdout


def test_json_holds_the_same(folder: Path):
    result = run(folder, json.dumps([GOOD, GOOD]), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    (problem,) = report["problems"]
    assert (problem["index"], problem["id"], problem["field"], problem["kind"]) == (1, "a", "id", "duplicate-id")
    assert run(folder, json.dumps([GOOD, GOOD]), "--allow", "duplicate-id").exit_code == 0


def test_broken_json_exits_2_with_the_place(folder: Path):
    result = run(folder, '[{"id": 1},\n {"id" 2}]')
    assert result.exit_code == 2
    assert "line 2, column 8" in result.stderr
    as_json = run(folder, '[{"id": 1},\n {"id" 2}]', "--json")
    assert as_json.exit_code == 2
    assert "line 2, column 8" in as_json.stderr
    assert (json.loads(as_json.stdout)["line"], json.loads(as_json.stdout)["column"]) == (2, 8)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--allow", "typo"], "no kind of problem called 'typo'"),
        (["--model", "mgm-2b"], "need its tokenizer"),
        (["--model", "gemma-2b"], "without towers"),
        (["--model", "mgm-nano", "--tokenizer", "nowhere"], "no such folder"),
        (["--tokenizer", "nowhere"], "only checked with --model"),
    ],
)
def test_bad_options_exit_2(folder: Path, options: list[str], reason: str):
    result = run(folder, json.dumps([GOOD]), *options)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_missing_file_or_folder_exit_2(folder: Path):
    for file, images in (("gone.json", folder), ("data.json", folder / "gone")):
        (folder / "data.json").write_text("[]", encoding="utf-8")
        result = CliRunner().invoke(app, ["data", "check", str(folder / file), "--images", str(images)])
        assert result.exit_code == 2
        assert "gone" in result.stderr


def test_lengths_are_checked_for_nano(folder: Path):
    long = GOOD | {"conversations": [GOOD["conversations"][0], {"from": "gpt", "value": "7" * 500}]}
    result = run(folder, json.dumps([long]), "--model", "mgm-nano", "--json")
    assert result.exit_code == 0
    assert [problem["kind"] for problem in json.loads(result.stdout)["problems"]] == ["too-long"]


BAD_NAMES = ("\ud800", "x" * 5000, "\x1b]0;title\x07", "a\nerror: item 99", "\x9b2J")


@pytest.mark.parametrize("options", [[], ["--json"], ["--model", "mgm-nano"]])
def test_bad_names_cost_neither_the_report_nor_the_terminal(folder: Path, options: list[str]):
    items = [GOOD | {"id": f"{name[:9]}{place}", "image": name} for place, name in enumerate(BAD_NAMES)]
    items.append(GOOD | {"id": "last", "image": "gone.png"})
    items.append(GOOD | {"id": "said", "conversations": [GOOD["conversations"][0], {"from": "gpt", "value": "\udfff"}]})
    result = run(folder, json.dumps(items), *options)
    assert result.exit_code == 1
    assert "there is no such file" in result.stdout
    assert "not-text" in result.stdout
    assert all(line.isprintable() for line in result.stdout.splitlines())
    if options == ["--json"]:
        assert {problem["index"] for problem in json.loads(result.stdout)["problems"]} == set(range(len(items)))
    else:
        assert f"{len(items)} items" in result.stdout
        assert not any(line.startswith("error: item 99") for line in result.stdout.splitlines())


def test_a_pipe_is_not_waited_for(folder: Path):
    os.mkfifo(folder / "pipe")
    result = CliRunner().invoke(app, ["data", "check", str(folder / "pipe"), "--images", str(folder), "--json"])
    assert result.exit_code == 2
    assert "not a regular file" in json.loads(result.stdout)["error"]
    assert "not a regular file" in result.stderr
