/* The calculator's page: settings from the address, controls, results, drill; every change goes back to the address. */

import { CountError } from "./calculator-counts.js";
import { drillView } from "./calculator-drill-view.js";
import { Controls } from "./calculator-form.js";
import { CARDS, SCHEMA } from "./calculator-memory.js";
import { modelName, result, SHORTEST_WITH_IMAGE } from "./calculator-result.js";
import { shortBytes, whole } from "./calculator-rounding.js";
import { sayCount, sayMemory } from "./calculator-say.js";
import { dimsFault, fromQuery, OWN, toQuery } from "./calculator-state.js";
import { barView, countView, formulaView, partsView, termsView, wordsView } from "./calculator-view.js";
import { METHOD_NAMES, WORDS } from "./calculator-words.js";
import { h } from "./dom.js";
import { keepOffline } from "./offline.js";
import { speaker } from "./words.js";

/** @typedef {import("./calculator-memory.js").Form} Form */
/** @typedef {import("./calculator-result.js").Result} Result */

const loading = loadForm().catch(() => null);
// The module starts before the page is there, so that it waits for nothing but its own files.
if (document.readyState === "loading") await new Promise(done => document.addEventListener("DOMContentLoaded", done, { once: true }));
const main = /** @type {HTMLElement} */ (document.getElementById("practice"));
const lang = main.dataset.lang === "en" ? "en" : "zh";
const other = lang === "en" ? "zh" : "en";
const say = speaker(WORDS, lang);
const { settings, refused } = fromQuery(location.search);
const out = h("div", { class: "calc-out" });
const heard = h("p", { class: "calc-status", role: "status" });
const link = h("button", { type: "button", class: "quiet", onclick: copy }, say("share_link"));

/** The coefficients; without them the counts are still there. @returns {Promise<Form | null>} */
async function loadForm() {
  const reply = await fetch(new URL("closed-form.json", import.meta.url));
  const form = reply.ok ? await reply.json() : null;
  return form && form.schema === SCHEMA ? form : null;
}

/** @param {Form | null} form */
function update(form) {
  const query = toQuery(settings);
  history.replaceState(null, "", `?${query}${location.hash}`);
  for (const link of document.querySelectorAll(".language-switch")) /** @type {HTMLAnchorElement} */ (link).search = query;
  try {
    const fault = settings.model === OWN ? dimsFault(settings.dims) : null;
    out.replaceChildren(...(fault ? [problem(say(`${fault}Fault`))] : shown(result(settings, form))));
  } catch (error) {
    if (!(error instanceof CountError)) throw error;
    out.replaceChildren(problem(say(/** @type {import("./calculator-words.js").Word} */ (error.code), error.limit)));
  }
}

/** @param {string} text */
const problem = text => h("p", { class: "calc-problem", role: "alert" }, text);

/** @param {Result} found @returns {HTMLElement[]} */
function shown({ counted, memory, why }) {
  const card = CARDS[settings.card], full = settings.method === "full";
  /** @param {"zh" | "en"} language */
  const words = language => {
    const count = { ...counted, name: modelName(settings, speaker(WORDS, language)("own")) };
    return [sayCount(settings, count, language), ...(memory ? [sayMemory(settings, memory, card, language)] : [])];
  };
  heard.textContent = `${say("trainable")}: ${whole(counted.trained)}${memory ? `; ${say("memory")}: ${shortBytes(memory.peak)}` : ""}`;
  const missing = why === "length-too-short" ? say(why, SHORTEST_WITH_IMAGE) : say("no-closed-form", METHOD_NAMES[settings.method][lang]);
  return [
    countView(counted, full, say),
    ...(memory ? [barView(memory, card, say), partsView(memory, card, say)] : [problem(missing)]),
    wordsView(words(lang), words(other), other, say),
    folded("how", [termsView(counted, say)]),
    ...(memory ? [folded("how-memory", formulaView(memory, say))] : []),
  ];
}

/** Stays open while the numbers in it change. @param {"how" | "how-memory"} word @param {HTMLElement[]} inside */
function folded(word, inside) {
  const open = out.querySelector(`.calc-${word}`)?.hasAttribute("open") ?? false;
  return h("details", { class: `calc-${word}`, open }, h("summary", {}, say(word)), inside);
}

async function copy() {
  await navigator.clipboard.writeText(location.href);
  link.textContent = say("copied");
}

const form = await loading;
const controls = new Controls(settings, lang, say, () => update(form));
const drill = drillView(settings.seed, lang, say, seed => {
  settings.seed = seed;
  update(form);
});
main.replaceChildren(
  ...(refused.length ? [h("p", { class: "calc-problem", role: "status" }, say("refused", refused.join(", ")))] : []),
  controls.form, h("div", { class: "calc-link" }, link, h("small", {}, say("link-hint"))), heard, out, drill,
);
update(form);
main.dataset.ready = "";
performance.mark("practice-ready");
const state = h("p", { class: "offline-state" });
main.after(state);
await keepOffline(`${main.dataset.app}../`, lang, state);
