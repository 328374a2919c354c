/* The peak of a training step: lora_demo/memory/closed_form.py, line by line, on the coefficients of closed-form.json. Pure. */

/** @typedef {import("./calculator-models.js").Dims} Dims */
/** @typedef {import("./calculator-counts.js").Target} Target */
/** @typedef {Record<string, number>} Terms monomial -> bytes */
/** For vision-language models: parameters beside the decoder, and bytes per image alive at each moment of a method. */
/** @typedef {{ trained?: number, frozen?: number, full?: Record<string, Terms>, lora?: Record<string, Terms> }} Image */
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
 *   optimizers: Record<string, { state: Record<string, number>, update: Terms }>, bases: Record<string, { bytes: number }>, workspace: number,
 * }} Form
 */
/**
 * `supervised`: positions per row that have logits, null for all. `base`: how the frozen linear weights are stored.
 * @typedef {{
 *   method: "full" | "lora", rank: number, targets: Target[], batch: number, length: number, supervised: number | null,
 *   checkpointing: boolean, adapterFp32: boolean, optimizer: string, base: string,
 * }} Request
 */
/** @typedef {{ moment: string, peak: number, parts: Record<string, number> }} Estimate */

export const SCHEMA = 1;
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

/** target -> its input and output width, and which input it shares. @type {Record<Target, [string, string, string]>} */
const WIDTHS = {
  q_proj: ["h", "q", "attention"],
  k_proj: ["h", "k", "attention"],
  v_proj: ["h", "k", "attention"],
  o_proj: ["q", "h", "output"],
  gate_proj: ["h", "f", "feedforward"],
  up_proj: ["h", "f", "feedforward"],
  down_proj: ["f", "h", "down"],
};

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

/** The highest moment of a step and its parts, in bytes. @param {Form} form @param {Shape} model @param {Request} request @returns {Estimate} */
export function estimate(form, model, request) {
  const values = variables(model, request);
  /** @type {Estimate | null} */
  let highest = null;
  for (const [moment, terms] of Object.entries(variant(form, model, request))) {
    const parts = partsAt(form, moment, terms, model, request, values);
    const peak = total(Object.values(parts));
    if (!highest || peak > highest.peak) highest = { moment, peak, parts };
  }
  if (!highest) throw new OutOfForm("no moments");
  return highest;
}

/** @param {Shape} model @param {Request} request @returns {Record<string, number>} */
function variables(model, request) {
  const values = {
    1: 1, L: model.layers, h: model.hidden, f: model.intermediate, V: model.vocabulary, d: model.head_dim, heads: model.heads,
    q: model.heads * model.head_dim, k: model.kv_heads * model.head_dim,
    B: request.batch, T: request.length, S: request.batch * (request.supervised || request.length - 1), r: request.rank,
  };
  return { ...values, ...adapterVariables(model, request, values) };
}

