import assert from "node:assert/strict";
import { test } from "node:test";

import { DAY, MINUTE, dateOf, practiceDay, weekday } from "../../docs/practice/clock.js";
import { GRADES, LONGEST, interval, isDue, isLearning, outcomes } from "../../docs/practice/schedule.js";

const NOON = new Date(2026, 10, 23, 12).getTime();

test("the practice day begins at four in the morning, local time", () => {
  const at = (day, hour, minute) => practiceDay(new Date(2026, 10, day, hour, minute).getTime());
  assert.equal(at(24, 3, 59), at(23, 12, 0));
  assert.equal(at(24, 4, 0), at(23, 12, 0) + 1);
  assert.equal(dateOf(at(23, 12, 0)), "2026-11-23");
  assert.equal(weekday(at(23, 12, 0)), 0, "a Monday");
});

test("a clock that jumps an hour moves no day", () => {
  // In the zone that the test runs in (Europe/Berlin), 25 October 2026 has 25 hours.
  const before = new Date(2026, 9, 24, 12).getTime();
  assert.equal(practiceDay(before + DAY), practiceDay(before) + 1);
  assert.equal(practiceDay(before + 2 * DAY), practiceDay(before) + 2);
});

test("each grade leads further away than the one before it", () => {
  const card = outcomes(outcomes(null, "a.b", NOON)[4], "a.b", NOON + 9 * DAY);
  const days = GRADES.slice(1).map(grade => card[grade].days);
  assert.ok(isLearning(card[1]), "forgotten: back into the steps");
  assert.deepEqual([...days].sort((a, b) => a - b), days);
  assert.equal(new Set(days).size, 3);
});

test("an interval is counted from now, and what the button says is what happens", () => {
  for (const grade of GRADES) {
    const card = outcomes(null, "a.b", NOON)[grade];
    const span = interval(card);
    assert.equal(card.due, NOON + ("days" in span ? span.days * DAY : span.minutes * MINUTE));
    assert.deepEqual([card.id, card.last, card.reps, card.rev], ["a.b", NOON, 1, 1]);
  }
});

test("a review is due from the beginning of its day, a step to the minute", () => {
  const easy = outcomes(null, "a.b", NOON)[4];
  assert.ok(!isDue(easy, NOON + (easy.days - 1) * DAY));
  assert.ok(isDue(easy, new Date(2026, 10, 23 + easy.days, 4, 1).getTime()), "early in the morning of its day");
  const again = outcomes(null, "a.b", NOON)[1];
  assert.ok(!isDue(again, again.due - 1));
  assert.ok(isDue(again, again.due));
});

test("no interval exceeds the longest, and wanting to know more shortens it", () => {
  let card = null, now = NOON;
  for (let round = 0; round < 12; round++) {
    card = outcomes(card, "a.b", now)[4];
    assert.ok(card.days <= LONGEST);
    now = card.due;
  }
  assert.equal(card.days, LONGEST);
  const good = outcomes(null, "a.b", NOON)[4];
  const later = good.due;
  assert.ok(outcomes(good, "a.b", later, { retention: 0.95 })[3].days < outcomes(good, "a.b", later, { retention: 0.8 })[3].days);
});

test("a clock that was set back counts as no time at all", () => {
  const card = outcomes(null, "a.b", NOON)[4];
  const next = outcomes(card, "a.b", NOON - 3 * DAY)[3];
  assert.ok(next.stability >= card.stability);
  assert.equal(next.last, NOON - 3 * DAY);
});
