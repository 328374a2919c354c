/* What settings amount to: counts always, a peak where the closed form has one. Pure. */

import { baseTotal, CountError, sum, trainedTerms } from "./calculator-counts.js";
import { estimate, formulas, OutOfForm, shapeOf } from "./calculator-memory.js";
import { NAMES } from "./calculator-models.js";
import { dimsOf, OWN } from "./calculator-state.js";

/** @typedef {import("./calculator-state.js").Settings} Settings */
/** @typedef {import("./calculator-memory.js").Form} Form */
/** @typedef {import("./calculator-memory.js").Estimate} Estimate */
/** @typedef {import("./calculator-counts.js").Term} Term */
/** @typedef {{ terms: Term[], trained: number, total: number, file: number }} Counted */
/** A peak with the formula of each of its parts. @typedef {Estimate & { formulas: Record<string, string> }} Memory */
/** `memory` is null where there is no closed form; `why` then says what is missing. */
/** @typedef {{ counted: Counted, memory: Memory | null, why: "no-closed-form" | "length-too-short" | null }} Result */

/** Positions that an image takes in MGM-2B's sequence, and the fewest that leave room for words. */
export const SHORTEST_WITH_IMAGE = 576 + 3;

/** Throws CountError for a method that these dimensions cannot have. @param {Settings} s @param {Form | null} form @returns {Result} */
export function result(s, form) {
  const counted = count(s);
  if (s.model === "mgm-2b" && s.length < SHORTEST_WITH_IMAGE) return { counted, memory: null, why: "length-too-short" };
  const memory = form && peak(s, form);
  return { counted, memory, why: memory ? null : "no-closed-form" };
}

/** @param {Settings} s @returns {Counted} */
export function count(s) {
  const dims = dimsOf(s), terms = trainedTerms(dims, s.method, s.size, s.targets);
  const trained = sum(terms), total = baseTotal(dims);
  // Full fine-tuning saves the model, anything else its adapter; headers of a few KB are not counted.
  const file = s.method === "full" ? 2 * total : (s.adapter === "float32" ? 4 : 2) * trained;
  return { terms, trained, total, file };
}

/** @param {Settings} s @param {Form} form @returns {Memory | null} */
function peak(s, form) {
  const method = s.method === "qlora" ? "lora" : s.method;
  if (method !== "lora" && method !== "full") return null;
  // Normalised queries and keys are kept for the backward pass, which no formula here counts.
  if (dimsOf(s).normed) return null;
  const model = formShape(s, form);
  /** @type {import("./calculator-memory.js").Request} */
  const request = {
    method, rank: s.size, targets: s.targets, batch: s.batch, length: s.length, supervised: s.logits || null,
    checkpointing: s.checkpointing, adapterFp32: s.adapter === "float32", optimizer: s.optimizer, base: s.method === "qlora" ? "nf4" : "bf16",
  };
  try {
    const found = estimate(form, model, request);
    return { ...found, formulas: formulas(form, model, request, found.point) };
  } catch (error) {
    if (error instanceof OutOfForm) return null;
    throw error;
  }
}

/** @param {Settings} s @param {Form} form */
function formShape(s, form) {
  if (s.model !== OWN && Object.hasOwn(form.models, s.model)) return form.models[s.model];
  return shapeOf(dimsOf(s), "llama");
}

/** @param {Settings} s @param {string} own @returns {string} */
export const modelName = (s, own) => (s.model === OWN ? own : NAMES[s.model]);

export { CountError };
