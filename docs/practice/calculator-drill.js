/* Estimating in one's head: seeded questions, the way to the answer, and how far off a guess is. Pure. */

import { METHODS, shape, sum, TARGETS, trainedTerms } from "./calculator-counts.js";
import { MODELS, NAMES } from "./calculator-models.js";
import { significant } from "./calculator-rounding.js";

/** @typedef {import("./calculator-rounding.js").Lang} Lang */
/** @typedef {import("./calculator-counts.js").Target} Target */
/** What is asked, its answer in `unit`, and the steps that lead there with round numbers. */
/** @typedef {{ kind: string, ask: Record<Lang, string>, answer: number, unit: "GB" | "MB" | "M", steps: Record<Lang, string[]> }} Drill */
/** @typedef {<T>(items: readonly T[]) => T} Pick */

export const SECONDS = 30;
/** A guess within this share of the answer is good enough to go on with in an interview. */
export const CLOSE = 0.15;
const GB = 1e9, MB = 1e6;
const BILLIONS = [7, 7, 8, 13, 14, 32, 70];
const PRESETS = ["llama-2-7b", "llama-3.1-8b", "qwen2.5-7b", "mistral-7b", "gemma-2b"];
const TEXT = /** @type {const} */ ([512, 1024, 2048, 4096]);

/** Bytes per parameter while training: weight, gradient and Adam's moments, under mixed precision a master copy too. */
const TRAINED = [
  { bytes: 8, zh: "纯 bf16 AdamW", en: "pure bf16 AdamW", sum: "2 + 2 + 2 + 2" },
  { bytes: 16, zh: "混合精度 AdamW（fp32 主权重）", en: "mixed-precision AdamW (fp32 master weights)", sum: "2 + 2 + 4 + 4 + 4" },
  { bytes: 6, zh: "bf16 加 8-bit Adam", en: "bf16 with 8-bit Adam", sum: "2 + 2 + 1 + 1" },
];
const STORED = [
  { bytes: 2, zh: "bf16 ", en: "bf16" },
  { bytes: 4, zh: "fp32 ", en: "fp32" },
  { bytes: 0.5, zh: "4-bit（常数不计）", en: "4 bits (constants aside)" },
];

/** @type {((pick: Pick) => Drill)[]} */
const KINDS = [weights, states, states, loraCount, loraFile, logits, layerInputs, cache];

/** The question of a seed, the same on every machine. @param {number} seed @returns {Drill} */
export function drill(seed) {
  const random = generator(seed);
  const pick = /** @type {Pick} */ (items => items[Math.floor(random() * items.length)]);
  return pick(KINDS)(pick);
}

/** Off by which share of the answer; `close` if that is near enough. @param {Drill} asked @param {number} guess */
export function judge(asked, guess) {
  const off = (guess - asked.answer) / asked.answer;
  return { off, close: Math.abs(off) <= CLOSE };
}

/** mulberry32: 32 bits of state are plenty for picking from short lists. @param {number} seed @returns {() => number} */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {Pick} pick @returns {Drill} */
function weights(pick) {
  const billions = pick(BILLIONS), { bytes, zh, en } = pick(STORED);
  return {
    kind: "weights",
    ask: { zh: `${billions}B 的模型，${zh}权重占多少 GB？`, en: `A ${billions}B model: how many GB do its weights take in ${en}?` },
    answer: billions * bytes,
    unit: "GB",
    steps: both(`${billions} × ${bytes} = ${billions * bytes}`, "十亿个参数，每个几字节就是几 GB", "a billion parameters are as many GB as a parameter has bytes"),
  };
}

/** @param {Pick} pick @returns {Drill} */
function states(pick) {
  const billions = pick(BILLIONS), { bytes, zh, en, sum: parts } = pick(TRAINED);
  return {
    kind: "states",
    ask: {
      zh: `${billions}B 的模型全参微调，${zh}：权重、梯度、优化器状态一共多少 GB？`,
      en: `Fully fine-tuning a ${billions}B model with ${en}: how many GB do weights, gradients and optimizer state take?`,
    },
    answer: billions * bytes,
    unit: "GB",
    steps: both(`${parts} = ${bytes}`, `每个参数 ${bytes} 字节`, `${bytes} bytes per parameter`, `${billions} × ${bytes} = ${billions * bytes}`),
  };
}

/** @param {Pick} pick */
function someLora(pick) {
  const name = pick(PRESETS), rank = pick([8, 16, 32, 64]), model = MODELS[name];
  const targets = pick([METHODS.lora.targets, /** @type {Target[]} */ (["q_proj", "v_proj"])]);
  const perRank = sum(trainedTerms(model, "lora", 1, targets)) / model.layers;
  return { name, rank, model, all: targets.length === TARGETS.length, perRank, trained: rank * perRank * model.layers };
}

/** @param {Pick} pick @returns {Drill} */
function loraCount(pick) {
  const { name, rank, model, all, perRank, trained } = someLora(pick);
  return {
    kind: "lora-count",
    ask: {
      zh: `${NAMES[name]}（宽 ${model.hidden}，${model.layers} 层），LoRA r=${rank}，${all ? "七类线性层全挂" : "只挂 q、v"}：训多少百万参数？`,
      en: `${NAMES[name]} (width ${model.hidden}, ${model.layers} layers), LoRA r=${rank} on ${all ? "all seven linear layers" : "q and v"}: how many million parameters train?`,
    },
    answer: trained / MB,
    unit: "M",
    steps: loraSteps(model, all, perRank, rank, trained),
  };
}

