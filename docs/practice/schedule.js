/* When a card comes back: FSRS, through ts-fsrs. Pure: the time comes in as an argument. */

import { createEmptyCard, fsrs, State } from "./vendor/ts-fsrs.js";
import { DAY, MINUTE, practiceDay, practiceTime } from "./clock.js";

/** @typedef {import("./records.js").Card} Card */
/** @typedef {1 | 2 | 3 | 4} Grade again, hard, good, easy */

export const GRADES = /** @type {const} */ ([1, 2, 3, 4]);
export const RETENTION = 0.9;
/** No card waits longer than this many days: an interview is rarely further away than half a year. */
export const LONGEST = 180;

/**
 * What each grade would make of a card, as shown on the four buttons.
 *
 * ts-fsrs counts elapsed days between UTC dates, so it is given the practice clock: reviewing before and after midnight
 * of one evening is the same day, in every time zone.
 * @param {Card | null} card null: never seen
 * @param {string} id the question's id
 * @param {number} now
 * @param {{retention?: number, longest?: number}} [wish]
 * @returns {Record<Grade, Card>}
 */
export function outcomes(card, id, now, { retention = RETENTION, longest = LONGEST } = {}) {
  const library = fsrs({ request_retention: retention, maximum_interval: longest, enable_fuzz: false });
  const shown = new Date(Math.max(practiceTime(now), card ? practiceTime(card.last) : 0));
  const found = library.repeat(toLibrary(card, shown), shown);
  const next = (/** @type {Grade} */ grade) => {
    const made = fromLibrary(found[grade].card, id, now, shown.getTime(), card);
    // To keep the buttons apart, ts-fsrs goes past its own maximum.
    return made.days > longest ? { ...made, days: longest, due: now + longest * DAY } : made;
  };
  return { 1: next(1), 2: next(2), 3: next(3), 4: next(4) };
}

/**
 * @param {Card | null} card
 * @param {Date} shown
 */
function toLibrary(card, shown) {
  if (!card) return createEmptyCard(shown);
  const last = practiceTime(card.last);
  return {
    due: new Date(last + (card.due - card.last)), stability: card.stability, difficulty: card.difficulty,
    elapsed_days: 0, scheduled_days: card.days, reps: card.reps, lapses: card.lapses, learning_steps: card.step,
    state: /** @type {State} */ (card.state), last_review: new Date(last),
  };
}

/**
 * @param {import("./vendor/ts-fsrs.js").Card} card
 * @param {string} id
 * @param {number} now
 * @param {number} shown what the practice clock says now
 * @param {Card | null} before
 * @returns {Card}
 */
function fromLibrary(card, id, now, shown, before) {
  return {
    id, due: now + (card.due.getTime() - shown), last: now, stability: card.stability, difficulty: card.difficulty,
    state: card.state, step: card.learning_steps, days: card.scheduled_days, reps: card.reps, lapses: card.lapses,
    rev: (before?.rev ?? 0) + 1,
  };
}

/**
 * In the minutes-long steps of a new or a forgotten card.
 * @param {Card} card
 */
export function isLearning(card) {
  return card.state === State.Learning || card.state === State.Relearning;
}

/**
 * A card in its steps is due to the minute, any other from the beginning of its day.
 * @param {Card} card
 * @param {number} now
 */
export function isDue(card, now) {
  return isLearning(card) ? card.due <= now : practiceDay(card.due) <= practiceDay(now);
}

/**
 * The interval on a grade's button.
 * @param {Card} card
 * @returns {{minutes: number} | {days: number}}
 */
export function interval(card) {
  return isLearning(card) ? { minutes: Math.round((card.due - card.last) / MINUTE) } : { days: card.days };
}
