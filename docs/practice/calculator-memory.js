/* The peak of a training step: lora_demo/memory/formula/closed_form.py, line by line, on the coefficients of closed-form.json. Pure. */

/** @typedef {import("./calculator-models.js").Dims} Dims */
/** @typedef {import("./calculator-counts.js").Target} Target */
/** @typedef {Record<string, number>} Terms monomial -> bytes */
/** Variant -> point -> kind -> bytes that one picture adds. @typedef {Record<string, Record<string, Record<string, number>>>} Pictures */
/** For vision-language models: positions of a picture, parameters beside the decoder, and what a picture adds. */
/** @typedef {{ positions?: number, trained?: number, frozen?: number, variants?: Pictures }} Image */
/**
 * A decoder as the closed form knows it.
 * @typedef {{
 *   family: string, layers: number, hidden: number, intermediate: number, heads: number, kv_heads: number, head_dim: number,
 *   vocabulary: number, tied?: boolean, biases?: number, image?: Image,
 * }} Shape
 */
/**
 * The file closed-form.json.
 * @typedef {{
 *   schema: number, version: string | number, models: Record<string, Shape>, variants: Record<string, Record<string, Record<string, Terms>>>,
 *   optimizers: Record<string, { state: Record<string, number>, update: Terms }>, bases: Record<string, { bytes: number, copy: number }>, workspace: number,
 *   targets: Record<string, { in: string, out: string }>, groups: string[],
 * }} Form
 */
/**
 * `supervised`: positions per row that have logits, null for all. `base`: how the frozen linear weights are stored.
 * @typedef {{
 *   method: "full" | "lora", rank: number, targets: Target[], batch: number, length: number, supervised: number | null,
 *   checkpointing: boolean, adapterFp32: boolean, optimizer: string, base: string,
 * }} Request
 */
/** @typedef {{ point: string, peak: number, parts: Record<string, number> }} Estimate */

export const SCHEMA = 2;
export const DTYPES = ["float32", "bfloat16"];
export const OPTIMIZERS = ["foreach", "fused", "for-loop", "adamw8bit"];
/** The parts in the order in which they are stacked. */
export const KINDS = /** @type {const} */ (["weights_frozen", "weights_trainable", "gradients", "optimizer", "activations", "logits", "temporaries"]);

const GIB = 1024 ** 3, MIB = 1024 ** 2;
/** What PyTorch may use of a card of that nominal size, the CUDA context off. @param {number} nominal */
const estimated = nominal => nominal * GIB - 350 * MIB - 450 * MIB;
/** Card -> its name and the bytes that a process may reserve. @type {Record<string, { name: string, budget: number }>} */
export const CARDS = {
  "6gb": { name: "6 GB", budget: estimated(6) },
  "8gb": { name: "8 GB", budget: estimated(8) },
  "12gb": { name: "12 GB", budget: estimated(12) },
  "16gb": { name: "16 GB", budget: estimated(16) },
  rtx4090: { name: "RTX 4090", budget: Math.trunc(23.65 * GIB) - 450 * MIB },
  "a100-40gb": { name: "A100 40GB", budget: estimated(40) },
  l40s: { name: "L40S", budget: estimated(45) },
  "a100-80gb": { name: "A100 80GB", budget: estimated(80) },
  "h100-80gb": { name: "H100 80GB", budget: estimated(80) },
  h200: { name: "H200", budget: estimated(140) },
};

/** Points at which no layer of the decoder is at work. */
const OUTSIDE = ["update", "forward/picture", "backward/picture"];
/** What the trace counts, as against what follows from numbers of parameters. */
const COUNTED = ["gradients", "activations", "logits", "temporaries"];

/** The closed form has nothing for this; `variant` is what was looked for. */
export class OutOfForm extends Error {}

/** Our dimensions as the closed form names them. @param {Dims} d @param {string} family @returns {Shape} */
export function shapeOf(d, family) {
  const small = (d.biased ? (d.heads + 2 * d.kvHeads) * d.headDim : 0) + (d.normed ? 2 * d.headDim : 0);
  return {
    family, layers: d.layers, hidden: d.hidden, intermediate: d.intermediate, heads: d.heads, kv_heads: d.kvHeads, head_dim: d.headDim,
    vocabulary: d.vocab, tied: d.tied, biases: small * d.layers,
  };
}

/** The highest point of a step and its parts, in bytes. @param {Form} form @param {Shape} model @param {Request} request @returns {Estimate} */
export function estimate(form, model, request) {
  const values = variables(form, model, request), name = variantName(form, model, request), always = counted(form, model, request, values);
  /** @type {Estimate | null} */
  let highest = null;
  for (const [point, terms] of Object.entries(form.variants[name])) {
    const parts = at(form, point, terms, request, values);
    for (const [kind, bytes] of Object.entries(pictures(model, name, point))) parts[kind] += request.batch * bytes;
    if (!OUTSIDE.includes(point)) parts.temporaries += unpacked(form, model, request);
    const whole = balanced(Object.fromEntries(Object.entries({ ...parts, ...always }).map(([kind, bytes]) => [kind, halfEven(bytes)])));
    const peak = total(Object.values(whole));
    if (!highest || peak > highest.peak) highest = { point, peak, parts: whole };
  }
  if (!highest) throw new OutOfForm("no points");
  return highest;
}

