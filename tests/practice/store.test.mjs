import assert from "node:assert/strict";
import { test } from "node:test";

import { memory } from "../../docs/practice/backend.js";
import { DEFAULTS } from "../../docs/practice/records.js";
import { outcomes } from "../../docs/practice/schedule.js";
import { Conflict, Store } from "../../docs/practice/store.js";

const NOW = Date.UTC(2026, 10, 23, 12);
const graded = (id, grade, before = null, at = NOW) =>
  [outcomes(before, id, at)[grade], { key: `k-${id.length}-${at}-${grade}`, id, at, grade, ms: 100, before }];

/** A store in memory; a channel between tabs would keep Node waiting. */
function opened(backend = memory()) {
  globalThis.BroadcastChannel = undefined;
  return new Store(backend);
}

test("a grade is a card and the review that made it", async () => {
  const store = opened();
  const [card, review] = graded("a.b", 3);
  await store.grade(card, review);
  const { cards, reviews, settings } = await store.load();
  assert.deepEqual([cards, reviews], [[card], [review]]);
  assert.deepEqual(settings, DEFAULTS);
});

test("who read an older version may not write", async () => {
  const store = opened();
  const [card, review] = graded("a.b", 3);
  await store.grade(card, review);
  const stale = graded("a.b", 1, null, NOW + 5);
  await assert.rejects(store.grade(...stale), Conflict);
  assert.deepEqual((await store.load()).cards, [card]);
  await store.grade(...graded("a.b", 4, card, NOW + 6));
  await assert.rejects(store.undo(review), Conflict, "it was graded again since");
});

test("undo brings back the card as it was, and a new one to nothing", async () => {
  const store = opened();
  const [first, one] = graded("a.b", 3);
  await store.grade(first, one);
  const [second, two] = graded("a.b", 1, first, NOW + 9);
  await store.grade(second, two);
  await store.undo(two);
  assert.deepEqual((await store.load()).cards, [first]);
  await store.undo(one);
  const { cards, reviews } = await store.load();
  assert.deepEqual([cards, reviews], [[], []]);
});

test("settings that make no sense fall back to the defaults, one by one", async () => {
  const store = opened();
  await store.set({ fresh: 3, retention: 7 });
  const { settings } = await store.load();
  assert.deepEqual([settings.fresh, settings.retention], [3, DEFAULTS.retention]);
});

test("what comes in is merged, and a wipe leaves nothing", async () => {
  const store = opened();
  const [card, review] = graded("a.b", 3);
  await store.grade(card, review);
  const [other, its] = graded("c.d", 4);
  await store.add({ cards: [other], reviews: [its], interviews: [], settings: { fresh: 1 } });
  const found = await store.load();
  assert.deepEqual([found.cards.length, found.reviews.length, found.settings.fresh], [2, 2, 1]);
  await store.wipe();
  const empty = await store.load();
  assert.deepEqual([empty.cards, empty.reviews, empty.settings], [[], [], DEFAULTS]);
});

test("a full disk moves the session to memory, with all that was there, and says so once", async () => {
  const disk = memory();
  let full = false;
  const backend = { run: (names, mode, work) => {
    if (full && mode === "readwrite") throw new DOMException("no room", "QuotaExceededError");
    return disk.run(names, mode, work);
  } };
  const store = opened(backend), told = [];
  store.onTrouble = trouble => told.push(trouble);
  const [card, review] = graded("a.b", 3);
  await store.grade(card, review);
  full = true;
  for (const id of ["c.d", "e.f"]) await store.grade(...graded(id, 4));
  assert.deepEqual((await store.load()).cards.map(({ id }) => id).sort(), ["a.b", "c.d", "e.f"]);
  assert.deepEqual([told, store.kept], [["full"], false]);
});

test("a recording is kept or there is no room for it; it never stands in what is loaded", async () => {
  const store = opened();
  assert.ok(await store.record("i-1-0", new Blob(["sound"])));
  assert.equal((await store.recording("i-1-0")).size, 5);
  assert.equal(await store.recording("i-1-1"), null);
  assert.ok(!JSON.stringify(await store.load()).includes("sound"));
});
