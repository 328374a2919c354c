/* One card: the question first, then the answer, the rubric and the four grades. */

import { answer, h } from "./dom.js";
import { GRADES, interval } from "./schedule.js";
import { swipeable } from "./swipe.js";
import { spanText } from "./words.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./questions.js").Question} Question */
/** @typedef {import("./schedule.js").Grade} Grade */
/** @typedef {{id: string, revealed: boolean, typed: string, ticks: number[], since: number, done: string[], extra: number}} Turn */

/** @type {Record<Grade, "again" | "hard" | "good" | "easy">} */
export const GRADE_WORDS = { 1: "again", 2: "hard", 3: "good", 4: "easy" };

/**
 * @param {Shell} shell
 * @param {Question} question
 * @param {Turn} turn
 * @param {Record<Grade, import("./records.js").Card>} outcomes
 * @param {import("./session.js").Counts} counts
 * @param {{reveal: () => void, grade: (grade: Grade) => void, undo: () => void, stop: () => void, save: () => void}} act
 */
export function cardView(shell, question, turn, outcomes, counts, act) {
  const { say, bank } = shell;
  const topic = bank.topics.find(({ id }) => id === question.topic)?.title ?? question.topic;
  const card = h("section", { class: "card", "data-id": question.id, "aria-labelledby": "card-title" },
    h("p", { class: "card-tags" }, topic, " · ", bank.levels[question.level], " · ", bank.kinds[question.kind]),
    h("h2", { id: "card-title", class: "card-title", tabIndex: -1 }, question.title),
    ownAnswer(say, turn, act),
    turn.revealed ? back(shell, question, turn, act) : null);
  if (turn.revealed) swipeable(card, side => act.grade(side === "right" ? 3 : 1));
  return h("div", { class: "round" }, bar(say, counts, turn, act), card,
    turn.revealed
      ? grades(say, outcomes, act)
      : h("p", { class: "card-go" }, h("button", { class: "primary", type: "button", onclick: act.reveal }, say("reveal"))),
    h("p", { class: "hint hint-keys" }, say("keysHint")), h("p", { class: "hint hint-swipe" }, say("swipeHint")));
}

/**
 * @param {Shell["say"]} say
 * @param {import("./session.js").Counts} counts
 * @param {Turn} turn
 * @param {{undo: () => void, stop: () => void}} act
 */
function bar(say, { due, learning, fresh }, turn, act) {
  const left = [["due", due], ["learning", learning], ["fresh", fresh]];
  return h("div", { class: "round-bar" },
    h("p", { class: "round-left" }, left.map(([kind, n]) => h("span", { class: `left left-${kind}`, "data-count": kind }, say(/** @type {"due"} */ (kind)), " ", h("b", {}, n)))),
    h("button", { type: "button", class: "quiet", "data-act": "undo", disabled: !turn.done.length, onclick: act.undo }, say("undo")),
    h("button", { type: "button", class: "quiet", "data-act": "stop", onclick: act.stop }, say("stop")));
}

/**
 * @param {Shell["say"]} say
 * @param {Turn} turn
 * @param {{save: () => void, reveal: () => void}} act
 */
function ownAnswer(say, turn, act) {
  return h("textarea", {
    class: "own-answer", rows: 3, value: turn.typed, placeholder: say("yourAnswer"), "aria-label": say("yourAnswer"), maxLength: 5000,
    oninput: (/** @type {Event} */ event) => {
      turn.typed = /** @type {HTMLTextAreaElement} */ (event.target).value;
      act.save();
    },
  });
}

/**
 * @param {Shell} shell
 * @param {Question} question
 * @param {Turn} turn
 * @param {{save: () => void}} act
 */
function back({ say, root, bank }, question, turn, act) {
  const points = question.rubric.map(({ level, text }, index) => {
    const tick = (/** @type {Event} */ event) => {
      turn.ticks = turn.ticks.filter(at => at !== index);
      if (/** @type {HTMLInputElement} */ (event.target).checked) turn.ticks.push(index);
      act.save();
    };
    return h("li", {}, h("label", {}, h("input", { type: "checkbox", checked: turn.ticks.includes(index), onchange: tick }),
      h("span", { class: `level level-${level}` }, bank.levels[level]), h("span", {}, answer(text, root))));
  });
  return h("div", { class: "card-back" },
    h("h3", { id: "card-answer", tabIndex: -1 }, say("sixty")),
    h("div", { class: "answer sixty-seconds" }, answer(question.sixty, root)),
    h("h3", {}, say("rubric")), h("div", { class: "rubric" }, h("ul", {}, points)),
    h("details", { class: "follow-ups" }, h("summary", {}, say("followups")),
      h("ul", {}, question.followups.map(({ ask, answer: reply }) => h("li", {}, h("strong", {}, answer(ask, root)), h("br"), answer(reply, root))))),
    h("p", { class: "card-more" }, h("a", { href: root + question.url }, say("fullAnswer"))));
}

/**
 * @param {Shell["say"]} say
 * @param {Record<Grade, import("./records.js").Card>} outcomes
 * @param {{grade: (grade: Grade) => void}} act
 */
function grades(say, outcomes, act) {
  return h("div", { class: "grades", role: "group", "aria-label": say("grade") }, GRADES.map(grade =>
    h("button", { type: "button", class: `grade grade-${grade}`, "data-grade": grade, onclick: () => act.grade(grade) },
      h("b", {}, say(GRADE_WORDS[grade])), h("small", {}, spanText(say, interval(outcomes[grade]))))));
}