/** @param {Pick} pick @returns {Drill} */
function loraFile(pick) {
  const { name, rank, model, all, perRank, trained } = someLora(pick);
  const { zh, en } = loraSteps(model, all, perRank, rank, trained);
  const last = `${round(trained / MB)} × 4 = ${round((4 * trained) / MB)}`;
  return {
    kind: "lora-file",
    ask: {
      zh: `${NAMES[name]} 的 LoRA r=${rank}，${all ? "七类线性层全挂" : "只挂 q、v"}，适配器存 fp32：文件多少 MB？`,
      en: `LoRA r=${rank} on ${all ? "all seven linear layers" : "q and v"} of ${NAMES[name]}, adapters saved in fp32: how many MB is the file?`,
    },
    answer: (4 * trained) / MB,
    unit: "MB",
    steps: { zh: [...zh, `每个参数 4 字节：${last}`], en: [...en, `4 bytes each: ${last}`] },
  };
}

/**
 * @param {import("./calculator-models.js").Dims} model @param {boolean} all @param {number} perRank @param {number} rank @param {number} trained
 * @returns {Record<Lang, string[]>}
 */
function loraSteps(model, all, perRank, rank, trained) {
  const pairs = (all ? TARGETS : /** @type {Target[]} */ (["q_proj", "v_proj"])).map(target => shape(model, target));
  const widths = pairs.map(([into, out]) => round((into + out) / 1000)).join(" + ");
  const last = `${round(perRank / 1000)} 千 × ${rank} × ${model.layers} ≈ ${round(trained / MB)} M`;
  return {
    zh: [`一层里每个矩阵出 d_in + d_out（千）：${widths} = ${round(perRank / 1000)}`, `乘 r 乘层数：${last}`],
    en: [
      `per layer, d_in + d_out of each matrix in thousands: ${widths} = ${round(perRank / 1000)}`,
      `times r times layers: ${last.replace(" 千", "k")}`,
    ],
  };
}

/** @param {Pick} pick @returns {Drill} */
function logits(pick) {
  const name = pick(PRESETS), batch = pick([1, 2, 4, 8]), length = pick(TEXT), { vocab } = MODELS[name];
  const tokens = batch * length;
  return {
    kind: "logits",
    ask: {
      zh: `${NAMES[name]} 词表 ${vocab}，batch ${batch}，长度 ${length}：一份 fp32 logits 多少 GB？`,
      en: `${NAMES[name]} has ${vocab} tokens; batch ${batch}, length ${length}: how many GB is one fp32 copy of the logits?`,
    },
    answer: (4 * tokens * vocab) / GB,
    unit: "GB",
    steps: both(
      `${round(tokens / 1000)}k × ${round(vocab / 1000)}k × 4 = ${round((4 * tokens * vocab) / GB)}`,
      "位置数乘词表乘 4 字节；千乘千是百万", "positions times vocabulary times 4 bytes; a thousand thousands are a million",
    ),
  };
}

/** @param {Pick} pick @returns {Drill} */
function layerInputs(pick) {
  const name = pick(PRESETS), batch = pick([1, 4, 8, 16]), length = pick(TEXT), { hidden, layers } = MODELS[name];
  const bytes = 2 * batch * length * hidden * layers;
  return {
    kind: "layer-inputs",
    ask: {
      zh: `${NAMES[name]}（宽 ${hidden}，${layers} 层）开检查点，batch ${batch}，长度 ${length}：各层输入（bf16）留下多少 GB？`,
      en: `${NAMES[name]} (width ${hidden}, ${layers} layers) with checkpointing, batch ${batch}, length ${length}: how many GB do the kept bf16 layer inputs take?`,
    },
    answer: bytes / GB,
    unit: "GB",
    steps: both(
      `${round((batch * length) / 1000)}k × ${round(hidden / 1000)}k × ${layers} × 2 = ${round(bytes / GB)}`,
      "检查点每层只留一份输入：位置数乘宽度乘层数乘 2 字节", "checkpointing keeps one input per layer: positions times width times layers times 2 bytes",
    ),
  };
}

/** @param {Pick} pick @returns {Drill} */
function cache(pick) {
  const name = pick(PRESETS), rows = pick([1, 8, 16, 32]), length = pick([2048, 4096, 8192]), { layers, kvHeads, headDim } = MODELS[name];
  const perToken = 2 * 2 * layers * kvHeads * headDim, bytes = perToken * rows * length;
  return {
    kind: "cache",
    ask: {
      zh: `${NAMES[name]}（${layers} 层，${kvHeads} 个 KV 头，头宽 ${headDim}），${rows} 路、每路 ${length}：bf16 的 KV 缓存多少 GB？`,
      en: `${NAMES[name]} (${layers} layers, ${kvHeads} KV heads of ${headDim}), ${rows} rows of ${length}: how many GB is the bf16 KV cache?`,
    },
    answer: bytes / GB,
    unit: "GB",
    steps: both(
      `2 × 2 × ${layers} × ${kvHeads * headDim} = ${round(perToken / 1000)} KB`,
      "每个 token：K 和 V 两份，每个数 2 字节，乘层数乘 KV 宽度", "per token: K and V, 2 bytes each, times layers times KV width",
      `${round(perToken / 1000)} KB × ${round((rows * length) / 1000)}k = ${round(bytes / GB)} GB`,
    ),
  };
}

/** A product with its reason in words, and what to multiply it by. @param {string} product @param {string} zh @param {string} en @param {string[]} more @returns {Record<Lang, string[]>} */
function both(product, zh, en, ...more) {
  return { zh: [`${zh}：${product}`, ...more], en: [`${en}: ${product}`, ...more] };
}

/** @param {number} value @returns {string} */
const round = value => significant(value, 2);
