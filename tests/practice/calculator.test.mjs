/* The calculator's pure modules: addresses, rounding, the drill. Counts and peaks are held against Python in test_calculator.py. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { baseTerms, baseTotal, CountError, METHODS, sum, TARGETS, trainedTerms } from "../../docs/practice/calculator-counts.js";
import { CLOSE, drill, judge } from "../../docs/practice/calculator-drill.js";
import { CARDS } from "../../docs/practice/calculator-memory.js";
import { MODELS, NAMES } from "../../docs/practice/calculator-models.js";
import { grouped, shortBytes, spokenCount, threeDigits } from "../../docs/practice/calculator-rounding.js";
import { defaults, dimsFault, DIMENSIONS, fromQuery, OWN, toQuery } from "../../docs/practice/calculator-state.js";
import { METHOD_NAMES, WORDS } from "../../docs/practice/calculator-words.js";
import { methodPhrase } from "../../docs/practice/calculator-say.js";

test("settings survive the way through an address", () => {
  const settings = {
    ...defaults(), model: OWN, dims: { vocab: 1000, hidden: 64, intermediate: 128, layers: 2, heads: 4, kvHeads: 2, headDim: 16, tied: true },
    method: "dora", size: 8, targets: ["q_proj", "down_proj"], batch: 3, length: 777, adapter: "bfloat16", optimizer: "fused",
    checkpointing: true, logits: 64, card: "h200", seed: 99,
  };
  const found = fromQuery(toQuery(settings));
  assert.deepEqual(found, { settings, refused: [] });
  assert.deepEqual(fromQuery(toQuery(defaults())), { settings: defaults(), refused: [] });
});

test("an empty address is the default, and what makes no sense is named and replaced", () => {
  assert.deepEqual(fromQuery(""), { settings: defaults(), refused: [] });
  const wrong = "model=gpt-9&method=__proto__&r=0&on=q-zz&batch=1e3&seq=-5&adapter=int3&optimizer=toString&checkpointing=yes&logits=none&gpu=constructor&drill=1.5";
  const { settings, refused } = fromQuery(wrong);
  assert.deepEqual(settings, defaults());
  assert.deepEqual(refused, ["model", "method", "r", "on", "batch", "seq", "adapter", "optimizer", "checkpointing", "logits", "gpu", "drill"]);
});

test("own dimensions must be whole, in range and without contradiction", () => {
  const bare = "1000-64-128-2-4-2-16";
  assert.equal(fromQuery(`model=own&dims=${bare}-1`).settings.dims.tied, true);
  for (const dims of [`${bare}`, `${bare}-2`, "0-64-128-2-4-2-16-1", "1000-64-128-2-4-3-16-1", "1000-64-128-2-4-2-15-1", "a-64-128-2-4-2-16-1"]) {
    const { settings, refused } = fromQuery(`model=own&dims=${dims}`);
    assert.deepEqual(refused, ["dims"], dims);
    assert.deepEqual(settings.dims, defaults().dims);
  }
  assert.equal(dimsFault({ ...defaults().dims, heads: 6, kvHeads: 4 }), "heads");
  assert.deepEqual(fromQuery("model=own").refused, ["dims"]);
});

test("markup in an address stays out of the settings", () => {
  const { settings } = fromQuery(`model=${encodeURIComponent("<img src=x onerror=alert(1)>")}&gpu=%3Cscript%3E`);
  assert.equal(JSON.stringify(settings).includes("<"), false);
});

test("terms add up, each to the product that it shows", () => {
  for (const [name, dims] of Object.entries(MODELS)) {
    for (const [method, rule] of Object.entries(METHODS)) {
      if (method === "bitfit" && !dims.biased) {
        assert.throws(() => trainedTerms(dims, method, 16, []), { code: "no-biases" });
        continue;
      }
      for (const term of trainedTerms(dims, method, 16, rule.targets)) {
        // The products are plain arithmetic; nothing in them but digits and operators.
        if (!term.formula) continue;
        assert.match(term.formula, /^[\d ()+×]+$/);
        assert.equal(Function(`return ${term.formula.replaceAll("×", "*")}`)(), term.value, `${name} ${method} ${term.of}`);
      }
    }
    assert.equal(sum(baseTerms(dims)), baseTotal(dims));
  }
});

test("settings without meaning say why", () => {
  const dims = MODELS["gemma-2b"];
  assert.throws(() => trainedTerms(dims, "lora", 257, ["k_proj"]), error => error instanceof CountError && error.code === "rank-too-large" && error.limit === 256);
  assert.doesNotThrow(() => trainedTerms(dims, "lora", 256, ["k_proj"]));
  assert.throws(() => trainedTerms(dims, "lora", 16, []), { code: "no-targets" });
  assert.throws(() => trainedTerms(dims, "prefix", 0, []), { code: "size-too-small" });
  assert.throws(() => trainedTerms(dims, "adapter", 2048, ["o_proj"]), { code: "bottleneck-too-large", limit: 2047 });
});

test("a seed is a question, the same each time, solved by its own steps", () => {
  const kinds = new Set();
  for (let seed = 0; seed < 400; seed += 1) {
    const asked = drill(seed);
    assert.deepEqual(asked, drill(seed));
    kinds.add(asked.kind);
    assert.ok(asked.answer > 0 && asked.ask.zh && asked.ask.en);
    assert.equal(asked.steps.zh.length, asked.steps.en.length);
    // The last number of the last step is the answer, rounded for the head.
    for (const lang of ["zh", "en"]) {
      const last = Number(asked.steps[lang].at(-1).match(/[\d.]+(?=\D*$)/)[0]);
      assert.ok(judge(asked, last).close, `${seed}: ${asked.steps[lang].at(-1)} for ${asked.answer}`);
    }
    assert.equal(judge(asked, asked.answer * (1 + CLOSE + 0.01)).close, false);
    assert.equal(judge(asked, asked.answer).off, 0);
  }
  assert.ok(kinds.size >= 7);
});

test("rounding by hand", () => {
  assert.equal(threeDigits(0.64999), "0.650");
  assert.equal(threeDigits(0.65), "0.65");
  assert.equal(grouped("1234567.25"), "1,234,567.25");
  assert.equal(spokenCount(19_611_648, "zh"), "1960 多万");
  assert.equal(spokenCount(19_611_648, "en"), "about 19.6 million");
  assert.equal(shortBytes(1536), "1.5 KiB");
});

test("both languages have the same words, names and slots", () => {
  const slots = text => (text.match(/\{\w+\}/g) ?? []).join();
  assert.deepEqual(Object.keys(WORDS.zh), Object.keys(WORDS.en));
  for (const [name, text] of Object.entries(WORDS.zh)) assert.equal(slots(text), slots(WORDS.en[name]), name);
  assert.deepEqual(Object.keys(METHOD_NAMES), Object.keys(METHODS));
  assert.deepEqual(Object.keys(NAMES), Object.keys(MODELS));
  assert.equal(DIMENSIONS.length, 7);
  assert.ok(Object.keys(CARDS).length >= 8);
});

test("every method has a phrase in both languages", () => {
  const phrases = Object.keys(METHODS).flatMap(method => ["zh", "en"].map(lang => methodPhrase({ ...defaults(), method, targets: TARGETS }, lang)));
  assert.equal(phrases.length, 24);
  assert.equal(phrases.filter(phrase => !phrase || /undefined|null/.test(phrase)).length, 0);
});
