/* The shapes of what is stored, and the only way in: everything read from the store or from a file goes through `checked`,
 * which builds a new record from the fields it knows and refuses the rest. */

import { LEVELS as INTERVIEW_LEVELS, ROLE_NAMES } from "./interview-plan.js";

/**
 * @typedef {object} Card how well a question is known
 * @property {string} id the question's id
 * @property {number} due milliseconds since 1970
 * @property {number} last of the latest review
 * @property {number} stability days
 * @property {number} difficulty 1 to 10
 * @property {number} state 0 new, 1 learning, 2 review, 3 relearning
 * @property {number} step within learning
 * @property {number} days the interval given last
 * @property {number} reps
 * @property {number} lapses
 * @property {number} rev grows by one with each change: two tabs cannot both write the same one
 */
/**
 * @typedef {object} Review one grade, with what it takes to undo it
 * @property {string} key
 * @property {string} id
 * @property {number} at
 * @property {1 | 2 | 3 | 4} grade
 * @property {number} ms from the question to the grade
 * @property {Card | null} before
 */
/** @typedef {{topics: string[], levels: string[], asked: number}} Deck */
/** @typedef {{fresh: number, repeated: number, retention: number, keys: boolean, deck: Deck}} Settings */
/** @typedef {import("./interview-plan.js").Course & {key: string, at: number}} Interview a finished one; `at`: when it began */
/** @typedef {{cards: Card[], reviews: Review[], interviews: Interview[], settings: Partial<Settings>}} Progress */

export const LEVELS = ["junior", "mid", "senior"];
export const LONGEST_TEXT = 20_000;
/** Between 2000 and 2200: anything else is no time. */
const TIMES = /** @type {const} */ ([946_684_800_000, 7_258_118_400_000]);
const ID = /^[a-z0-9-]{1,60}\.[a-z0-9-]{1,80}$/;
const NAME = /^[a-z0-9-]{1,60}$/;
const KEY = /^[A-Za-z0-9-]{1,80}$/;

/** A record is not what it should be; the message says where. */
export class Unreadable extends Error {}

/**
 * @template T
 * @typedef {(value: unknown, where: string) => T} Check
 */

/**
 * @param {unknown} value
 * @param {string} where
 * @param {string} wanted
 * @returns {never}
 */
export function refuse(value, where, wanted) {
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value).slice(0, 40);
  throw new Unreadable(`${where}: ${text}; expected ${wanted}`);
}

/**
 * @param {number} low
 * @param {number} high
 * @returns {Check<number>}
 */
export const number = (low, high) => (value, where) =>
  typeof value === "number" && value >= low && value <= high ? value : refuse(value, where, `a number from ${low} to ${high}`);

/**
 * @param {number} low
 * @param {number} high
 * @returns {Check<number>}
 */
export const whole = (low, high) => (value, where) =>
  Number.isInteger(value) ? number(low, high)(value, where) : refuse(value, where, `a whole number from ${low} to ${high}`);

export const time = whole(...TIMES);

/**
 * @param {RegExp} pattern
 * @returns {Check<string>}
 */
export const matching = pattern => (value, where) =>
  typeof value === "string" && pattern.test(value) ? value : refuse(value, where, `text like ${pattern.source}`);

export const questionId = matching(ID);
export const key = matching(KEY);

/** @type {Check<boolean>} */
export const flag = (value, where) => (typeof value === "boolean" ? value : refuse(value, where, "true or false"));

/** Free text: any characters, shown as text and never as markup. @type {Check<string>} */
export const text = (value, where) =>
  typeof value === "string" && value.length <= LONGEST_TEXT ? value : refuse(value, where, `text of at most ${LONGEST_TEXT} characters`);

/**
 * @template {string | number} T
 * @param {readonly T[]} values
 * @returns {Check<T>}
 */
export const oneOf = values => (value, where) =>
  values.includes(/** @type {T} */ (value)) ? /** @type {T} */ (value) : refuse(value, where, `one of ${values.join(", ")}`);

