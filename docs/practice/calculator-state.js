/* The calculator's settings, and how they stand in the address so that a result can be shared. Pure. */

import { METHODS, TARGETS } from "./calculator-counts.js";
import { MODELS } from "./calculator-models.js";
import { CARDS, DTYPES, OPTIMIZERS } from "./calculator-memory.js";

/** @typedef {import("./calculator-models.js").Dims} Dims */
/** @typedef {import("./calculator-counts.js").Method} Method */
/** @typedef {import("./calculator-counts.js").Target} Target */
/**
 * `model`: a name of MODELS or "own", then `dims` counts. `size`: rank, bottleneck or virtual tokens.
 * `logits`: positions per row whose logits are computed, 0 for all.
 * @typedef {{
 *   model: string, dims: Dims, method: Method, size: number, targets: Target[], batch: number, length: number,
 *   adapter: "float32" | "bfloat16", optimizer: string, checkpointing: boolean, logits: number, card: string, seed: number,
 * }} Settings
 */

export const OWN = "own";
/** Own dimensions in the order in which the address lists them, each with the most that makes sense. */
export const DIMENSIONS = /** @type {const} */ ([
  ["vocab", 1_000_000], ["hidden", 65_536], ["intermediate", 262_144], ["layers", 256], ["heads", 512], ["kvHeads", 512], ["headDim", 1024],
]);
/** The most that the fields accept. */
export const LIMITS = { size: 65_536, batch: 4096, length: 1_048_576, seed: 2 ** 32 - 1 };

/** @returns {Settings} */
export function defaults() {
  return {
    model: "llama-2-7b", dims: MODELS["llama-2-7b"], method: "lora", size: 16, targets: [...TARGETS], batch: 1, length: 1024,
    adapter: "float32", optimizer: "foreach", checkpointing: false, logits: 0, card: "rtx4090", seed: 7,
  };
}

/** The dimensions that count. @param {Settings} settings @returns {Dims} */
export const dimsOf = settings => (settings.model === OWN ? settings.dims : MODELS[settings.model]);

/** @param {Settings} s @returns {string} */
export function toQuery(s) {
  const query = new URLSearchParams({ model: s.model });
  if (s.model === OWN) query.set("dims", [...DIMENSIONS.map(([name]) => s.dims[name]), Number(s.dims.tied)].join("-"));
  query.set("method", s.method);
  if (METHODS[s.method].size) query.set("r", String(s.size));
  if (METHODS[s.method].targets.length) query.set("on", s.targets.map(short).join("-"));
  query.set("batch", String(s.batch));
  query.set("seq", String(s.length));
  query.set("adapter", s.adapter);
  query.set("optimizer", s.optimizer);
  query.set("checkpointing", s.checkpointing ? "1" : "0");
  query.set("logits", s.logits ? String(s.logits) : "all");
  query.set("gpu", s.card);
  query.set("drill", String(s.seed));
  return query.toString();
}

/**
 * What an address says; `refused` names what it says wrongly, for which the default stands.
 * @param {string} query @returns {{ settings: Settings, refused: string[] }}
 */
export function fromQuery(query) {
  const given = new URLSearchParams(query), settings = defaults();
  /** @type {string[]} */
  const refused = [];
  /** @param {string} name @param {(text: string) => boolean} take */
  const read = (name, take) => {
    const text = given.get(name);
    if (text !== null && !take(text)) refused.push(name);
  };
  read("model", text => (text === OWN || Object.hasOwn(MODELS, text)) && set(settings, "model", text));
  read("dims", text => takeDims(settings, text));
  if (settings.model === OWN && !given.has("dims")) refused.push("dims");
  read("method", text => Object.hasOwn(METHODS, text) && set(settings, "method", /** @type {Method} */ (text)));
  settings.targets = [...METHODS[settings.method].targets];
  read("r", text => whole(text, 1, LIMITS.size) && set(settings, "size", Number(text)));
  read("on", text => takeTargets(settings, text));
  read("batch", text => whole(text, 1, LIMITS.batch) && set(settings, "batch", Number(text)));
  read("seq", text => whole(text, 1, LIMITS.length) && set(settings, "length", Number(text)));
  read("adapter", text => DTYPES.includes(text) && set(settings, "adapter", /** @type {Settings["adapter"]} */ (text)));
  read("optimizer", text => OPTIMIZERS.includes(text) && set(settings, "optimizer", text));
  read("checkpointing", text => ["0", "1"].includes(text) && set(settings, "checkpointing", text === "1"));
  read("logits", text => (text === "all" || whole(text, 1, LIMITS.length)) && set(settings, "logits", text === "all" ? 0 : Number(text)));
  read("gpu", text => Object.hasOwn(CARDS, text) && set(settings, "card", text));
  read("drill", text => whole(text, 0, LIMITS.seed) && set(settings, "seed", Number(text)));
  return { settings, refused };
}

/** @param {string} text @param {number} least @param {number} most */
export function whole(text, least, most) {
  return /^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= most;
}

/** @template {keyof Settings} K @param {Settings} settings @param {K} name @param {Settings[K]} value @returns {true} */
function set(settings, name, value) {
  settings[name] = value;
  return true;
}

/** @param {Settings} settings @param {string} text */
function takeDims(settings, text) {
  const parts = text.split("-");
  if (parts.length !== DIMENSIONS.length + 1 || !whole(parts[DIMENSIONS.length], 0, 1)) return false;
  if (!DIMENSIONS.every(([, most], index) => whole(parts[index], 1, most))) return false;
  const values = DIMENSIONS.map(([name], index) => [name, Number(parts[index])]);
  const dims = /** @type {Dims} */ ({ ...Object.fromEntries(values), tied: parts[DIMENSIONS.length] === "1" });
  if (dimsFault(dims)) return false;
  return set(settings, "dims", dims);
}

/** Why the dimensions contradict themselves, or null. @param {Dims} dims @returns {"heads" | "headDim" | null} */
export function dimsFault(dims) {
  if (dims.heads % dims.kvHeads) return "heads";
  return dims.headDim % 2 ? "headDim" : null;
}

/** @param {Settings} settings @param {string} text */
function takeTargets(settings, text) {
  const named = text.split("-"), found = TARGETS.filter(target => named.includes(short(target)));
  return found.length === named.length && found.length > 0 && set(settings, "targets", found);
}

/** q_proj -> q. @param {Target} target @returns {string} */
export const short = target => target.replace("_proj", "");
