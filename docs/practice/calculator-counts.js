/* How many parameters a method trains, as a sum of terms that shows where they come from. Pure: numbers in, numbers out. */

/** @typedef {import("./calculator-models.js").Dims} Dims */
/** @typedef {"q_proj" | "k_proj" | "v_proj" | "o_proj" | "gate_proj" | "up_proj" | "down_proj"} Target */
/**
 * @typedef {"full" | "lora" | "qlora" | "dora" | "pissa" | "adalora" | "ia3" | "adapter" | "prefix" | "prompt" | "bitfit" | "layernorm"} Method
 */
/** `of`: what is counted (a target's name or a word for it); `formula`: the product that `value` comes from. */
/** @typedef {{ of: string, formula: string, value: number }} Term */

/** Every linear layer of a decoder's block, in the order of the forward pass. @type {Target[]} */
export const TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/** Methods with what their one number means and the targets they take unless told otherwise. */
/** @type {Record<Method, { size: "rank" | "bottleneck" | "tokens" | null, targets: Target[] }>} */
export const METHODS = {
  full: { size: null, targets: [] },
  lora: { size: "rank", targets: TARGETS },
  qlora: { size: "rank", targets: TARGETS },
  dora: { size: "rank", targets: TARGETS },
  pissa: { size: "rank", targets: TARGETS },
  adalora: { size: "rank", targets: TARGETS },
  ia3: { size: null, targets: ["k_proj", "v_proj", "down_proj"] },
  adapter: { size: "bottleneck", targets: ["o_proj", "down_proj"] },
  prefix: { size: "tokens", targets: [] },
  prompt: { size: "tokens", targets: [] },
  bitfit: { size: null, targets: [] },
  layernorm: { size: null, targets: [] },
};

/** A setting without meaning; `code` and `limit` let the page say it in the reader's language. */
export class CountError extends Error {
  /** @param {string} code @param {number} [limit] */
  constructor(code, limit = 0) {
    super(`${code} ${limit}`);
    this.code = code;
    this.limit = limit;
  }
}

/** [d_in, d_out] of a target. @param {Dims} d @param {Target} target @returns {[number, number]} */
export function shape(d, target) {
  const query = d.heads * d.headDim, kv = d.kvHeads * d.headDim;
  /** @type {Record<Target, [number, number]>} */
  const shapes = {
    q_proj: [d.hidden, query],
    k_proj: [d.hidden, kv],
    v_proj: [d.hidden, kv],
    o_proj: [query, d.hidden],
    gate_proj: [d.hidden, d.intermediate],
    up_proj: [d.hidden, d.intermediate],
    down_proj: [d.intermediate, d.hidden],
  };
  return shapes[target];
}

/** The base model's parameters by part; a tied output layer counts once. @param {Dims} d @returns {Term[]} */
export function baseTerms(d) {
  const linear = TARGETS.map(target => {
    const [into, out] = shape(d, target);
    return { of: target, formula: `${into} × ${out} × ${d.layers}`, value: into * out * d.layers };
  });
  const terms = [{ of: "embedding", formula: `${d.vocab} × ${d.hidden}`, value: d.vocab * d.hidden }, ...linear];
  terms.push(normTerm(d), ...biasTerms(d));
  if (!d.tied) terms.push({ of: "output", formula: `${d.vocab} × ${d.hidden}`, value: d.vocab * d.hidden });
  if (d.projectors) terms.push({ of: "projectors", formula: "", value: d.projectors });
  if (d.frozen) terms.push({ of: "towers", formula: "", value: d.frozen });
  return terms;
}

/** @param {Dims} d @returns {number} */
export const baseTotal = d => sum(baseTerms(d));

/** @param {Term[]} terms @returns {number} */
export const sum = terms => terms.reduce((total, term) => total + term.value, 0);

/**
 * What `method` trains. `size`: rank, bottleneck or virtual tokens, by METHODS. Throws CountError.
 * @param {Dims} d @param {Method} method @param {number} size @param {Target[]} targets @returns {Term[]}
 */
export function trainedTerms(d, method, size, targets) {
  const rule = METHODS[method];
  if (rule.targets.length && !targets.length) throw new CountError("no-targets");
  if (rule.size && size < 1) throw new CountError("size-too-small", 1);
  const kv = d.kvHeads * d.headDim;
  switch (method) {
    case "full": return baseTerms(d).filter(term => term.of !== "towers");
    case "prefix": return [{ of: "prefix", formula: `${size} × 2 × ${d.layers} × ${kv}`, value: size * 2 * d.layers * kv }];
    case "prompt": return [{ of: "prompt", formula: `${size} × ${d.hidden}`, value: size * d.hidden }];
    case "layernorm": return [normTerm(d)];
    case "bitfit":
      if (!d.biased) throw new CountError("no-biases");
      return biasTerms(d);
    default: return TARGETS.filter(target => targets.includes(target)).map(target => term(d, method, size, target));
  }
}

/** One target's term. @param {Dims} d @param {Method} method @param {number} size @param {Target} target @returns {Term} */
function term(d, method, size, target) {
  const [into, out] = shape(d, target), L = d.layers;
  if (method === "ia3") {
    // The layer that leads back to the hidden width is scaled at its input, the others at their output.
    const width = target === "down_proj" ? into : out;
    return { of: target, formula: `${width} × ${L}`, value: width * L };
  }
  if (method === "adapter") {
    if (size >= out) throw new CountError("bottleneck-too-large", out - 1);
    return { of: target, formula: `(2 × ${out} × ${size} + ${size} + ${out}) × ${L}`, value: (2 * out * size + size + out) * L };
  }
  if (size > Math.min(into, out)) throw new CountError("rank-too-large", Math.min(into, out));
  const extra = method === "dora" ? out : method === "adalora" ? size : 0;
  const inner = `${size} × (${into} + ${out})`;
  return {
    of: target,
    formula: extra ? `(${inner} + ${extra}) × ${L}` : `${inner} × ${L}`,
    value: (size * (into + out) + extra) * L,
  };
}

/** Two norms per block and a last one; Qwen3 has two more of head width. @param {Dims} d @returns {Term} */
function normTerm(d) {
  const heads = d.normed ? 2 * d.headDim : 0;
  const block = heads ? `(2 × ${d.hidden} + ${heads})` : `2 × ${d.hidden}`;
  return {
    of: "norms",
    formula: `${block} × ${d.layers} + ${d.hidden}`,
    value: (2 * d.hidden + heads) * d.layers + d.hidden,
  };
}

/** @param {Dims} d @returns {Term[]} */
function biasTerms(d) {
  if (!d.biased) return [];
  const width = (d.heads + 2 * d.kvHeads) * d.headDim;
  return [{ of: "biases", formula: `${width} × ${d.layers}`, value: width * d.layers }];
}