/** @param {Shape} model @param {Request} request @param {Record<string, number>} values */
function adapterVariables(model, request, values) {
  const widths = request.targets.map(name => [values[WIDTHS[name][0]], values[WIDTHS[name][1]]]);
  const inputs = Object.fromEntries(request.targets.map(name => [WIDTHS[name][2], values[WIDTHS[name][0]]]));
  const full = request.method === "full";
  return {
    n: widths.length,
    sin: total(widths.map(([into]) => into)),
    sout: total(widths.map(([, out]) => out)),
    uin: total(Object.values(inputs)),
    P: full ? baseParameters(model) + (model.image?.trained ?? 0) : model.layers * request.rank * total(widths.flat()),
    big: full ? values.V * values.h : request.rank * Math.max(0, ...widths.flat()),
  };
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

/** A product of variables, divided by one more if it has a slash. @param {string} monomial @param {Record<string, number>} values */
function value(monomial, values) {
  const [product, divisor] = monomial.split("/");
  const found = product.split("*").reduce((made, name) => made * values[name], 1);
  return divisor ? found / values[divisor] : found;
}

/** @param {Form} form @param {Shape} model @param {Request} request */
function variant(form, model, request) {
  const dtype = request.adapterFp32 && request.method !== "full" ? "fp32" : "bf16";
  const name = [
    model.family, request.method, dtype, request.checkpointing ? "recompute" : "keep", request.supervised === null ? "whole" : "selected",
  ].join("/");
  if (!Object.hasOwn(form.variants, name)) throw new OutOfForm(name);
  return form.variants[name];
}

/**
 * @param {Form} form @param {string} moment @param {Record<string, Terms>} terms @param {Shape} model @param {Request} request
 * @param {Record<string, number>} values @returns {Record<string, number>}
 */
function partsAt(form, moment, terms, model, request, values) {
  /** @type {Record<string, number>} */
  const parts = {};
  for (const [kind, some] of Object.entries(terms)) parts[kind] = weighed(some, values);
  const optimizer = form.optimizers[request.optimizer];
  if (!optimizer) throw new OutOfForm(request.optimizer);
  const width = request.adapterFp32 && request.method !== "full" ? 4 : 2;
  parts.optimizer = values.P * optimizer.state[width];
  if (moment === "update") parts.temporaries = width * weighed(optimizer.update, values);
  parts.logits ??= 0;
  Object.assign(parts, weights(form, model, request, values.P, width));
  for (const [kind, bytes] of Object.entries(model.image?.[request.method]?.[moment] ?? {})) parts[kind] = (parts[kind] ?? 0) + request.batch * bytes;
  parts.temporaries = (parts.temporaries ?? 0) + form.workspace;
  return Object.fromEntries(Object.entries(parts).map(([kind, bytes]) => [kind, halfEven(bytes)]));
}

/** @param {Form} form @param {Shape} model @param {Request} request @param {number} trainable @param {number} width */
function weights(form, model, request, trainable, width) {
  const all = baseParameters(model) + (model.image?.trained ?? 0) + (model.image?.frozen ?? 0);
  if (request.method === "full") return { weights_trainable: 2 * trainable, weights_frozen: 2 * (all - trainable) };
  if (!Object.hasOwn(form.bases, request.base)) throw new OutOfForm(request.base);
  const packed = linearParameters(model);
  return { weights_trainable: width * trainable, weights_frozen: 2 * (all - packed) + form.bases[request.base].bytes * packed };
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
 * How each part of the highest moment comes about, in the form's own variables.
 * @param {Form} form @param {Shape} model @param {Request} request @param {string} moment @returns {Record<string, string>}
 */
export function formulas(form, model, request, moment) {
  const terms = variant(form, model, request)[moment], full = request.method === "full";
  const width = request.adapterFp32 && !full ? 4 : 2;
  /** @type {Record<string, string>} */
  const found = {};
  for (const [kind, some] of Object.entries(terms)) found[kind] = written(some);
  if (moment === "update") found.temporaries = written(form.optimizers[request.optimizer].update, width);
  for (const [kind, bytes] of Object.entries(model.image?.[request.method]?.[moment] ?? {})) {
    found[kind] = [found[kind], `${count(bytes)}·B`].filter(Boolean).join(" + ");
  }
  found.temporaries = [found.temporaries, count(form.workspace)].filter(Boolean).join(" + ");
  found.weights_trainable = `${width}·P`;
  found.optimizer = `${form.optimizers[request.optimizer].state[width]}·P`;
  const packed = full ? 2 : form.bases[request.base].bytes;
  found.weights_frozen = full ? "2·(N − P)" : packed === 2 ? "2·N" : `2·(N − Nₗ) + ${round(packed)}·Nₗ`;
  return found;
}

/** 34 × L·B·T·h reads as 34·L·B·T·h. @param {Terms} terms @param {number} [times] */
function written(terms, times = 1) {
  const products = Object.entries(terms).map(([name, bytes]) => {
    const factor = round(bytes * times), product = name.replaceAll("*", "·").replace("/", " / ");
    return product === "1" ? factor : factor === "1" ? product : `${factor}·${product}`;
  });
  return products.join(" + ").replaceAll("+ -", "− ");
}

/** @param {number} number */
const round = number => String(Number(number.toPrecision(3)));

/** @param {number} bytes */
const count = bytes => `${round(bytes / MIB)} MiB`;
