"""`lora-demo tune` on nano, a few steps: the search of methods end to end, and what it refuses."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import tune as command
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record
from lora_demo.training.searching import search_files, tuning_report

CLI = CliRunner()
MINE = """
about: A search of two steps.
recipe: nano-lora-b
settings: [cache_features=false, steps=2, batch=2, data.images=4, data.questions=1, evaluation.rows=4, threads=1]
trials: 2
every: 1
memory: {rows: 2, length: 40}
lr: [1e-3, 3e-3]
methods:
  lora: {r: [1, 8], alpha: {per_rank: [2]}, targets: [[q_proj, v_proj], all]}
  ia3: {targets: [k_proj, v_proj]}
"""


def tune(*words) -> tuple[int, str, str]:
    done = CLI.invoke(app, ["tune", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def test_a_search_runs_goes_on_and_reports(tmp_path):
    file, out = tmp_path / "mine.yaml", tmp_path / "out"
    file.write_text(MINE)
    code, _, errors = tune(file, "--out", out, "--trials", 1)
    assert code == 0, errors
    code, printed, errors = tune(file, "--out", out, "--json")
    assert code == 0, errors
    found = json.loads(printed)
    assert [trial["state"] for trial in found["trials"]] == ["done", "done"]
    assert all(trial["memory"] > 2**20 and trial["trainable"] > 0 for trial in found["trials"])
    assert found["front"]
    assert sorted(path.name for path in out.iterdir()) == ["report.json", "report.md", "study.db"]
    code, printed, _ = tune(file, "--out", out, "--trials", 0)
    assert code == 0
    assert "Pareto front of 2 trials" in printed


def test_a_finished_study_becomes_a_record(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    file, out = tmp_path / "mine.yaml", tmp_path / "out"
    file.write_text(MINE)
    code, _, errors = tune(file, "--out", out, "--record")
    assert code == 0, errors
    record = Record.load(tmp_path / "qa" / "records" / "tune-mine.json")
    assert {row["number"] for row in record.samples["trials"]} == {0, 1}
    assert set(record.samples["front"]) <= {0, 1}
    assert record.configuration == command.settled(search_files.load(str(file)))
    assert "command" not in record.samples["trials"][0]
    code, _, errors = tune(file, "--out", out, "--record", "--trials", 1)
    assert (code, "leave --set, --trials" in errors) == (2, True)


def test_the_committed_study_belongs_to_its_search_and_the_shipped_base():
    record = Record.load(records_dir() / "tune-nano-lora.json")
    search = search_files.load("nano-lora")
    assert record.configuration == command.settled(search), "run `lora-demo tune nano-lora --record` again"
    rows = [tuning_report.Row(**row, command="") for row in record.samples["trials"]]
    assert sum(row.state in ("done", "stopped") for row in rows) == search.trials
    assert record.samples["front"] == [row.number for row in tuning_report.front(rows)]


def test_the_list_names_every_search():
    _, printed, _ = tune("list")
    assert [line.split()[0] for line in printed.splitlines()] == search_files.shipped()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nano-lore",), "nano-lora"),
        (("nano-lora", "--set", "stepz=1"), "did you mean 'steps'"),
        (("nano-lora", "--set", "model.weights=absent"), "absent"),
        (("nano-lora", "--storage", "nosuch://host/db"), "nosuch"),
    ],
)
def test_wrong_input_is_named(words, said, tmp_path):
    code, _, errors = tune(*words, "--out", tmp_path / "out")
    assert code == 2
    assert said in errors
