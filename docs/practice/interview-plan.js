/* The course of a mock interview. Pure and seeded: the same seed and the same grades ask the same questions.
 *
 * It starts broad, then follows an answer downwards: a strong one to a harder follow-up, a fair one to one of the same level, a
 * weak one nowhere; after at most DEEPEST follow-ups it turns to another topic. */

/** @typedef {import("./questions.js").Question} Question */
/** @typedef {"research" | "training" | "systems" | "multimodal"} Role */
/** @typedef {"junior" | "mid" | "senior"} Level */
/** @typedef {0 | 1 | 2} Strength weak, fair, strong */
/**
 * @typedef {object} Asked one question of the interview
 * @property {string} id
 * @property {string} from the question whose follow-up it is, or ""
 * @property {number} depth 0 for the first of a topic
 * @property {number} limit seconds that it should take
 * @property {number} seconds that it took
 * @property {Strength | null} strength as graded by oneself; null: not yet
 * @property {number[]} hit the rubric's points that were said
 * @property {string} notes
 */
/** @typedef {{seed: number, role: Role, level: Level, minutes: number, asked: Asked[]}} Course */

export const LEVELS = /** @type {Level[]} */ (["junior", "mid", "senior"]);
export const MINUTES = [15, 30, 45];
const FIRST_SECONDS = 150, FOLLOW_UP_SECONDS = 100, LAST_SECONDS = 60, DEEPEST = 2;

/** How much of the interview a role gives to each topic. @type {Record<Role, Record<string, number>>} */
export const ROLES = {
  research: { principles: 4, math: 5, variants: 4, comparisons: 4, hyperparameters: 3, evaluation: 3, memory: 1, coding: 2, project: 2, vlm: 1 },
  training: { principles: 3, hyperparameters: 4, memory: 5, evaluation: 4, comparisons: 3, coding: 3, math: 2, variants: 2, project: 3, engineering: 2 },
  systems: { principles: 2, memory: 5, engineering: 5, variants: 2, comparisons: 2, coding: 3, hyperparameters: 2, project: 2, evaluation: 1 },
  multimodal: { principles: 3, vlm: 5, memory: 3, project: 4, comparisons: 2, hyperparameters: 3, evaluation: 3, math: 1, engineering: 2 },
};
export const ROLE_NAMES = /** @type {Role[]} */ (Object.keys(ROLES));

/**
 * Numbers in [0, 1) that depend on the seed alone (mulberry32).
 * @param {number} seed
 */
export function drawn(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The seconds left after what was asked so far.
 * @param {Course} course
 */
export function secondsLeft({ minutes, asked }) {
  return minutes * 60 - asked.reduce((sum, { seconds }) => sum + seconds, 0);
}

/**
 * The next question, or null when time or questions have run out. Everything asked so far must be graded.
 * @param {Question[]} bank
 * @param {Course} course
 * @returns {Asked | null}
 */
export function nextQuestion(bank, course) {
  const left = secondsLeft(course);
  if (left < LAST_SECONDS) return null;
  const found = followUp(bank, course) ?? turn(bank, course);
  if (!found) return null;
  const limit = Math.min(left, found.depth ? FOLLOW_UP_SECONDS : FIRST_SECONDS);
  return { ...found, limit, seconds: 0, strength: null, hit: [], notes: "" };
}

/**
 * @param {Question[]} bank
 * @param {Course} course
 */
function followUp(bank, { asked }) {
  const last = asked.at(-1);
  if (!last?.strength || last.depth >= DEEPEST) return null;
  const question = bank.find(({ id }) => id === last.id);
  const level = LEVELS.indexOf(/** @type {Level} */ (question?.level));
  const open = (question?.followups ?? []).flatMap(({ to }) => bank.filter(({ id }) => id === to && !asked.some(one => one.id === id)));
  const rank = (/** @type {Question} */ { level: own }) => LEVELS.indexOf(/** @type {Level} */ (own)) - level;
  // The order within the file is the order in which interviewers go on.
  const next = last.strength === 2
    ? [...open].sort((a, b) => rank(b) - rank(a))[0]
    : open.find(one => rank(one) <= 0) ?? open[0];
  return next ? { id: next.id, from: last.id, depth: last.depth + 1 } : null;
}

/**
 * Another topic: broad and often asked first, and by the role's weights.
 * @param {Question[]} bank
 * @param {Course} course
 */
function turn(bank, { seed, role, level, asked }) {
  const rest = bank.filter(({ id, kind }) => kind !== "behaviour" && !asked.some(one => one.id === id));
  const fitting = rest.filter(question => suits(question, level));
  // A long interview can use up what fits.
  const left = fitting.length ? fitting : rest;
  const broad = asked.length ? [] : left.filter(({ topic }) => topic === "principles");
  const open = broad.length ? broad : left;
  const used = asked.map(({ id }) => bank.find(question => question.id === id)?.topic);
  const weights = open.map(question => weight(question, role, level, used, asked.length));
  const random = drawn(seed + 7919 * asked.length);
  const at = pick(weights, random());
  return at < 0 ? null : { id: open[at].id, from: "", depth: 0 };
}

/**
 * Nobody asks a junior a senior's question first.
 * @param {Question} question
 * @param {Level} level
 */
function suits(question, level) {
  return LEVELS.indexOf(/** @type {Level} */ (question.level)) <= LEVELS.indexOf(level);
}

/**
 * @param {Question} question
 * @param {Role} role
 * @param {Level} level
 * @param {(string | undefined)[]} used topics so far
 * @param {number} count questions so far
 */
function weight({ topic, level: own, asked }, role, level, used, count) {
  const often = 1 + asked;
  if (!count) return often;
  const fresh = 1 / (1 + 3 * used.filter(one => one === topic).length);
  // Later questions come from the level that is applied for.
  const fitting = own === level ? 1 + Math.min(count, 6) / 2 : 1;
  return (ROLES[role][topic] ?? 0.5) * fresh * fitting * Math.sqrt(often);
}

/**
 * The index that a number in [0, 1) falls on.
 * @param {number[]} weights
 * @param {number} at
 */
function pick(weights, at) {
  let rest = at * weights.reduce((sum, one) => sum + one, 0);
  return weights.findIndex(one => (rest -= one) < 0);
}
