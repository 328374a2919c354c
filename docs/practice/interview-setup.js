/* Before an interview: role, level, length; and the interviews so far, to compare. */

import { dateOf, practiceDay } from "./clock.js";
import { one } from "./choices.js";
import { h } from "./dom.js";
import { LEVELS, MINUTES, ROLE_NAMES } from "./interview-plan.js";
import { compared } from "./interview-report.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./interview-words.js").Say} Say */
/** @typedef {import("./records.js").Interview} Interview */
/** @typedef {{role: import("./interview-plan.js").Role, level: import("./interview-plan.js").Level, minutes: number}} Wish */

/**
 * @param {Shell} shell
 * @param {Say} say
 * @param {Interview[]} past
 * @param {Wish} wish changed in place
 * @param {{begin: () => void, open: (interview: Interview) => void, forget: (interview: Interview) => void}} act
 */
export function setupView(shell, say, past, wish, act) {
  const { bank } = shell;
  return h("div", { class: "setup" },
    h("p", { class: "setup-how" }, say("howItGoes")),
    one(say("role"), "role", ROLE_NAMES.map(id => ({ id, title: say(id) })), wish.role, id => { wish.role = /** @type {Wish["role"]} */ (id); }),
    one(say("level"), "level", LEVELS.map(id => ({ id, title: bank.levels[id] })), wish.level, id => { wish.level = /** @type {Wish["level"]} */ (id); }),
    one(say("length"), "minutes", MINUTES.map(n => ({ id: String(n), title: say("minutes", n) })), String(wish.minutes), id => { wish.minutes = Number(id); }),
    h("p", { class: "card-go" }, h("button", { type: "button", class: "primary", "data-act": "begin", onclick: act.begin }, say("begin"))),
    past.length ? history(shell, say, past, act) : null);
}

/**
 * The newest first, each against the one before it of the same role and level.
 * @param {Shell} shell
 * @param {Say} say
 * @param {Interview[]} past
 * @param {{open: (interview: Interview) => void, forget: (interview: Interview) => void}} act
 */
export function history({ bank }, say, past, act) {
  const rows = compared(bank.questions, past).reverse().map(({ interview, hit, of, over, share, gained }) => {
    const facts = [say(interview.role), bank.levels[interview.level], say("minutes", interview.minutes)].join(" · ");
    return h("li", { "data-key": interview.key }, h("p", { class: "history-facts" }, h("time", {}, dateOf(practiceDay(interview.at))), " ", facts),
      h("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" }),
      h("p", { class: "history-score" }, `${say("score", `${hit}/${of}`)} (${Math.round(100 * share)}%)`, gained === null ? "" : ` · ${say("since", signed(gained))}`,
        over ? ` · ${say("overCount", over)}` : ""),
      h("p", { class: "history-act" }, h("button", { type: "button", class: "quiet", "data-act": "open", onclick: () => act.open(interview) }, say("open")),
        h("button", { type: "button", class: "quiet", "data-act": "forget", onclick: () => act.forget(interview) }, say("forget"))));
  });
  return h("section", { class: "history" }, h("h2", {}, say("history")), h("ol", { reversed: true }, rows));
}

/** @param {number} points */
const signed = points => (points > 0 ? `+${points}` : points < 0 ? `−${-points}` : "±0");
