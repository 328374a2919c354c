/* The calculator's page: settings from the address, controls, results, drill; every change goes back to the address. */

import { CountError } from "./calculator-counts.js";
import { drillView } from "./calculator-drill-view.js";
import { Controls } from "./calculator-form.js";
import { CARDS, SCHEMA } from "./calculator-memory.js";
import { modelName, result, SHORTEST_WITH_IMAGE } from "./calculator-result.js";
import { sayCount, sayMemory } from "./calculator-say.js";
import { dimsFault, fromQuery, OWN, toQuery } from "./calculator-state.js";
import { barView, countView, partsView, termsView, wordsView } from "./calculator-view.js";
import { METHOD_NAMES, speak } from "./calculator-words.js";
import { h } from "./dom.js";

/** @typedef {import("./calculator-memory.js").Form} Form */
/** @typedef {import("./calculator-result.js").Result} Result */

const main = /** @type {HTMLElement} */ (document.getElementById("practice"));
const lang = main.dataset.lang === "en" ? "en" : "zh";
const other = lang === "en" ? "zh" : "en";
const say = speak(lang);
const { settings, refused } = fromQuery(location.search);
const out = h("div", { class: "calc-out" });
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
    const count = { ...counted, name: modelName(settings, speak(language)("own")) };
    return [sayCount(settings, count, language), ...(memory ? [sayMemory(settings, memory, card, language)] : [])];
  };
  const missing = why === "length-too-short" ? say(why, SHORTEST_WITH_IMAGE) : say("no-closed-form", METHOD_NAMES[settings.method][lang]);
  return [
    countView(counted, full, say),
    ...(memory ? [barView(memory, card, say), partsView(memory, card, say)] : [problem(missing)]),
    wordsView(words(lang), words(other), other, say),
    h("details", { class: "calc-how" }, h("summary", {}, say("how")), termsView(counted, say)),
  ];
}

async function copy() {
  await navigator.clipboard.writeText(location.href);
  link.textContent = say("copied");
}

const form = await loadForm().catch(() => null);
const controls = new Controls(settings, lang, say, () => update(form));
const drill = drillView(settings.seed, lang, say, seed => {
  settings.seed = seed;
  update(form);
});
main.replaceChildren(
  ...(refused.length ? [h("p", { class: "calc-problem", role: "status" }, say("refused", refused.join(", ")))] : []),
  controls.form, h("div", { class: "calc-share" }, link, h("small", {}, say("link-hint"))), out, drill,
);
update(form);
main.dataset.ready = "";
performance.mark("practice-ready");
