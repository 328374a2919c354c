/* The result as one says it in an interview: what trains, what it weighs, what fills the card, what to save first. Pure. */

import { TARGETS } from "./calculator-counts.js";
import { KINDS } from "./calculator-memory.js";
import { spokenBytes, spokenCount, spokenShare } from "./calculator-rounding.js";
import { short } from "./calculator-state.js";

/** @typedef {import("./calculator-rounding.js").Lang} Lang */
/** @typedef {import("./calculator-state.js").Settings} Settings */
/** @typedef {import("./calculator-memory.js").Estimate} Estimate */
/** @typedef {typeof KINDS[number]} Kind */
/** `name`: the model's; `file`: bytes on disk. */
/** @typedef {{ name: string, trained: number, total: number, file: number }} Count */

/** @type {Record<Kind, Record<Lang, string>>} */
const PARTS = {
  weights_frozen: { zh: "冻结权重", en: "frozen weights" },
  weights_trainable: { zh: "可训权重", en: "trained weights" },
  gradients: { zh: "梯度", en: "gradients" },
  optimizer: { zh: "优化器状态", en: "optimizer state" },
  activations: { zh: "激活", en: "activations" },
  logits: { zh: "logits", en: "logits" },
  temporaries: { zh: "临时量", en: "temporaries" },
};

/** The method with its settings, as the first half of a sentence. @param {Settings} s @param {Lang} lang @returns {string} */
export function methodPhrase(s, lang) {
  const zh = lang === "zh", on = targetPhrase(s, lang);
  switch (s.method) {
    case "full": return zh ? "全参微调" : "full fine-tuning";
    case "ia3": return zh ? `IA³，${on}` : `IA³ on ${on}`;
    case "adapter": return zh ? `瓶颈宽 ${s.size} 的 Adapter，接在 ${names(s, "、")} 后面` : `adapters with bottleneck ${s.size} behind ${names(s, ", ")}`;
    case "prefix": return zh ? `Prefix Tuning，${s.size} 个虚拟 token` : `prefix tuning with ${s.size} virtual tokens`;
    case "prompt": return zh ? `Prompt Tuning，${s.size} 个虚拟 token` : `prompt tuning with ${s.size} virtual tokens`;
    case "bitfit": return zh ? "BitFit，只训 bias" : "BitFit, biases only";
    case "layernorm": return zh ? "只训 norm 的增益" : "the norm gains only";
  }
  const family = { lora: "LoRA", qlora: "QLoRA", dora: "DoRA", pissa: "PiSSA", adalora: "AdaLoRA" }[s.method];
  return zh ? `${family} r=${s.size}，${on}` : `${family} r=${s.size} on ${on}`;
}

/** @param {Settings} s @param {Lang} lang */
function targetPhrase(s, lang) {
  if (s.targets.length === TARGETS.length) return lang === "zh" ? "七类线性层全挂" : "all seven linear layers";
  return lang === "zh" ? `挂 ${names(s, "、")}` : names(s, ", ").replace(/, (?=[^,]*$)/, " and ");
}

/** @param {Settings} s @param {string} comma */
const names = (s, comma) => s.targets.map(short).join(comma);

/** @param {Settings} s @param {Count} count @param {Lang} lang @returns {string} */
export function sayCount(s, count, lang) {
  const trained = spokenCount(count.trained, lang), share = spokenShare(count.trained / count.total, lang);
  const file = spokenBytes(count.file, lang), whole = s.method === "full";
  const dtype = whole ? "bf16" : s.adapter === "float32" ? "fp32" : "bf16";
  if (lang === "zh") {
    const part = count.trained === count.total ? "也就是全部" : `占基座${gap(share)}`;
    return `${count.name}，${methodPhrase(s, lang)}：要训${gap(trained)}个参数，${part}；${whole ? "整个模型" : "适配器"}按 ${dtype} 存，文件${gap(file)}。`;
  }
  const part = count.trained === count.total ? "all of them" : `${share} of the base`;
  return `${count.name}, ${methodPhrase(s, lang)}: ${trained} parameters train, ${part}; saved in ${dtype}, the ${whole ? "whole model" : "adapter"} is ${file} on disk.`;
}

/** Chinese sets a blank between its characters and digits. @param {string} text */
const gap = text => (/^[0-9]/.test(text) ? ` ${text}` : text);

/** @param {Settings} s @param {Estimate} found @param {{ name: string, budget: number }} card @param {Lang} lang @returns {string} */
export function sayMemory(s, found, card, lang) {
  const zh = lang === "zh", left = card.budget - found.peak;
  const sizes = ranked(found).map(([kind, bytes]) => [PARTS[kind][lang], spokenBytes(bytes, lang, false)]);
  const listed = sizes.slice(0, 3).map(([part, bytes]) => `${part}${zh && !/[a-z]$/.test(part) ? "" : " "}${bytes}`).join(zh ? "，" : ", ");
  const peak = spokenBytes(found.peak, lang, false), room = spokenBytes(Math.abs(left), lang, false), budget = spokenBytes(card.budget, lang, false);
  const saver = advice(s, ranked(found)[0][0], lang);
  if (zh) {
    const where = `batch ${s.batch}、长度 ${s.length}${s.checkpointing ? "、开检查点" : ""}`;
    const fits = left >= 0 ? `放得下，还剩${room}` : `放不下，差${room}`;
    return `${where}，一步的峰值估${peak}，其中${listed}。${card.name} 能用${budget}，${fits}。${saver}`;
  }
  const where = `At batch ${s.batch} and length ${s.length}${s.checkpointing ? " with checkpointing" : ""}`;
  const fits = left >= 0 ? `it fits with ${room} to spare` : `it does not fit: ${room} too much`;
  return `${where} a step peaks at ${peak} by estimate: ${listed}. ${card.name} offers ${budget}, so ${fits}. ${saver}`;
}

/** The parts, the largest first. @param {Estimate} found @returns {[Kind, number][]} */
function ranked(found) {
  const sizes = KINDS.map(kind => /** @type {[Kind, number]} */ ([kind, found.parts[kind] ?? 0]));
  return sizes.filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]);
}

/** What to save first where that part is the largest. @param {Settings} s @param {Kind} largest @param {Lang} lang @returns {string} */
function advice(s, largest, lang) {
  const [zh, en] = saver(s, largest);
  const part = PARTS[largest][lang];
  return lang === "zh" ? `大头是${gap(part)}，要省先${zh}。` : `Most of it is ${part}: to save, first ${en}.`;
}

/** @param {Settings} s @param {Kind} largest @returns {[string, string]} */
function saver(s, largest) {
  /** @type {[string, string]} */
  const shorter = ["减 batch 或长度", "cut batch or length"];
  switch (largest) {
    case "weights_frozen": return s.method === "qlora" ? ["换小一号的模型", "take a smaller model"] : ["把基座换成 NF4，也就是 QLoRA", "store the base in NF4, that is QLoRA"];
    case "activations": return s.checkpointing ? shorter : ["开激活检查点", "switch activation checkpointing on"];
    case "logits": return s.logits ? shorter : ["只在有监督的位置算 logits", "compute logits at supervised positions only"];
    case "temporaries": return s.optimizer === "foreach" && s.method === "full" ? ["把 foreach 的 AdamW 换成 fused", "use the fused AdamW instead of foreach"] : shorter;
    default: return s.method === "full" ? ["改成 LoRA，或者用 8-bit Adam", "switch to LoRA or an 8-bit Adam"] : ["把秩降下来", "lower the rank"];
  }
}
