/* Choosing what to practise: topics, level, how often asked, daily limits; and what waits today. */

import { one, several } from "./choices.js";
import { h } from "./dom.js";
import { MINUTE } from "./clock.js";
import { LEVELS } from "./records.js";
import { doneToday, inDeck, next, waiting } from "./session.js";
import { spanText } from "./words.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./records.js").Settings} Settings */
/** @typedef {{cards: Map<string, import("./records.js").Card>, reviews: import("./records.js").Review[], settings: Settings}} Known */

const ASKED = [0, 1, 2, 4, 6];

/**
 * @param {Shell} shell
 * @param {Known} known
 * @param {{start: () => void, more: () => void, tonight: () => void, set: (changed: Partial<Settings>) => void, extra: number}} act
 */
export function deckView(shell, known, act) {
  const { say, bank } = shell;
  const deck = structuredClone(known.settings.deck);
  const head = h("div", { class: "deck-head" });
  const update = () => head.replaceChildren(...today(shell, known, act, Date.now()));
  const choose = () => {
    act.set({ deck: structuredClone(deck) });
    known.settings.deck = deck;
    update();
  };
  update();
  return h("div", { class: "deck" }, head,
    h("div", { class: "deck-choice" },
      several(say("topics"), bank.topics.map(({ id, title }) => ({ id, title, note: bank.questions.filter(q => q.topic === id).length })), deck.topics, choose),
      several(say("level"), LEVELS.map(id => ({ id, title: bank.levels[id], note: bank.questions.filter(q => q.level === id).length })), deck.levels, choose),
      one(say("asked"), "asked", ASKED.map(n => ({ id: String(n), title: n ? say("listed", n) : say("any") })), String(deck.asked), id => {
        deck.asked = Number(id);
        choose();
      }),
      limits(shell, known, act)));
}

/**
 * @param {Shell} shell
 * @param {Known} known
 * @param {{start: () => void, more: () => void, tonight: () => void, extra: number}} act
 * @param {number} now
 */
function today({ say, bank }, { cards, reviews, settings }, act, now) {
  const questions = inDeck(bank.questions, settings.deck);
  const queue = waiting(questions, cards, reviews, { ...settings, fresh: settings.fresh + act.extra }, now);
  const { id, counts, again } = next(queue, now);
  const done = doneToday(reviews, now).all;
  const message = !questions.length ? say("nothingHere")
    : id ? "" : say("nothing") + (again ? ` ${say("nextAt", spanText(say, { minutes: Math.ceil((again - now) / MINUTE) }))}` : "");
  return [
    h("dl", { class: "counts" }, count(counts.due, say("due"), "due"), count(counts.learning, say("learning"), "learning"), count(counts.fresh, say("fresh"), "fresh")),
    h("p", { class: "deck-message" }, message || (done ? say("today", done) : say("howItGoes"))),
    h("p", { class: "deck-go" },
      id && h("button", { class: "primary", type: "button", "data-act": "start", onclick: act.start }, say("start")),
      !id && queue.heldBack && h("button", { type: "button", "data-act": "more", onclick: act.more }, say("more")),
      cards.size < bank.questions.length && h("button", { type: "button", "data-act": "tonight", title: say("tonightSays"), onclick: act.tonight }, say("tonight"))),
  ];
}

/**
 * @param {number} n
 * @param {string} label
 * @param {string} kind
 */
export function count(n, label, kind) {
  return h("div", { class: `count count-${kind}` }, h("dt", {}, label), h("dd", {}, n));
}

/**
 * @param {Shell} shell
 * @param {Known} known
 * @param {{set: (changed: Partial<Settings>) => void}} act
 */
function limits({ say }, { settings }, act) {
  /** @type {(name: "fresh" | "repeated" | "retention", label: string, min: number, max: number, step: number) => HTMLElement} */
  const field = (name, label, min, max, step) => {
    const onchange = (/** @type {Event} */ event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      if (!input.checkValidity()) return input.reportValidity();
      settings[name] = input.valueAsNumber;
      return act.set({ [name]: settings[name] });
    };
    return h("label", {}, h("span", {}, label), h("input", { type: "number", name, min, max, step, value: settings[name], required: true, onchange }));
  };
  const keys = h("input", { type: "checkbox", name: "keys", checked: settings.keys, onchange: (/** @type {Event} */ event) => {
    settings.keys = /** @type {HTMLInputElement} */ (event.target).checked;
    act.set({ keys: settings.keys });
  } });
  return h("details", { class: "limits" }, h("summary", {}, say("limits")),
    h("div", {}, field("fresh", say("freshPerDay"), 0, 999, 1), field("repeated", say("duePerDay"), 0, 999, 1),
      field("retention", say("retention"), 0.7, 0.97, 0.01), h("label", {}, h("span", {}, say("keys")), keys)));
}
