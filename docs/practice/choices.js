/* Rows of choices, as native checkboxes and radio buttons that look like chips. */

import { h } from "./dom.js";

/** @typedef {{id: string, title: string, note?: string | number}} Choice */

/**
 * Any number of them.
 * @param {string} legend
 * @param {Choice[]} choices
 * @param {string[]} chosen changed in place
 * @param {() => void} changed
 */
export function several(legend, choices, chosen, changed) {
  return row(legend, choices.map(choice => {
    const toggle = (/** @type {Event} */ event) => {
      const at = chosen.indexOf(choice.id);
      if (at >= 0) chosen.splice(at, 1);
      if (/** @type {HTMLInputElement} */ (event.target).checked) chosen.push(choice.id);
      changed();
    };
    return chip(choice, { type: "checkbox", checked: chosen.includes(choice.id), onchange: toggle });
  }));
}

/**
 * Exactly one.
 * @param {string} legend
 * @param {string} name
 * @param {Choice[]} choices
 * @param {string} chosen
 * @param {(id: string) => void} choose
 */
export function one(legend, name, choices, chosen, choose) {
  return row(legend, choices.map(choice => chip(choice, { type: "radio", name, checked: choice.id === chosen, onchange: () => choose(choice.id) })));
}

/**
 * @param {string} legend
 * @param {HTMLElement[]} chips
 */
function row(legend, chips) {
  return h("fieldset", {}, h("legend", {}, legend), h("div", { class: "chips" }, chips));
}

/**
 * @param {Choice} choice
 * @param {Record<string, unknown>} input
 */
function chip({ id, title, note }, input) {
  return h("label", { class: "chip" }, h("input", { ...input, value: id }), h("span", {}, title, note !== undefined && h("small", {}, note)));
}
