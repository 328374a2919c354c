/* The calculator's results: big numbers, the stacked bar against the card, the sums behind them, the words to say. */

import { KINDS, phase } from "./calculator-memory.js";
import { shortBytes, significant, threeDigits, whole } from "./calculator-rounding.js";
import { h } from "./dom.js";

/** @typedef {import("./calculator-result.js").Counted} Counted */
/** @typedef {import("./calculator-memory.js").Estimate} Estimate */
/** @typedef {import("./calculator-result.js").Memory} Memory */
/** @typedef {import("./calculator-words.js").Say} Say */
/** @typedef {import("./calculator-words.js").Word} Word */
/** @typedef {{ name: string, budget: number }} Card */

/** @type {Record<typeof KINDS[number], Word>} */
const WORD = {
  weights_frozen: "weights_frozen", weights_trainable: "weights_trainable", gradients: "gradients", optimizer: "optimizer_part",
  activations: "activations", logits: "logits_part", temporaries: "temporaries",
};

/** @param {Counted} counted @param {boolean} full @param {Say} say */
export function countView(counted, full, say) {
  return h("dl", { class: "calc-facts" },
    fact(say("trainable"), whole(counted.trained), "calc-trained"),
    fact(say("share"), `${threeDigits((100 * counted.trained) / counted.total)}%`, "calc-share"),
    fact(say(full ? "model-file" : "file"), shortBytes(counted.file), "calc-file"),
  );
}

/** @param {string} term @param {string} value @param {string} name */
const fact = (term, value, name) => h("div", {}, h("dt", {}, term), h("dd", { class: name }, value));

/** Where the count comes from, each row with its product. @param {Counted} counted @param {Say} say */
export function termsView(counted, say) {
  const rows = counted.terms.map(term => h("tr", {}, h("th", { scope: "row" }, named(term.of, say)), h("td", { class: "calc-sum" }, term.formula), h("td", {}, whole(term.value))));
  return h("table", { class: "calc-table" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("part")), h("th", { scope: "col" }, say("formula")), h("th", { scope: "col" }, say("parameters")))),
    h("tbody", {}, rows),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, say("total")), h("td", {}), h("td", {}, whole(counted.trained)))));
}

/** How the peak comes about: each part in the formula's own letters. @param {Memory} found @param {Say} say */
export function formulaView(found, say) {
  const rows = KINDS.filter(kind => found.parts[kind] > 0).map(kind => h("tr", {},
    h("th", { scope: "row" }, say(WORD[kind])), h("td", { class: "calc-sum" }, found.formulas[kind]), h("td", {}, shortBytes(found.parts[kind]))));
  return [
    h("p", {}, say("moment", say(phase(found.point))), " ", say("letters")),
    h("table", { class: "calc-table" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("part")), h("th", { scope: "col" }, say("formula")), h("th", { scope: "col" }, say("bytes")))),
      h("tbody", {}, rows)),
  ];
}

/** A target keeps its own name, the rest has a word. @param {string} of @param {Say} say */
const named = (of, say) => (of.endsWith("_proj") ? h("code", {}, of) : say(/** @type {Word} */ (of)));

/** The bar: its full width is the card's budget, or the peak where that is more. @param {Estimate} found @param {Card} card @param {Say} say */
export function barView(found, card, say) {
  const scale = Math.max(found.peak, card.budget), fits = found.peak <= card.budget;
  const verdict = `${shortBytes(found.peak)} / ${shortBytes(card.budget)} · ${say(fits ? "fits" : "too-large")}`;
  const parts = KINDS.filter(kind => found.parts[kind] > 0);
  const bar = h("div", { class: `calc-bar${fits ? "" : " calc-over"}`, role: "img", "aria-label": `${card.name}: ${verdict}` },
    parts.map(kind => stripe(`calc-${kind}`, found.parts[kind] / scale)), h("i", { class: "calc-limit" }));
  // Through the style's own object, which a policy without inline styles allows.
  /** @type {HTMLElement} */ (bar.lastElementChild).style.left = `${(100 * card.budget) / scale}%`;
  return h("figure", { class: "calc-figure" },
    h("figcaption", {}, h("b", {}, `${say("memory")} · ${card.name}`), h("span", { class: fits ? "calc-fits" : "calc-not" }, verdict)), bar);
}

/** @param {string} name @param {number} share */
function stripe(name, share) {
  const part = h("span", { class: `calc-stripe ${name}` });
  part.style.width = `${100 * share}%`;
  return part;
}

/** @param {Estimate} found @param {Card} card @param {Say} say */
export function partsView(found, card, say) {
  const rows = KINDS.filter(kind => found.parts[kind] > 0).map(kind => h("tr", {},
    h("th", { scope: "row" }, h("i", { class: `calc-swatch calc-${kind}` }), say(WORD[kind])),
    h("td", { class: "calc-bytes", "data-part": kind, "data-bytes": found.parts[kind] }, shortBytes(found.parts[kind])),
    h("td", {}, `${significant((100 * found.parts[kind]) / found.peak, 2)}%`)));
  return h("table", { class: "calc-table calc-parts" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("part")), h("th", { scope: "col" }, say("bytes")), h("th", { scope: "col" }, "%"))),
    h("tbody", {}, rows),
    h("tfoot", {},
      h("tr", {}, h("th", { scope: "row" }, say("total")), h("td", { class: "calc-peak" }, shortBytes(found.peak)), h("td", {}, "100%")),
      h("tr", {}, h("th", { scope: "row" }, say("budget")), h("td", {}, shortBytes(card.budget)), h("td", {}))));
}

/** What to say, in the page's language; the other one folded. @param {string[]} here @param {string[]} there @param {"zh" | "en"} other @param {Say} say */
export function wordsView(here, there, other, say) {
  return h("section", { class: "calc-say" }, h("h3", {}, say("say")),
    here.map(text => h("p", {}, text)),
    h("details", {}, h("summary", {}, say("other-language")), there.map(text => h("p", { lang: other }, text))));
}
