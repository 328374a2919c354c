import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULTS, Unreadable } from "../../docs/practice/records.js";
import { outcomes } from "../../docs/practice/schedule.js";
import { FORM, exported, imported, merged } from "../../docs/practice/transfer.js";

const NOW = Date.UTC(2026, 10, 23, 12);
const card = (id, last = NOW, rev = 1) => ({ ...outcomes(null, id, last)[4], rev });
const review = (key, id) => ({ key, id, at: NOW, grade: 4, ms: 10, before: null });
const INTERVIEW = {
  key: "i-1", at: NOW, seed: 7, role: "training", level: "mid", minutes: 30,
  asked: [{ id: "a.b", from: "", depth: 0, limit: 150, seconds: 90, strength: 1, hit: [0, 2], notes: "<b>α/r</b>" }],
};
const PROGRESS = {
  cards: [card("a.b"), card("c.d")], reviews: [review("k-1", "a.b"), review("k-2", "c.d")], interviews: [INTERVIEW], settings: DEFAULTS, aside: [],
};

test("what is exported comes back the same", () => {
  const { aside, ...kept } = PROGRESS;
  assert.equal(aside.length, 0);
  assert.deepEqual(imported(exported(PROGRESS, NOW)), kept);
});

test("a wrong file is refused whole, and the message says where", () => {
  const file = JSON.parse(exported(PROGRESS, NOW));
  const broken = change => {
    const copy = structuredClone(file);
    change(copy);
    return () => imported(JSON.stringify(copy));
  };
  assert.throws(() => imported("<html>"), /not JSON/);
  assert.throws(() => imported("[]"), Unreadable);
  assert.throws(() => imported("null"), Unreadable);
  assert.throws(broken(copy => { copy.app = "other"; }), /app: "other"/);
  assert.throws(broken(copy => { copy.form = FORM + 1; }), /form/);
  assert.throws(broken(copy => { copy.cards[1].due = "soon"; }), /cards\[1\]\.due: "soon"/);
  assert.throws(broken(copy => { copy.reviews = {}; }), /reviews/);
  assert.throws(broken(copy => { copy.interviews[0].role = "<script>"; }), /interviews\[0\]\.role/);
  assert.throws(broken(copy => { copy.interviews[0].asked[0].from = "javascript:alert(1)"; }), /interviews\[0\]\.asked\[0\]\.from/);
});

test("a file of the first form, which knew no interviews, still comes in", () => {
  const { interviews, ...first } = JSON.parse(exported(PROGRESS, NOW));
  assert.equal(interviews.length, 1);
  const read = imported(JSON.stringify({ ...first, form: 1 }));
  assert.deepEqual([read.cards.length, read.reviews.length, read.interviews.length], [2, 2, 0]);
  assert.throws(() => imported(JSON.stringify({ ...first, form: 0 })), /form: 0/);
});

test("of two histories every review stays, and the later card wins whichever side it is on", () => {
  const later = card("a.b", NOW + 5000, 1);
  const theirs = { cards: [later, card("e.f")], reviews: [review("k-1", "a.b"), review("k-3", "e.f")], interviews: [{ ...INTERVIEW, key: "i-2" }], settings: { ...DEFAULTS, fresh: 4 } };
  for (const [one, other] of [[PROGRESS, theirs], [theirs, PROGRESS]]) {
    const both = merged(one, other);
    assert.deepEqual(both.reviews.map(({ key }) => key).sort(), ["k-1", "k-2", "k-3"]);
    assert.deepEqual(both.interviews.map(({ key }) => key).sort(), ["i-1", "i-2"]);
    assert.equal(both.cards.length, 3);
    assert.equal(both.cards.find(({ id }) => id === "a.b").last, later.last);
  }
  const taken = merged(PROGRESS, theirs).cards.find(({ id }) => id === "a.b");
  assert.ok(taken.rev > 1, "an open tab must see that the card changed");
  assert.equal(merged(PROGRESS, theirs).settings.fresh, 4);
});
