"""The study: deterministic, resumable, shared, its early stops fair to small adapters, its front right."""

from __future__ import annotations

import itertools
import json
import shlex
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from lora_demo.training.evaluation import Evaluation
from lora_demo.training.recipes import recipe_files
from lora_demo.training.searching import search_files, tuning_report
from lora_demo.training.searching.search import SearchError, base_recipe
from lora_demo.training.searching.tuning import (
    Objective,
    StorageLost,
    Trained,
    all_trials,
    behind,
    open_study,
    optimise,
)

SEARCH = search_files.load("nano-lora")
RECIPE = base_recipe(SEARCH)
STEPS = range(SEARCH.every, RECIPE.steps + 1, SEARCH.every)


def cost(recipe) -> int:
    return 1000 * recipe.method.settings["r"] + len(str(recipe.method.settings["targets"]))


def train(recipe, watch) -> Trained:
    """Pretends: more rank is better, and so is a learning rate near 3e-3."""
    best = 0.5 + 0.02 * recipe.method.settings["r"] - abs(recipe.optimizer.lr - 3e-3) * 10
    for step in STEPS:
        watch(step, Evaluation(loss=1 - best, accuracy=best * step / RECIPE.steps, by_group={}, rows=10))
    return Trained(trainable=recipe.method.settings["r"], seconds=0.1)


def search_on(url: str, trials: int, trainer=train, search=SEARCH) -> optuna.Study:
    study = open_study(url, "s", search, RECIPE, heartbeat=1)
    optimise(study, Objective(search, RECIPE, trainer, cost), trials=trials)
    return study


def drawn(study) -> list[tuple[int, dict, str]]:
    return [(trial.number, trial.params, trial.state.name) for trial in all_trials(study)]


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


def test_a_study_that_was_interrupted_goes_on_as_if_it_had_not_been(url, tmp_path):
    whole = search_on(f"sqlite:///{tmp_path / 'whole.db'}", 12)
    search_on(url, 5)
    again = search_on(url, 12)
    assert drawn(again) == drawn(whole)
    assert len({json.dumps(params) for _, params, _ in drawn(whole)}) == 12
    assert {state for *_, state in drawn(whole)} == {"COMPLETE", "PRUNED"}
    assert drawn(search_on(url, 3)) == drawn(whole)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
