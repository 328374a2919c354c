/* One question of an interview: first asked, with the clock running; then graded against the rubric, with the clock stopped. */

import { answer, h } from "./dom.js";
import { expected } from "./interview-report.js";
import { clockText } from "./interview-words.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./interview-words.js").Say} Say */
/** @typedef {import("./questions.js").Question} Question */
/** @typedef {import("./interview-plan.js").Asked} Asked */
/** @typedef {import("./interview-plan.js").Strength} Strength */
/** @typedef {{asked: Asked, number: number, phase: "asking" | "grading", since: number, left: number, level: string}} Turn */

export const STRENGTHS = /** @type {const} */ (["weak", "fair", "strong"]);

/**
 * What the interviewer says: the question, or its wording as a follow-up of the one before.
 * @param {Shell} shell
 * @param {Asked} asked
 */
function wording({ bank: { questions }, root }, { id, from }) {
  const asFollowUp = questions.find(question => question.id === from)?.followups.find(({ to }) => to === id)?.ask;
  return asFollowUp ? answer(asFollowUp, root) : questions.find(question => question.id === id)?.title ?? id;
}

/**
 * @param {Shell} shell
 * @param {Say} say
 * @param {Turn} turn
 * @param {HTMLElement} record
 * @param {{answered: () => void, quit: () => void, grade: (strength: Strength) => void, save: () => void}} act
 */
export function turnView(shell, say, turn, record, act) {
  const { bank } = shell;
  const { asked, number, phase } = turn;
  const question = /** @type {Question} */ (bank.questions.find(({ id }) => id === asked.id));
  const clock = h("p", { class: "clock", role: "timer" });
  const element = h("div", { class: "interview-turn" },
    h("div", { class: "round-bar" }, clock, h("button", { type: "button", class: "quiet", "data-act": "quit", onclick: act.quit }, say("quit"))),
    h("section", { class: "card", "data-id": question.id, "aria-labelledby": "card-title" },
      h("p", { class: "card-tags" }, say("question", number), asked.from ? ` · ${say("followUp")}` : ""),
      h("h2", { id: "card-title", class: "card-title", tabIndex: -1 }, wording(shell, asked)),
      notes(say, asked, act),
      phase === "asking" ? record : grading(shell, say, question, turn, act)),
    phase === "asking"
      ? h("p", { class: "card-go" }, h("button", { type: "button", class: "primary", "data-act": "answered", onclick: act.answered }, say("answered")))
      : h("div", { class: "grades grades-3", role: "group", "aria-label": say("strength") }, STRENGTHS.map((name, index) =>
        h("button", { type: "button", "data-strength": index, onclick: () => act.grade(/** @type {Strength} */ (index)) }, h("b", {}, say(name))))));
  const tick = () => showTime(say, clock, turn);
  tick();
  return { element, tick };
}

/**
 * @param {Say} say
 * @param {HTMLElement} clock
 * @param {Turn} turn
 */
function showTime(say, clock, { asked, phase, since, left }) {
  const spent = phase === "asking" ? (Date.now() - since) / 1000 : asked.seconds;
  const over = spent > asked.limit;
  clock.classList.toggle("clock-over", over);
  clock.replaceChildren(h("b", {}, clockText(spent)), ` ${over ? say("over") : say("limit", clockText(asked.limit))} · ${say("left", clockText(left - spent))}`);
}

/**
 * @param {Say} say
 * @param {Asked} asked
 * @param {{save: () => void}} act
 */
function notes(say, asked, act) {
  return h("textarea", { class: "own-answer", rows: 3, value: asked.notes, maxLength: 5000, placeholder: say("notes"), "aria-label": say("notes"),
    oninput: (/** @type {Event} */ event) => {
      asked.notes = /** @type {HTMLTextAreaElement} */ (event.target).value;
      act.save();
    } });
}

/**
 * @param {Shell} shell
 * @param {Say} say
 * @param {Question} question
 * @param {Turn} turn
 * @param {{save: () => void}} act
 */
function grading({ bank, root }, say, question, { asked, level }, act) {
  const points = expected(question, level).map(({ text, level: own, index }) => {
    const tick = (/** @type {Event} */ event) => {
      asked.hit = asked.hit.filter(at => at !== index);
      if (/** @type {HTMLInputElement} */ (event.target).checked) asked.hit.push(index);
      act.save();
    };
    return h("li", {}, h("label", {}, h("input", { type: "checkbox", checked: asked.hit.includes(index), onchange: tick }),
      h("span", { class: `level level-${own}` }, bank.levels[own]), h("span", {}, answer(text, root))));
  });
  return h("div", { class: "card-back" },
    h("h3", { id: "card-answer", tabIndex: -1 }, say("points")), h("div", { class: "rubric" }, h("ul", {}, points)),
    h("h3", {}, say("sixty")), h("div", { class: "answer sixty-seconds" }, answer(question.sixty, root)));
}
