import assert from "node:assert/strict";
import { test } from "node:test";

import * as records from "../../docs/practice/records.js";
import { outcomes } from "../../docs/practice/schedule.js";

const NOW = Date.UTC(2026, 10, 23, 12);
const CARD = outcomes(null, "math.lora-formula", NOW)[3];
const REVIEW = { key: "a-1", id: CARD.id, at: NOW, grade: 3, ms: 1200, before: null };
const MARKUP = '<img src=x onerror="alert(1)">';

test("what the scheduler makes is what the store takes", () => {
  for (const grade of [1, 2, 3, 4]) assert.deepEqual(records.card(outcomes(CARD, CARD.id, NOW + 1e8)[grade], "card"), outcomes(CARD, CARD.id, NOW + 1e8)[grade]);
  assert.deepEqual(records.review({ ...REVIEW, before: CARD }, "review"), { ...REVIEW, before: CARD });
});

test("a record is rebuilt from known fields; what else it carries is left behind", () => {
  const polluted = JSON.parse(JSON.stringify({ ...CARD, extra: MARKUP }).replace("{", '{"__proto__": {"rev": 9},'));
  assert.deepEqual(Object.keys(records.card(polluted, "card")).sort(), Object.keys(CARD).sort());
  assert.equal(/** @type {any} */ ({}).rev, undefined);
});

test("every field of a card and a review refuses markup, nothing and nonsense", () => {
  let tried = 0;
  for (const [check, good] of [[records.card, CARD], [records.review, REVIEW]]) {
    for (const name of Object.keys(good)) {
      for (const bad of [MARKUP, undefined, NaN, -1, Infinity, {}, [1], true]) {
        assert.throws(() => check({ ...good, [name]: bad }, "record"), error => error instanceof records.Unreadable && error.message.startsWith(`record.${name}`), `${name}: ${bad}`);
        tried += 1;
      }
    }
  }
  assert.equal(tried, (11 + 6) * 8);
});

test("settings may be partial, but each one that is there is checked", () => {
  assert.deepEqual(records.settings({ fresh: 3, unknown: 1 }, "settings"), { fresh: 3 });
  assert.throws(() => records.settings({ deck: { topics: [MARKUP], levels: [], asked: 0 } }, "settings"), /settings\.deck\.topics\[0\]/);
  assert.throws(() => records.settings({ retention: 2 }, "settings"), /settings\.retention: 2; expected a number from 0\.7 to 0\.97/);
});

test("keys differ even within one millisecond", () => {
  const keys = new Set(Array.from({ length: 200 }, () => records.newKey(NOW)));
  assert.equal(keys.size, 200);
  for (const key of keys) assert.equal(records.key(key, "key"), key);
});
