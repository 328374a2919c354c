/* What a finished interview showed. Pure. */

import { LEVELS } from "./interview-plan.js";

/** @typedef {import("./questions.js").Question} Question */
/** @typedef {import("./interview-plan.js").Course} Course */
/** @typedef {{topic: string, hit: number, of: number}} TopicScore */
/** @typedef {{id: string, points: {text: string, level: string, hit: boolean}[], seconds: number, limit: number, notes: string, strength: number | null}} Line */

/**
 * The points of a rubric that this level is expected to make; of a question above the level, its easiest ones.
 * @param {Question} question
 * @param {string} level
 */
export function expected({ rubric }, level) {
  const rank = (/** @type {string} */ name) => LEVELS.indexOf(/** @type {import("./interview-plan.js").Level} */ (name));
  const most = Math.max(rank(level), Math.min(...rubric.map(point => rank(point.level))));
  return rubric.map((point, index) => ({ ...point, index })).filter(point => rank(point.level) <= most);
}

/**
 * Questions that have left the bank since are left out.
 * @param {Question[]} bank
 * @param {Course} course
 */
export function report(bank, course) {
  /** @type {Map<string, TopicScore>} */
  const topics = new Map();
  /** @type {Line[]} */
  const lines = [];
  for (const asked of course.asked) {
    const question = bank.find(({ id }) => id === asked.id);
    if (!question || asked.strength === null) continue;
    const points = expected(question, course.level).map(({ text, level, index }) => ({ text, level, hit: asked.hit.includes(index) }));
    const topic = topics.get(question.topic) ?? { topic: question.topic, hit: 0, of: 0 };
    topic.hit += points.filter(({ hit }) => hit).length;
    topic.of += points.length;
    topics.set(question.topic, topic);
    const { id, seconds, limit, notes, strength } = asked;
    lines.push({ id, points, seconds, limit, notes, strength });
  }
  const all = [...topics.values()];
  return {
    lines, topics: all.sort((a, b) => a.hit / a.of - b.hit / b.of), weak: all.filter(({ hit, of }) => hit < 0.6 * of),
    hit: sum(all.map(({ hit }) => hit)), of: sum(all.map(({ of }) => of)), seconds: sum(lines.map(({ seconds }) => seconds)),
    over: lines.filter(({ seconds, limit }) => seconds > limit).length, study: study(bank, lines),
  };
}

/**
 * The interviews in their order, each with its score and the percentage points gained on the one before it of the same role and level.
 * @param {Question[]} bank
 * @param {import("./records.js").Interview[]} past
 */
export function compared(bank, past) {
  /** @type {Map<string, number>} */
  const before = new Map();
  return past.map(interview => {
    const { hit, of, over } = report(bank, interview);
    const share = of ? hit / of : 0, percent = Math.round(100 * share), like = `${interview.role} ${interview.level}`;
    const gained = before.has(like) ? percent - (before.get(like) ?? 0) : null;
    before.set(like, percent);
    return { interview, hit, of, over, share, gained };
  });
}

/**
 * What to read next: the questions that missed most, then where their follow-ups lead.
 * @param {Question[]} bank
 * @param {Line[]} lines
 */
function study(bank, lines) {
  const missed = lines.map(line => ({ line, share: line.points.filter(({ hit }) => !hit).length / Math.max(1, line.points.length) }))
    .filter(({ share }) => share > 0.34).sort((a, b) => b.share - a.share).map(({ line }) => line.id);
  const beyond = missed.flatMap(id => bank.find(question => question.id === id)?.followups.map(({ to }) => to) ?? []);
  return [...new Set([...missed, ...beyond])].filter(id => bank.some(question => question.id === id)).slice(0, 6);
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, one) => total + one, 0);
}
