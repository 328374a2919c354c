"""Questions about grids: right answers by a second reading, all answers asked alike, words the tokenizer knows."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from lora_demo.data import nano_questions, tokenizer
from lora_demo.data.nano_grid import EMPTY, draw
from lora_demo.data.nano_questions import TOLD, candidates, choose, kinds, place, tell

GRID = [7, EMPTY, 3, 3, EMPTY, EMPTY, 9, 0, 3]


def by_text(family):
    return {question.text: question.answer for question in candidates(GRID, family)}


def test_answers_of_a_grid_read_by_hand():
    a, b = by_text("a"), by_text("b")
    assert a["Which digit is at the top centre?"] == "none"
    assert a["Which digit is at the bottom left?"] == "9"
    assert a["Which digit is at the middle centre?"] == "none"
    assert a["How many digits are there?"] == "6"
    assert a["How many 3s are there?"] == "3"
    assert a["How many 8s are there?"] == "0"
    assert a["Which digit is the largest?"] == "9"
    assert (a["Is there a 7?"], a["Is there a 1?"]) == ("yes", "no")
    assert b["Which digit is the smallest?"] == "0"
    assert b["How many digits are above 5?"] == "2"
    assert [b[f"What is the sum of the {row} row?"] for row in ("top", "middle", "bottom")] == ["10", "3", "12"]
    assert b["Where is the largest digit?"] == "bottom left"


def test_what_is_told_is_the_asked_cell_with_its_digit_in_either_order_of_row_and_column():
    by_words = {frozenset(place(index).split()): digit for index, digit in enumerate(GRID)}
    told = [tell(GRID, random.Random(seed)) for seed in range(20)]
    last_words = set()
    for questions in told:
        assert len({question.text for question in questions}) == len(questions) == TOLD
        for question in questions:
            words, digit = question.answer[:-1].split(), question.answer[-1]
            asked = question.text.removeprefix("What is at the ").rstrip("?").split()
            assert sorted(asked) == sorted(words)
            assert str(by_words[frozenset(words)]) == digit
            last_words.add(words[1] in ("left", "centre", "right"))
    assert last_words == {True, False}


def test_every_place_has_two_words_and_no_word_names_a_row_and_a_column():
    names = [place(index).split() for index in range(9)]
    rows, columns = ({name[k] for name in names} for k in (0, 1))
    assert len({tuple(name) for name in names}) == 9
    assert (len(rows), len(columns), rows & columns) == (3, 3, set())


def test_a_largest_digit_that_stands_twice_has_no_place():
    texts = {question.text for question in candidates([9, 9, *[EMPTY] * 7], "b")}
    assert "Where is the largest digit?" not in texts
    assert "Which digit is the smallest?" in texts


def test_family_b_has_old_and_new_kinds():
    a, b = set(kinds("a")), set(kinds("b"))
    assert len(a) == 5
    assert len(b) == 6
    assert a & b == {"which", "count_of"}


@pytest.mark.parametrize("family", ["a", "b"])
def test_questions_differ_within_a_picture_and_guessing_pays_little(family):
    grids = draw(1500, "train", family, 4).classes.tolist()
    asked = choose(grids, family, 6, 0)
    assert all(len({question.text for question in questions}) == 6 for questions in asked)
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for question in (q for questions in asked for q in questions):
        answers[question.kind][question.answer] += 1
    assert set(answers) == set(kinds(family))
    guessed = sum(max(counter.values()) for counter in answers.values())
    assert guessed / sum(counter.total() for counter in answers.values()) < 0.25


def test_choosing_is_deterministic():
    grids = draw(20, "train", "b", 4).classes.tolist()
    assert choose(grids, "b", 3, 1) == choose(grids, "b", 3, 1) != choose(grids, "b", 3, 2)


def test_every_answer_is_short_for_the_tokenizer():
    text = tokenizer.nano()
    pool = [q for grid in draw(50, "train", "b", 0).classes.tolist() for f in ("a", "b") for q in candidates(grid, f)]
    assert max(len(text.encode(q.answer)) for q in pool) <= 8
    assert max(len(text.encode(q.text)) for q in pool) <= 13


def test_a_kind_cannot_be_registered_twice():
    with pytest.raises(ValueError, match="twice"):
        nano_questions.kind(families="a", answers=2)(nano_questions.largest)