def test_neither_an_interruption_nor_a_dead_process_loses_values(url):
    def interrupted(recipe, watch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search_on(url, 1, interrupted)
    study = open_study(url, "s", SEARCH, RECIPE, heartbeat=1)
    dead = study.ask()
    study._storage.record_heartbeat(dead._trial_id)
    time.sleep(3.1)
    search_on(url, 2)
    stopped, killed, retried, _ = all_trials(study)
    assert [stopped.state.name, killed.state.name, retried.state.name] == ["FAIL", "FAIL", "COMPLETE"]
    assert stopped.params == retried.params


def test_two_processes_share_one_study(url, tmp_path):
    open_study(url, "s", SEARCH, RECIPE)
    present = tmp_path / "present"
    present.mkdir()
    command = [sys.executable, str(Path(__file__).parent / "tuning_worker.py"), url, "6", str(present)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [worker.communicate(timeout=250)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert len(list(present.iterdir())) == 2
    trials = drawn(open_study(url, "s", SEARCH, RECIPE))
    assert [number for number, *_ in trials] == list(range(len(trials)))
    assert 6 <= len(trials) <= 7, "each may have begun one more when the sixth ended"
    assert trials[0][1] != trials[1][1]
    assert {state for *_, state in trials} <= {"COMPLETE", "PRUNED"}


def test_another_search_under_the_same_name_is_refused(url):
    open_study(url, "s", SEARCH, RECIPE)
    open_study(url, "s", SEARCH.model_copy(update={"trials": 99, "about": "Longer."}), RECIPE)
    with pytest.raises(SearchError, match=r"begun differently: every, seed differ.*--study"):
        open_study(url, "s", SEARCH.model_copy(update={"seed": 1, "every": 10}), RECIPE)
    with pytest.raises(SearchError, match="begun differently: steps differ"):
        open_study(url, "s", SEARCH, base_recipe(SEARCH, ("steps=350",)))


@pytest.mark.parametrize(
    ("storage", "words"),
    [
        ("no-url", "Could not parse"),
        ("sqlite:////proc/absent/study.db", "unable to open database file"),
        ("nosuch://me:secret@host/db", "nosuch"),
        ("mysql+pymysql://me:secret@host/db", "driver is not installed: No module named 'pymysql'"),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(storage, words):
    with pytest.raises(SearchError, match=words) as refused:
        open_study(storage, "s", SEARCH, RECIPE)
    assert "secret" not in str(refused.value)


def test_a_trial_is_compared_with_those_that_need_no_more_memory():
    finished = [
        {"memory": size, "curve": {"50": score}} for size, score in ((10, 0.3), (20, 0.4), (30, 0.6), (90, 0.9))
    ]
    assert behind(30, "50", 0.39, finished)
    assert not behind(30, "50", 0.41, finished), "the large one does not count"
    assert not behind(20, "50", 0.1, finished), "too few to compare with"
    assert not behind(90, "100", 0.1, finished), "no one was judged at this step"


def test_a_candidate_that_diverges_has_lost_and_the_search_goes_on(url):
    def diverging(recipe, watch):
        return Trained(1, 0.1, stopped="diverged at step 3")

    found = tuning_report.report(search_on(url, 2, diverging), SEARCH)
    assert [row["state"] for row in found["trials"]] == ["stopped", "stopped"]
    assert found["front"] == []
    assert "diverged at step 3" in tuning_report.markdown(found)


def test_a_storage_that_is_full_ends_the_search_in_one_message(url, monkeypatch):
    def full(self, *_, **__):
        raise StorageInternalError("an exception is raised during the commit") from OperationalError(
            "UPDATE trials", {}, sqlite3.OperationalError("database or disk is full")
        )

    monkeypatch.setattr(optuna.storages.RDBStorage, "set_trial_state_values", full)
    with pytest.raises(StorageLost, match=r"takes nothing more: database or disk is full\. .*the same command goes on"):
        search_on(url, 1)


def test_an_error_in_a_trial_is_not_taken_for_the_storages(url):
    def wrong(recipe, watch):
        raise AssertionError("ours")

    with pytest.raises(AssertionError, match="ours"):
        search_on(url, 1, wrong)


def test_the_front_is_what_nobody_beats(url, tmp_path):
    study = search_on(url, 14)
    found = tuning_report.report(study, SEARCH, ("seed=3",))
    rows = {row["number"]: row for row in found["trials"] if row["state"] == "done"}

    def beaten(a, b):
        no_worse = b["quality"] >= a["quality"] and b["memory"] <= a["memory"]
        return no_worse and (b["quality"], b["memory"]) != (a["quality"], a["memory"])

    unbeaten = {n for n, a in rows.items() if not any(beaten(a, b) for b in rows.values())}
    assert set(found["front"]) == unbeaten == {trial.number for trial in study.best_trials}
    sizes = [rows[number]["memory"] for number in found["front"]]
    assert all(a < b for a, b in itertools.pairwise(sizes))
    assert len(sizes) >= 2
    for number in found["front"]:
        words = shlex.split(rows[number]["command"])
        again = recipe_files.load(words[2], words[4::2])
        assert (again.seed, again.optimizer.lr) == (3, rows[number]["lr"])
        assert f"r={again.method.settings['r']}," in rows[number]["what"]
    written = tuning_report.write(found, tmp_path)
    assert json.loads(written[0].read_text())["front"] == found["front"]
    assert all(rows[number]["command"] in written[1].read_text() for number in found["front"])