/**
 * @template T
 * @param {Check<T>} check
 * @param {number} [most]
 * @returns {Check<T[]>}
 */
export const list = (check, most = 100_000) => (value, where) =>
  Array.isArray(value) && value.length <= most
    ? value.map((item, index) => check(item, `${where}[${index}]`))
    : refuse(value, where, `a list of at most ${most}`);

/**
 * An object with exactly these fields; others are left out.
 * @template {Record<string, Check<any>>} F
 * @param {F} fields
 * @returns {Check<{[K in keyof F]: ReturnType<F[K]>}>}
 */
export const object = fields => (value, where) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(value, where, "an object");
  const given = /** @type {Record<string, unknown>} */ (value);
  const built = Object.entries(fields).map(([name, check]) =>
    [name, check(Object.hasOwn(given, name) ? given[name] : undefined, `${where}.${name}`)]);
  return Object.fromEntries(built);
};

/**
 * The fields that are there.
 * @template {Record<string, Check<any>>} F
 * @param {F} fields
 * @returns {Check<{[K in keyof F]?: ReturnType<F[K]>}>}
 */
export const partial = fields => (value, where) => {
  const given = typeof value === "object" && value !== null ? Object.keys(value) : [];
  const wanted = Object.fromEntries(Object.entries(fields).filter(([name]) => given.includes(name)));
  return /** @type {any} */ (object(wanted)(value, where));
};

/**
 * @template T
 * @param {Check<T>} check
 * @returns {Check<T | null>}
 */
export const optional = check => (value, where) => (value === null ? null : check(value, where));

/** @type {Check<Card>} */
export const card = object({
  id: questionId, due: time, last: time, stability: number(0.001, 36_500), difficulty: number(1, 10), state: whole(0, 3),
  step: whole(0, 10), days: whole(0, 36_500), reps: whole(0, 1e6), lapses: whole(0, 1e6), rev: whole(0, 1e9),
});

/** @type {Check<Review>} */
export const review = object({
  key, id: questionId, at: time, grade: oneOf(/** @type {const} */ ([1, 2, 3, 4])), ms: whole(0, 1e9), before: optional(card),
});

/** @type {Check<Deck>} */
export const deck = object({ topics: list(matching(NAME), 100), levels: list(oneOf(LEVELS), 3), asked: whole(0, 1000) });

/** @type {Check<import("./interview-plan.js").Asked>} */
export const asked = object({
  id: questionId, from: matching(/^$|^[a-z0-9-]{1,60}\.[a-z0-9-]{1,80}$/), depth: whole(0, 9), limit: whole(0, 36_000), seconds: whole(0, 360_000),
  strength: optional(oneOf(/** @type {const} */ ([0, 1, 2]))), hit: list(whole(0, 20), 20), notes: text,
});

const course = {
  seed: whole(0, 4_294_967_295), role: oneOf(ROLE_NAMES), level: oneOf(INTERVIEW_LEVELS), minutes: whole(1, 240), asked: list(asked, 500),
};
/** @type {Check<import("./interview-plan.js").Course>} */
export const courseOf = object(course);
/** @type {Check<Interview>} */
export const interview = object({ key, at: time, ...course });

export const SETTINGS = {
  fresh: whole(0, 999), repeated: whole(0, 999), retention: number(0.7, 0.97), keys: flag, deck,
};
/** @type {Check<Partial<Settings>>} */
export const settings = partial(SETTINGS);
/** @type {Settings} */
export const DEFAULTS = { fresh: 10, repeated: 60, retention: 0.9, keys: true, deck: { topics: [], levels: [], asked: 0 } };

/**
 * A key that no other tab or device will make.
 * @param {number} at
 */
export function newKey(at) {
  const random = crypto.getRandomValues(new Uint32Array(2));
  return `${at.toString(36)}-${random[0].toString(36)}${random[1].toString(36)}`;
}
