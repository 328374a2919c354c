"""Training one candidate of a search: what is reported of it, and that nothing of it stays."""

from __future__ import annotations

import time

from lora_demo.training.evaluation import Evaluation
from lora_demo.training.recipes import recipe_files
from lora_demo.training.searching.candidate_run import CandidateTrainer

TINY = ["steps=4", "batch=2", "data.images=6", "data.questions=1", "evaluation.rows=4", "evaluation.every=2"]
TINY += ["threads=1", "schedule.warmup=0", "save.every=null"]
PAUSE = 0.4


def test_what_is_reported_covers_the_whole_training(tmp_path):
    told: list[int] = []

    def watch(step: int, found: Evaluation) -> None:
        told.append(step)
        time.sleep(PAUSE)

    trials = tmp_path / "trials"
    found = CandidateTrainer(trials)(recipe_files.load("nano-lora-b", TINY), watch)
    assert told == [2, 4]
    assert found.seconds >= PAUSE * len(told)
    assert found.trainable > 0
    assert found.stopped == ""
    assert list(trials.iterdir()) == []