/** A picture's share of a part is a round figure, so many pictures can take one below nothing: the largest pays. @param {Record<string, number>} parts @returns {Record<string, number>} */
function balanced(parts) {
  const largest = COUNTED.reduce((most, kind) => parts[kind] > parts[most] ? kind : most);
  const owed = total(COUNTED.map(kind => Math.min(0, parts[kind])));
  return Object.fromEntries(Object.entries(parts).map(([kind, bytes]) => [kind, Math.max(0, bytes) + (kind === largest ? owed : 0)]));
}

/** @param {Form} form @param {Shape} model @param {Request} request @returns {Record<string, number>} */
export function variables(form, model, request) {
  const values = {
    L: model.layers, h: model.hidden, f: model.intermediate, V: model.vocabulary, d: model.head_dim, heads: model.heads,
    q: model.heads * model.head_dim, k: model.kv_heads * model.head_dim,
    B: request.batch, T: request.length, S: request.batch * (request.supervised || request.length - 1 - (model.image?.positions ?? 0)), r: request.rank,
  };
  return { ...values, ...indicators(form, model, request), ...trainable(form, model, request, values) };
}

/** Which layers are targeted, alone and in groups: 0 or 1. @param {Form} form @param {Shape} model @param {Request} request */
function indicators(form, model, request) {
  const letters = new Set(request.targets.map(name => name[0]));
  const any = (/** @type {string} */ group) => Number([...group.slice(1)].some(letter => letters.has(letter)));
  const names = [...Object.keys(form.targets).map(name => `t${name[0]}`), ...form.groups];
  return { 1: 1, tie: Number(model.tied ?? true), ...Object.fromEntries(names.map(name => [name, any(name)])) };
}

/** @param {Form} form @param {Shape} model @param {Request} request @param {Record<string, number>} values */
function trainable(form, model, request, values) {
  if (request.method === "full") return { P: baseParameters(model) + (model.image?.trained ?? 0), big: values.V * values.h };
  const widths = request.targets.map(name => [values[form.targets[name].in], values[form.targets[name].out]]);
  return { P: model.layers * request.rank * total(widths.flat()), big: request.rank * Math.max(0, ...widths.flat()) };
}

/** @param {Shape} model @returns {number} */
function baseParameters(model) {
  const embeddings = model.vocabulary * model.hidden * (model.tied ?? true ? 1 : 2);
  return embeddings + linearParameters(model) + model.layers * 2 * model.hidden + model.hidden + (model.biases ?? 0);
}

/** Values in the seven linear layers of every block: what a quantised base stores in few bits. @param {Shape} model @returns {number} */
function linearParameters(model) {
  const h = model.hidden, q = model.heads * model.head_dim, k = model.kv_heads * model.head_dim;
  return model.layers * (2 * h * q + 2 * h * k + 3 * h * model.intermediate);
}

/** A product of variables. @param {string} monomial @param {Record<string, number>} values */
const value = (monomial, values) => monomial.split("*").reduce((made, name) => made * values[name], 1);

/** @param {Form} form @param {Shape} model @param {Request} request */
function variantName(form, model, request) {
  const dtype = request.adapterFp32 && request.method !== "full" ? "fp32" : "bf16";
  const name = [
    model.family, request.method, dtype, request.checkpointing ? "recompute" : "keep", request.supervised === null ? "whole" : "selected",
  ].join("/");
  if (!Object.hasOwn(form.variants, name)) throw new OutOfForm(name);
  if (!Object.hasOwn(form.optimizers, request.optimizer)) throw new OutOfForm(request.optimizer);
  if (!Object.hasOwn(form.bases, request.base)) throw new OutOfForm(request.base);
  return name;
}

/** @param {Form} form @param {string} point @param {Record<string, Terms>} terms @param {Request} request @param {Record<string, number>} values */
function at(form, point, terms, request, values) {
  /** @type {Record<string, number>} */
  const parts = Object.fromEntries(COUNTED.map(kind => [kind, weighed(terms[kind] ?? {}, values)]));
  if (point === "update") parts.temporaries = width(request) * weighed(form.optimizers[request.optimizer].update, values);
  parts.temporaries += form.workspace;
  return parts;
}

/** @param {Shape} model @param {string} name @param {string} point @returns {Record<string, number>} */
const pictures = (model, name, point) => model.image?.variants?.[name]?.[point] ?? {};

