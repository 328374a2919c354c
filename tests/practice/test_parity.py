"""Our scheduler (ts-fsrs) against `fsrs` of PyPI: same parameters, same elapsed days, over drawn histories.

Known differences, each computed here and none of them waved through:

- ts-fsrs rounds stability and difficulty to eight decimals after every review: stability agrees to a millionth of it.
- ts-fsrs keeps the four buttons apart: hard <= good, good and easy a day further than the one before; `fsrs` does not.
- "Hard" in the learning steps: ts-fsrs waits halfway between the first two (1 and 10 minutes) at either of them,
  `fsrs` does at the first one only and waits the whole second step at the second.
- Halfway is 5 minutes 30 seconds to `fsrs`; ts-fsrs rounds to whole minutes, halves up.
- Of an interval halfway between two days `fsrs` takes the even one, ts-fsrs the later one.
- `fsrs` counts elapsed days in spans of 24 hours, ts-fsrs by date (ours: the practice day that begins at four).
  The histories are drawn so that both count the same; `test_days_are_counted_by_date` shows the difference itself.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import fsrs
import pytest

from tests.practice.conftest import Run

HISTORIES, LONGEST_HISTORY = 300, 14
LONGEST = 36500
MINUTE, DAY = 60_000, 86_400_000
# Ten in the morning in Berlin: hours away from four o'clock, where the practice day begins.
START = int(datetime(2026, 11, 2, 9, tzinfo=UTC).timestamp() * 1000)
History = list[dict[str, int]]


def drawn(seed: int) -> list[History]:
    """Reviews minutes or days apart; within a day the clock only moves on, so both ways to count days agree."""
    random_numbers = random.Random(seed)
    histories = []
    for _ in range(HISTORIES):
        day = minute = 0
        history = []
        for _ in range(random_numbers.randint(2, LONGEST_HISTORY)):
            history.append({"at": START + day * DAY + minute * MINUTE, "grade": random_numbers.randint(1, 4)})
            minute += random_numbers.randint(1, 40)
            day += random_numbers.choice([0, 0, 1, 2, 3, 7, 15, 40, 120])
        histories.append(history)
    return histories


def by_fsrs(history: History, scheduler: fsrs.Scheduler) -> list[dict[str, Any]]:
    """The same history, and before each review what `fsrs` would give for every grade."""
    card, states = fsrs.Card(), []
    for step in history:
        at = datetime.fromtimestamp(step["at"] / 1000, UTC)
        given = [scheduler.review_card(card, fsrs.Rating(grade), at)[0] for grade in (1, 2, 3, 4)]
        before, card = card, given[step["grade"] - 1]
        states.append({"card": card, "given": given, "before": before, "at": at})
    return states


def kept_apart(given: list[fsrs.Card], at: datetime, grade: int) -> int:
    """Days that ts-fsrs gives a card under review: the three intervals of `fsrs`, kept apart."""
    hard, good, easy = ((card.due - at).days for card in given[1:])
    hard = min(hard, good)
    good = max(good, hard + 1)
    return {2: hard, 3: good, 4: max(easy, good + 1)}[grade]


def step_wait(scheduler: fsrs.Scheduler, wanted: dict[str, Any], grade: int) -> timedelta:
    """How long a card in its steps waits, by ts-fsrs's rule for "hard"."""
    first, second = scheduler.learning_steps
    if grade == fsrs.Rating.Hard and wanted["before"].state == fsrs.State.Learning:
        return (first + second) / 2
    return wanted["card"].due - wanted["at"]


def whole_minutes(wait: timedelta) -> int:
    """A step's wait as ts-fsrs gives it; only the half between two steps is no whole minute."""
    half_minutes = wait / timedelta(seconds=30)
    assert half_minutes.is_integer()
    return int(half_minutes + 1) // 2


@pytest.mark.parametrize("seed", [1, 2])
def test_both_schedulers_agree(node: Run, seed: int) -> None:
    histories = drawn(seed)
    done = node("tests/practice/parity.mjs", input=json.dumps({"histories": histories, "longest": LONGEST}))
    assert done.returncode == 0, done.stderr
    ours = json.loads(done.stdout)
    # Two time zones: Node replays in Berlin, where the clock jumps twice a year, Python in UTC.
    scheduler = fsrs.Scheduler(enable_fuzzing=False, maximum_interval=LONGEST)
    reviews = apart = second_step = 0
    for history, replayed in zip(histories, ours, strict=True):
        for step, found, wanted in zip(history, replayed, by_fsrs(history, scheduler), strict=True):
            card, reviews = wanted["card"], reviews + 1
            assert found["stability"] == pytest.approx(card.stability, rel=1e-6, abs=1e-6)
            assert found["difficulty"] == pytest.approx(card.difficulty, rel=0, abs=1e-6)
            assert found["state"] == card.state.value
            days = (card.due - wanted["at"]) / timedelta(days=1)
            if card.state != fsrs.State.Review:
                wait = step_wait(scheduler, wanted, step["grade"])
                second_step += wait != card.due - wanted["at"]
                assert found["wait"] == whole_minutes(wait) * MINUTE
                continue
            if wanted["before"].state == fsrs.State.Review:
                expected = kept_apart(wanted["given"], wanted["at"], step["grade"])
                apart += expected != days
                days = expected
            assert abs(found["days"] - days) <= 1
            # A day's difference is left only to rounding, and only at the half.
            if found["days"] != days:
                assert abs(card.stability % 1 - 0.5) < 1e-4
    assert reviews >= 1000
    assert 0 < apart < reviews / 10, "keeping the buttons apart is the exception"
    assert 0 < second_step < reviews / 10, 'so is "hard" at the second step'


def test_days_are_counted_by_date(node: Run) -> None:
    """Late one evening and early the next: to `fsrs` the same day, to us the next one."""
    evening = int(datetime(2026, 11, 2, 21, tzinfo=UTC).timestamp() * 1000)
    history = [{"at": evening, "grade": 4}, {"at": evening + 9 * 60 * MINUTE, "grade": 3}]
    done = node("tests/practice/parity.mjs", input=json.dumps({"histories": [history], "longest": LONGEST}))
    next_day = history[0], {"at": evening + DAY, "grade": 3}
    scheduler = fsrs.Scheduler(enable_fuzzing=False, maximum_interval=LONGEST)
    same, later = (by_fsrs(list(each), scheduler)[-1]["card"].stability for each in (history, next_day))
    found = json.loads(done.stdout)[0][-1]["stability"]
    assert found == pytest.approx(later, rel=1e-6)
    assert abs(found - same) > 0.01


def test_parameters_are_the_same(node: Run) -> None:
    program = 'import { default_w } from "./docs/practice/vendor/ts-fsrs.js"; console.log(JSON.stringify(default_w));'
    done = node("--input-type=module", "--eval", program)
    assert json.loads(done.stdout) == list(fsrs.scheduler.DEFAULT_PARAMETERS)
