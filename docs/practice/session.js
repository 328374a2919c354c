/* Which card comes next. Pure: worked out afresh from what is stored, so a reload or another tab changes nothing. */

import { MINUTE, practiceDay } from "./clock.js";
import { isDue, isLearning } from "./schedule.js";

/** @typedef {import("./records.js").Card} Card */
/** @typedef {import("./records.js").Review} Review */
/** @typedef {import("./records.js").Deck} Deck */
/** @typedef {{id: string, topic: string, level: string, asked: number}} Listed what choosing needs of a question */
/** @typedef {{learning: number, due: number, fresh: number}} Counts */

/** With nothing else left, a card in its steps comes up to this much early. */
const AHEAD = 20 * MINUTE;

/**
 * The questions of a deck, in their order.
 * @template {Listed} Q
 * @param {Q[]} questions
 * @param {Deck} deck
 * @returns {Q[]}
 */
export function inDeck(questions, deck) {
  return questions.filter(({ topic, level, asked }) =>
    (!deck.topics.length || deck.topics.includes(topic)) && (!deck.levels.length || deck.levels.includes(level)) && asked >= deck.asked);
}

/**
 * What was done today, in all decks together: the daily limits are a person's, not a deck's.
 * @param {Review[]} reviews
 * @param {number} now
 */
export function doneToday(reviews, now) {
  const today = practiceDay(now);
  const done = reviews.filter(({ at }) => practiceDay(at) === today);
  const fresh = done.filter(({ before }) => !before).length;
  // Steps within the day are part of one review.
  const repeated = done.filter(({ before }) => before && !isLearning(before)).length;
  return { fresh, repeated, all: done.length };
}

/**
 * The cards that wait, by the reason for which they wait.
 * @param {Listed[]} questions of the deck
 * @param {Map<string, Card>} cards
 * @param {Review[]} reviews
 * @param {{fresh: number, repeated: number}} limits per day
 * @param {number} now
 */
export function waiting(questions, cards, reviews, limits, now) {
  const done = doneToday(reviews, now);
  /** @type {Card[]} */
  const learning = [], due = [];
  const fresh = [];
  for (const { id } of questions) {
    const card = cards.get(id);
    if (!card) fresh.push(id);
    else if (isLearning(card)) learning.push(card);
    else if (isDue(card, now)) due.push(card);
  }
  learning.sort((a, b) => a.due - b.due);
  due.sort((a, b) => a.due - b.due || b.difficulty - a.difficulty);
  return {
    learning,
    due: due.slice(0, Math.max(0, limits.repeated - done.repeated)).map(card => card.id),
    fresh: fresh.slice(0, Math.max(0, limits.fresh - done.fresh)),
    heldBack: fresh.length > Math.max(0, limits.fresh - done.fresh),
  };
}

/**
 * The next card, how many are left, and when to come back if there is none.
 * @param {ReturnType<typeof waiting>} queue
 * @param {number} now
 * @returns {{id: string | null, counts: Counts, again: number | null}}
 */
export function next({ learning, due, fresh }, now) {
  const ready = learning.find(card => card.due <= now);
  const early = learning.find(card => card.due <= now + AHEAD);
  const counts = { learning: learning.length, due: due.length, fresh: fresh.length };
  const id = ready?.id ?? due[0] ?? fresh[0] ?? early?.id ?? null;
  return { id, counts, again: id ? null : learning[0]?.due ?? null };
}