/** Weights and the optimizer's state, which are there at every point. */
/** @param {Form} form @param {Shape} model @param {Request} request @param {Record<string, number>} values */
function counted(form, model, request, values) {
  const all = baseParameters(model) + (model.image?.trained ?? 0) + (model.image?.frozen ?? 0);
  const packed = request.method === "full" ? 0 : linearParameters(model);
  const frozen = request.method === "full" ? all - values.P : all - packed;
  return {
    weights_frozen: 2 * frozen + form.bases[request.base].bytes * packed,
    weights_trainable: width(request) * values.P,
    optimizer: values.P * form.optimizers[request.optimizer].state[width(request)],
  };
}

/** Bytes of a trainable value. @param {Request} request */
const width = request => (request.adapterFp32 && request.method !== "full" ? 4 : 2);

/** The copy of the largest packed weight that is made to multiply by it. @param {Form} form @param {Shape} model @param {Request} request */
function unpacked(form, model, request) {
  const widest = Math.max(model.intermediate, model.heads * model.head_dim);
  return request.method === "full" ? 0 : form.bases[request.base].copy * model.hidden * widest;
}

/** @param {Terms} terms @param {Record<string, number>} values */
const weighed = (terms, values) => total(Object.entries(terms).map(([name, bytes]) => bytes * value(name, values)));

/** @param {number[]} numbers */
const total = numbers => numbers.reduce((sum, number) => sum + number, 0);

/** To the nearest whole number, halves to the even one, as Python rounds. @param {number} bytes */
function halfEven(bytes) {
  const below = Math.floor(bytes), rest = bytes - below;
  return rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below;
}

/**
 * How each part at a point comes about, in the form's own variables; what is 0 or 1 for this request is put in.
 * @param {Form} form @param {Shape} model @param {Request} request @param {string} point @returns {Record<string, string>}
 */
export function formulas(form, model, request, point) {
  const name = variantName(form, model, request), full = request.method === "full", values = variables(form, model, request);
  /** @type {Record<string, string>} */
  const found = {};
  for (const [kind, some] of Object.entries(form.variants[name][point])) found[kind] = written(known(some, values));
  if (point === "update") found.temporaries = written(known(form.optimizers[request.optimizer].update, values), width(request));
  for (const [kind, bytes] of Object.entries(pictures(model, name, point))) {
    if (Math.abs(bytes) >= MIB) found[kind] = added(found[kind], `${count(bytes)}·B`);
  }
  found.temporaries = added(found.temporaries, count(form.workspace + (OUTSIDE.includes(point) ? 0 : unpacked(form, model, request))));
  found.weights_trainable = `${width(request)}·P`;
  found.optimizer = `${round(form.optimizers[request.optimizer].state[width(request)])}·P`;
  const packed = full ? 2 : form.bases[request.base].bytes;
  found.weights_frozen = full ? "2·(N − P)" : packed === 2 ? "2·N" : `2·(N − Nₗ) + ${round(packed)}·Nₗ`;
  return found;
}

/** The terms without indicators, equal products added up. @param {Terms} terms @param {Record<string, number>} values @returns {Terms} */
function known(terms, values) {
  /** @type {Terms} */
  const found = {};
  for (const [name, bytes] of Object.entries(terms)) {
    const factors = name.split("*"), rest = factors.filter(factor => !/^t[a-z]/.test(factor)).join("*") || "1";
    const on = factors.every(factor => !/^t[a-z]/.test(factor) || values[factor]);
    if (on) found[rest] = (found[rest] ?? 0) + bytes;
  }
  return Object.fromEntries(Object.entries(found).filter(([, bytes]) => bytes));
}

/** @param {string | undefined} formula @param {string} more */
const added = (formula, more) => (formula ? `${formula} + ${more}` : more).replaceAll("+ -", "− ");

/** 34 × L·B·T·h reads as 34·L·B·T·h. @param {Terms} terms @param {number} [times] */
function written(terms, times = 1) {
  const products = Object.entries(terms).map(([name, bytes]) => {
    const factor = round(bytes * times), product = name.replaceAll("*", "·");
    return product === "1" ? factor : factor === "1" ? product : `${factor}·${product}`;
  });
  return products.join(" + ").replaceAll("+ -", "− ");
}

/** In which phase of the step a point lies. @param {string} point @returns {"forward" | "picture" | "loss" | "backward_start" | "backward_end" | "update"} */
export function phase(point) {
  if (point === "update") return "update";
  const [pass, place] = point.split("/"), head = /^(loss|norm|lm_head)/.test(place);
  if (pass === "forward") return head ? "loss" : place === "picture" ? "picture" : "forward";
  return head || place.startsWith("last") ? "backward_start" : "backward_end";
}

/** @param {number} number */
const round = number => String(Number(number.toPrecision(3)));

/** @param {number} bytes */
const count = bytes => `${round(bytes / MIB)} MiB`;
