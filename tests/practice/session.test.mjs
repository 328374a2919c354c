import assert from "node:assert/strict";
import { test } from "node:test";

import { DAY, MINUTE } from "../../docs/practice/clock.js";
import { outcomes } from "../../docs/practice/schedule.js";
import { doneToday, inDeck, next, waiting } from "../../docs/practice/session.js";

const NOW = new Date(2026, 10, 23, 12).getTime();
const LIMITS = { fresh: 3, repeated: 2 };
const QUESTIONS = Array.from({ length: 6 }, (_, index) =>
  ({ id: `t.q${index}`, topic: index % 2 ? "math" : "memory", level: ["junior", "mid", "senior"][index % 3], asked: index }));
const FIRST = outcomes(null, "t.q0", NOW);

/** A card that came due `days` ago. */
const due = (id, days) => ({ ...FIRST[4], id, state: 2, due: NOW - days * DAY, last: NOW - 10 * DAY });
const reviewOf = (id, at, before) => ({ key: `${id}-${at}`, id, at, grade: 3, ms: 1, before });
const mapOf = (...cards) => new Map(cards.map(card => [card.id, card]));

test("a deck is what all of its conditions hold for, and no condition means everything", () => {
  assert.equal(inDeck(QUESTIONS, { topics: [], levels: [], asked: 0 }).length, 6);
  const some = inDeck(QUESTIONS, { topics: ["math"], levels: ["junior", "mid"], asked: 2 });
  assert.deepEqual(some.map(({ id }) => id), ["t.q3"]);
});

test("what is due comes before what is new, the longest overdue first", () => {
  const queue = waiting(QUESTIONS, mapOf(due("t.q4", 1), due("t.q5", 3)), [], LIMITS, NOW);
  assert.deepEqual(queue.due, ["t.q5", "t.q4"]);
  assert.deepEqual(queue.fresh, ["t.q0", "t.q1", "t.q2"]);
  assert.equal(next(queue, NOW).id, "t.q5");
  assert.deepEqual(next(queue, NOW).counts, { learning: 0, due: 2, fresh: 3 });
});

test("daily limits count what was done today, and only today", () => {
  const cards = mapOf(due("t.q3", 1), due("t.q4", 2), due("t.q5", 3));
  const reviews = [reviewOf("t.q0", NOW - MINUTE, null), reviewOf("t.q1", NOW - DAY, null), reviewOf("t.q2", NOW - MINUTE, due("t.q2", 1))];
  assert.deepEqual(doneToday(reviews, NOW), { fresh: 1, repeated: 1, all: 2 });
  const queue = waiting(QUESTIONS, cards, reviews, LIMITS, NOW);
  assert.equal(queue.fresh.length, 2);
  assert.equal(queue.due.length, 1);
  assert.ok(queue.heldBack);
});

test("the steps of one card within a day are one review", () => {
  const reviews = [reviewOf("t.q0", NOW - 3, null), reviewOf("t.q0", NOW - 2, FIRST[1]), reviewOf("t.q0", NOW - 1, FIRST[3])];
  assert.deepEqual(doneToday(reviews, NOW), { fresh: 1, repeated: 0, all: 3 });
});

test("a step whose minute has come interrupts; before that it waits, and closes the round early", () => {
  const step = { ...FIRST[1], id: "t.q5", due: NOW + 5 * MINUTE };
  const queue = waiting(QUESTIONS, mapOf(step), [], LIMITS, NOW);
  assert.equal(next(queue, NOW).id, "t.q0");
  assert.equal(next(queue, step.due).id, "t.q5");
  const rest = waiting(QUESTIONS, mapOf(step), [], { fresh: 0, repeated: 0 }, NOW);
  assert.equal(next(rest, NOW).id, "t.q5");
  const far = next(waiting(QUESTIONS, mapOf({ ...step, due: NOW + 60 * MINUTE }), [], { fresh: 0, repeated: 0 }, NOW), NOW);
  assert.deepEqual([far.id, far.again], [null, NOW + 60 * MINUTE]);
});
