/* The calculator's controls: they change the settings in place and call `changed`. */

import { METHODS, TARGETS } from "./calculator-counts.js";
import { CARDS, OPTIMIZERS } from "./calculator-memory.js";
import { MODELS, NAMES } from "./calculator-models.js";
import { DIMENSIONS, dimsOf, LIMITS, OWN, short } from "./calculator-state.js";
import { METHOD_NAMES } from "./calculator-words.js";
import { h } from "./dom.js";

/** @typedef {import("./calculator-state.js").Settings} Settings */
/** @typedef {import("./calculator-counts.js").Method} Method */
/** @typedef {import("./calculator-counts.js").Target} Target */
/** @typedef {import("./calculator-words.js").Say} Say */
/** @typedef {import("./calculator-words.js").Word} Word */
/** @typedef {"zh" | "en"} Lang */

/** The form, and a function that shows only what the settings use. */
export class Controls {
  /** @param {Settings} settings @param {Lang} lang @param {Say} say @param {() => void} changed */
  constructor(settings, lang, say, changed) {
    this.settings = settings;
    this.lang = lang;
    this.say = say;
    this.changed = changed;
    this.own = this.dimensions();
    this.boxes = TARGETS.map(target => this.box(target));
    this.targets = h("fieldset", { class: "calc-wide" }, h("legend", {}, say("targets")), h("div", { class: "chips" }, this.boxes.map(({ chip }) => chip)), this.shortcuts());
    this.positions = this.number("logits", LIMITS.length);
    this.sizeField = this.field("rank", this.number("size", LIMITS.size));
    this.adapterField = this.field("adapter", this.select("adapter", [["float32", say("float32")], ["bfloat16", say("bfloat16")]]));
    this.positionsField = this.field("positions", this.positions);
    this.form = this.build();
    this.show();
  }

