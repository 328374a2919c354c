"""Digit grids: disjoint parts, deterministic pictures, treatments that change looks and nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from sklearn.datasets import load_digits

from lora_demo.data import nano_grid
from lora_demo.data.nano_digits import SPLITS, digits
from lora_demo.data.nano_grid import EMPTY, TREATMENTS, draw, paint, with_treatment


def test_no_source_digit_is_in_two_parts_and_none_is_lost():
    sources = [set(digits(split).source.tolist()) for split in SPLITS]
    assert sum(map(len, sources)) == len(set.union(*sources)) == len(load_digits().target) == 1797


@pytest.mark.parametrize("split", SPLITS)
def test_labels_and_pixels_are_those_of_the_source(split):
    bundle, part = load_digits(), digits(split)
    assert part.labels.tolist() == [bundle.target[i] for i in part.source.tolist()]
    assert torch.equal(part.pixels * 16, torch.from_numpy(bundle.images[part.source.numpy()]).float())
    assert (part.labels.diff() >= 0).all()
    assert part.counts.min() >= 20


@pytest.mark.parametrize("family", ["a", "b"])
def test_a_plan_shows_the_digits_it_names(family):
    plan = draw(200, "test", family, 5)
    filled = plan.classes != EMPTY
    assert (filled.sum(1) >= nano_grid.FEWEST_FILLED).all()
    assert torch.equal(plan.source != EMPTY, filled)
    assert torch.equal(digits("test").labels[plan.source[filled]], plan.classes[filled])


def test_pictures_depend_on_the_arguments_alone():
    which = torch.tensor([3, 0])
    first, again = (paint(draw(8, "train", "b", 1), which, 48) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, paint(draw(8, "train", "b", 2), which, 48))
    assert not torch.equal(first, paint(draw(8, "test", "b", 1), which, 48))


def test_ink_is_where_a_digit_stands_and_nowhere_else():
    plan = draw(50, "validation", "a", 0)
    cells = paint(plan, torch.arange(50), 48).view(50, 3, 16, 3, 16).permute(0, 1, 3, 2, 4).reshape(50, 9, -1)
    assert torch.equal(cells.amax(-1) > 60, plan.classes != EMPTY)


def test_treatments_change_the_look_only():
    plan = draw(4, "test", "a", 3)
    looks = {}
    for number, name in enumerate(TREATMENTS):
        treated = with_treatment(plan, torch.full((4,), number))
        assert torch.equal(treated.source, plan.source)
        looks[name] = paint(treated, torch.arange(4), 48).int()
    assert (looks["inverted"] - (255 - looks["plain"])).abs().max() <= 1
    for name in ("turned", "noisy"):
        assert (looks[name] - looks["plain"]).abs().float().mean() > 5


def test_family_b_never_looks_plain_and_family_a_always_does():
    assert draw(300, "train", "a", 0).treatment.unique().tolist() == [0]
    assert draw(300, "train", "b", 0).treatment.unique().tolist() == [1, 2, 3]


def test_angles_stay_in_their_ranges():
    turned = with_treatment(draw(300, "train", "b", 0), torch.ones(300, dtype=torch.long)).degrees.abs()
    low, high = nano_grid.TURNED_DEGREES
    assert low <= turned.min() < turned.max() <= high
    assert draw(300, "train", "a", 0).degrees.abs().max() <= nano_grid.UPRIGHT_DEGREES


def test_treating_twice_equals_treating_once():
    plan = draw(20, "train", "b", 0)
    once = with_treatment(plan, torch.full((20,), 1))
    twice = with_treatment(with_treatment(once, torch.zeros(20, dtype=torch.long)), torch.full((20,), 1))
    assert torch.equal(once.degrees, twice.degrees)


def test_a_side_that_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match="multiple of 3"):
        paint(draw(1, "train", "a", 0), torch.tensor([0]), 50)


def test_a_plan_keeps_its_fields_together():
    plan = draw(7, "train", "a", 0)
    lengths = {len(getattr(plan, field.name)) for field in dataclasses.fields(plan) if field.name != "split"}
    assert lengths == {7}
