"""Every exercise is sound: its solution passes, its starter does not, each slip is caught by the check it names."""

from __future__ import annotations

import pytest

from lora_demo.commands.dojo_exercise import faults
from lora_demo.pages.bank.exercise import load_exercises
from lora_demo.results.paths import project_root

EXERCISES, PROBLEMS = load_exercises(project_root())


def test_every_exercise_can_be_read():
    assert not PROBLEMS


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_the_exercise_is_sound(exercise):
    assert faults(exercise) == []


def test_what_the_whiteboard_page_shows_can_be_practised():
    """The ten snippets that interviewers ask for each have an exercise with the same solution."""
    page = (project_root() / "docs" / "zh" / "whiteboard.md").read_text(encoding="utf-8")
    shown = {part.partition("}}")[0].strip() for part in page.split("{{ code:")[1:]}
    practised = {f"{one.meta.solution}#{name}" for one in EXERCISES for name in one.meta.gives}
    assert {code for code in shown if code.rpartition("#")[2] != "merge_all"} <= practised


def test_each_kind_of_slip_that_published_exercises_miss_is_here():
    """Bugs of hand-written LoRA that only values show: each is a slip of some exercise, in its solution's own words."""
    edits = {(one.name, slip.by) for one in EXERCISES for slip in one.meta.slips}
    named = {"scaled_by_alpha_over_r", "starts_as_the_base", "only_a_and_b_train"}
    named |= {"dropout_is_on_the_side_path_and_off_in_eval", "gradients_reach_a_and_b_and_nothing_else"}
    assert {("lora-linear", name) for name in named} <= edits