  build() {
    const { say, settings: s } = this;
    const models = Object.keys(MODELS).map(name => /** @type {[string, string]} */ ([name, NAMES[name]]));
    const methods = Object.entries(METHOD_NAMES).map(([name, names]) => /** @type {[string, string]} */ ([name, names[this.lang]]));
    const cards = Object.entries(CARDS).map(([name, card]) => /** @type {[string, string]} */ ([name, card.name]));
    const checkpointing = h("input", { type: "checkbox", checked: s.checkpointing, onchange: () => this.set("checkpointing", checkpointing.checked) });
    return h("form", { class: "calc-form", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      this.field("model", this.select("model", [...models, [OWN, say("own")]])),
      this.field("method", this.methodSelect(methods)),
      this.sizeField,
      this.own,
      this.targets,
      this.field("batch", this.number("batch", LIMITS.batch)),
      this.field("length", this.number("length", LIMITS.length)),
      this.adapterField,
      this.field("optimizer", this.select("optimizer", OPTIMIZERS.map(name => [name, name]))),
      this.field("logits", this.logits()),
      this.positionsField,
      this.field("card", this.select("card", cards)),
      h("label", { class: "calc-check" }, checkpointing, say("checkpointing")),
    );
  }

  /** @template {keyof Settings} K @param {K} name @param {Settings[K]} value */
  set(name, value) {
    this.settings[name] = value;
    this.show();
    this.changed();
  }

  /** Hides what these settings do not use. */
  show() {
    const { settings: s, say } = this, rule = METHODS[s.method];
    this.own.hidden = s.model !== OWN;
    this.targets.hidden = !rule.targets.length;
    this.boxes.forEach(({ box, target }) => { box.checked = s.targets.includes(target); });
    this.sizeField.hidden = !rule.size;
    this.adapterField.hidden = s.method === "full";
    this.positionsField.hidden = !s.logits;
    if (rule.size) /** @type {HTMLElement} */ (this.sizeField.firstElementChild).textContent = say(rule.size);
  }

  /** @param {Word} word @param {HTMLElement} control */
  field(word, control) {
    return h("label", { class: "calc-field" }, h("span", {}, this.say(word)), control);
  }

  /** @param {"model" | "adapter" | "optimizer" | "card"} name @param {[string, string][]} options */
  select(name, options) {
    const select = this.options(options, this.settings[name]);
    select.addEventListener("change", () => {
      // Whoever switches to own dimensions starts from the model just shown.
      if (select.value === OWN) this.takeOver();
      this.set(name, /** @type {never} */ (select.value));
    });
    return select;
  }

  /** @param {[string, string][]} options @param {string} chosen */
  options(options, chosen) {
    return h("select", {}, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  }

  /** @param {[string, string][]} methods */
  methodSelect(methods) {
    const select = this.options(methods, this.settings.method);
    select.addEventListener("change", () => {
      const method = /** @type {Method} */ (select.value), before = METHODS[this.settings.method];
      if (before.targets.join() !== METHODS[method].targets.join()) this.settings.targets = [...METHODS[method].targets];
      this.set("method", method);
    });
    return select;
  }

  /**
   * A whole number from 1 to `most`; anything else is said at the field and leaves the settings alone.
   * @param {"size" | "batch" | "length" | "logits"} name @param {number} most
   */
  number(name, most) {
    return this.wholeNumber(this.settings[name] || 64, most, value => this.set(name, value));
  }

  /** @param {number} value @param {number} most @param {(value: number) => void} take */
  wholeNumber(value, most, take) {
    const input = h("input", { type: "number", inputMode: "numeric", min: "1", max: String(most), step: "1", required: true, value: String(value) });
    input.addEventListener("input", () => {
      const fine = input.checkValidity();
      input.setCustomValidity("");
      input.setAttribute("aria-invalid", String(!fine));
      if (fine) take(Number(input.value));
    });
    input.addEventListener("change", () => {
      if (input.checkValidity()) return;
      input.setCustomValidity(this.say("bad-number", most));
      input.reportValidity();
      input.setCustomValidity("");
    });
    return input;
  }

  logits() {
    const { say, settings } = this;
    const select = this.options([["all", say("whole")], ["some", say("selected")]], settings.logits ? "some" : "all");
    select.addEventListener("change", () => this.set("logits", select.value === "all" ? 0 : Number(this.positions.value) || 64));
    return select;
  }

  dimensions() {
    const { say, settings } = this;
    this.dims = DIMENSIONS.map(([name, most]) => ({ name, input: this.wholeNumber(settings.dims[name], most, value => this.setDims({ [name]: value })) }));
    const tied = h("input", { type: "checkbox", checked: settings.dims.tied, onchange: () => this.setDims({ tied: tied.checked }) });
    this.tied = tied;
    return h("fieldset", { class: "calc-wide calc-dims" }, h("legend", {}, say("dims")),
      this.dims.map(({ name, input }) => this.field(name, input)), h("label", { class: "calc-check" }, tied, say("tied")));
  }

  /** @param {Partial<import("./calculator-models.js").Dims>} some */
  setDims(some) {
    this.set("dims", { ...this.settings.dims, ...some });
  }

  takeOver() {
    const { vocab, hidden, intermediate, layers, heads, kvHeads, headDim, tied } = dimsOf(this.settings);
    this.settings.dims = { vocab, hidden, intermediate, layers, heads, kvHeads, headDim, tied };
    for (const { name, input } of this.dims ?? []) input.value = String(this.settings.dims[name]);
    if (this.tied) this.tied.checked = tied;
  }

  /** @param {Target} target */
  box(target) {
    const box = h("input", { type: "checkbox", value: target });
    box.addEventListener("change", () => this.set("targets", this.boxes.filter(each => each.box.checked).map(each => each.target)));
    return { target, box, chip: h("label", { class: "chip" }, box, h("span", {}, short(target))) };
  }

  shortcuts() {
    const { say } = this;
    /** @type {[Word, Target[]][]} */
    const sets = [["only-qv", ["q_proj", "v_proj"]], ["attention", TARGETS.slice(0, 4)], ["all", TARGETS]];
    return h("div", { class: "calc-shortcuts" }, sets.map(([word, targets]) =>
      h("button", { type: "button", class: "quiet", onclick: () => this.set("targets", [...targets]) }, say(word))));
  }
}
