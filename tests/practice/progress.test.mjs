import assert from "node:assert/strict";
import { test } from "node:test";

import { DAY, practiceDay, weekday } from "../../docs/practice/clock.js";
import { byTopic, depth, forecast, heat, retention, streak } from "../../docs/practice/progress-facts.js";
import { outcomes } from "../../docs/practice/schedule.js";

const NOW = new Date(2026, 10, 25, 12).getTime(); // a Wednesday
const CARD = outcomes(null, "a.b", NOW)[4];
const known = { ...CARD, state: 2 };
const review = (days, grade = 3, before = known) => ({ key: `k${days}-${grade}`, id: "a.b", at: NOW - days * DAY, grade, ms: 1, before });

test("the heat map is whole weeks from Monday, and the days to come are empty", () => {
  const days = heat([review(0), review(0), review(1), review(400)], NOW, 26);
  assert.equal(days.length, 182);
  assert.equal(weekday(days[0].day), 0);
  const today = days.findIndex(({ day }) => day === practiceDay(NOW));
  assert.equal(today, 181 - 4);
  assert.deepEqual(days.slice(today - 1, today + 2).map(({ count }) => count), [1, 2, -1]);
  assert.equal(days.reduce((sum, { count }) => sum + Math.max(0, count), 0), 3);
  assert.deepEqual([-1, 0, 1, 5, 12, 25].map(depth), [0, 0, 1, 2, 3, 4]);
});

test("the forecast puts what is overdue on today and leaves out what lies beyond", () => {
  const due = days => ({ ...CARD, due: NOW + days * DAY });
  const counts = forecast([due(-9), due(0), due(1), due(1), due(13), due(14)], NOW, 14).map(({ count }) => count);
  assert.deepEqual(counts, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test("a topic counts what was seen and what is firm", () => {
  const cards = [{ ...known, id: "x.1", days: 30 }, { ...known, id: "x.2", days: 3 }, { ...known, id: "gone.1", days: 90 }];
  const questions = ["x.1", "x.2", "x.3", "y.1"].map(id => ({ id, topic: id[0] }));
  const rows = byTopic([{ id: "x", title: "X" }, { id: "y", title: "Y" }], questions, cards);
  assert.deepEqual(rows.map(({ all, seen, firm }) => [all, seen, firm]), [[3, 2, 1], [1, 0, 0]]);
});

test("remembering counts reviews of known cards only, and a streak bears today still empty", () => {
  assert.equal(retention([], NOW, 30), null);
  assert.equal(retention([review(1, 1), review(2, 3), review(3, 4), review(4, 1, null), review(60, 1)], NOW, 30), 2 / 3);
  assert.equal(streak([review(1), review(2), review(4)], NOW), 2);
  assert.equal(streak([review(0), review(1)], NOW), 2);
  assert.equal(streak([review(2)], NOW), 0);
});
