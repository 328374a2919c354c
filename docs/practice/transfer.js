/* Progress as a file. Pure: what leaves, what may come in, and how two histories become one. */

import * as records from "./records.js";

/** @typedef {import("./records.js").Progress} Progress */

export const APP = "lora-practice";
/** The form of a file written now. */
export const FORM = 2;
/** Form -> the step to the next one. */
/** @type {Record<number, (file: Record<string, unknown>) => Record<string, unknown>>} */
export const STEPS = {
  // The first form knew cards only.
  1: file => ({ ...file, form: 2, interviews: [] }),
};

/**
 * @param {Progress & {aside: unknown[]}} progress
 * @param {number} now
 */
export function exported({ cards, reviews, interviews, settings, aside }, now) {
  return JSON.stringify({ app: APP, form: FORM, at: now, cards, reviews, interviews, settings, aside }, null, 1);
}

/**
 * A file's text as progress: all of it, or an Unreadable that says where it is wrong. Nothing in it is ever run or shown as markup.
 * @param {string} content
 * @returns {Progress}
 */
export function imported(content) {
  const file = migrated(parsed(content));
  return {
    cards: records.list(records.card)(file.cards, "cards"),
    reviews: records.list(records.review)(file.reviews, "reviews"),
    interviews: records.list(records.interview, 10_000)(file.interviews, "interviews"),
    settings: records.settings(file.settings, "settings"),
  };
}

/**
 * @param {string} content
 * @returns {Record<string, unknown>}
 */
function parsed(content) {
  let file;
  try {
    file = JSON.parse(content);
  } catch (error) {
    throw new records.Unreadable(`not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof file !== "object" || file === null || file.app !== APP) return records.refuse(file?.app, "app", JSON.stringify(APP));
  return file;
}

/**
 * A file of any earlier form in today's.
 * @param {Record<string, unknown>} file
 * @returns {Record<string, unknown>}
 */
export function migrated(file) {
  let form = records.whole(1, FORM)(file.form, "form");
  for (; form < FORM; form++) file = STEPS[form](file);
  return file;
}

/**
 * Both histories: every review and interview once, and of each card the version with the later review.
 * @param {Progress} mine
 * @param {Progress} theirs
 * @returns {Progress}
 */
export function merged(mine, theirs) {
  const cards = new Map(mine.cards.map(card => [card.id, card]));
  for (const card of theirs.cards) {
    const there = cards.get(card.id);
    // A card that changes hands is a new version, so that an open tab notices.
    if (!there) cards.set(card.id, card);
    else if (card.last > there.last) cards.set(card.id, { ...card, rev: Math.max(card.rev, there.rev) + 1 });
  }
  const reviews = new Map([...mine.reviews, ...theirs.reviews].map(review => [review.key, review]));
  const interviews = new Map([...mine.interviews, ...theirs.interviews].map(interview => [interview.key, interview]));
  return {
    cards: [...cards.values()], reviews: [...reviews.values()], interviews: [...interviews.values()],
    settings: { ...mine.settings, ...theirs.settings },
  };
}
