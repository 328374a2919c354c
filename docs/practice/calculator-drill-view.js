/* Thirty seconds in the head: a question by its number, a clock, a guess, the way to the answer. */

import { drill, judge, SECONDS } from "./calculator-drill.js";
import { significant, threeDigits } from "./calculator-rounding.js";
import { h } from "./dom.js";

/** @typedef {import("./calculator-words.js").Say} Say */

/**
 * @param {number} seed @param {"zh" | "en"} lang @param {Say} say @param {(seed: number) => void} moved
 * @returns {HTMLElement}
 */
export function drillView(seed, lang, say, moved) {
  const place = h("div", { class: "drill-place" });
  const number = h("input", { type: "number", min: "0", max: String(2 ** 32 - 1), step: "1", value: String(seed), class: "drill-number" });
  const tally = { asked: 0, close: 0 };
  /** @param {number} next */
  const show = next => {
    number.value = String(next);
    place.replaceChildren(question(next, lang, say, tally));
    moved(next);
  };
  number.addEventListener("change", () => { if (number.value !== "" && number.checkValidity()) show(Number(number.value)); });
  place.append(question(seed, lang, say, tally));
  return h("section", { class: "drill" }, h("h2", { id: "drill" }, say("drill")), h("p", {}, say("drill-intro")), place,
    h("div", { class: "drill-foot" },
      h("button", { type: "button", class: "drill-next", onclick: () => show(fresh()) }, say("next")),
      h("label", {}, say("number"), " ", number)));
}

const fresh = () => crypto.getRandomValues(new Uint32Array(1))[0] % 100_000;

/** @param {number} seed @param {"zh" | "en"} lang @param {Say} say @param {{ asked: number, close: number }} tally */
function question(seed, lang, say, tally) {
  const asked = drill(seed);
  const guess = h("input", { type: "number", min: "0", step: "any", inputMode: "decimal", required: true });
  const verdict = h("p", { class: "drill-verdict", role: "status", "aria-live": "polite" });
  const steps = h("ol", { class: "drill-steps" });
  const clock = new Clock(say);
  const form = h("form", { class: "drill-form", onsubmit: check },
    h("label", {}, say("guess"), " ", guess, ` ${asked.unit}`), h("button", { type: "submit", class: "primary" }, say("check")));
  const card = h("div", { class: "drill-card", "data-seed": seed }, h("p", { class: "drill-ask" }, asked.ask[lang]), clock.view, form, verdict, steps);

  /** @param {Event} event */
  function check(event) {
    event.preventDefault();
    const value = Number(guess.value);
    if (!(value > 0)) {
      verdict.textContent = say("no-guess");
      return;
    }
    clock.stop();
    const { off, close } = judge(asked, value);
    if (!steps.childElementCount) {
      tally.asked += 1;
      tally.close += Number(close);
    }
    const share = `${off < 0 ? "−" : "+"}${significant(100 * Math.abs(off), 2)}%`;
    verdict.textContent = `${say(close ? "close" : "off", share)} ${say("answer")}: ${threeDigits(asked.answer)} ${asked.unit} · ${say("score", `${tally.close}/${tally.asked}`)}`;
    verdict.className = `drill-verdict ${close ? "calc-fits" : "calc-not"}`;
    steps.replaceChildren(...asked.steps[lang].map(step => h("li", {}, step)));
  }
  return card;
}

/** Thirty seconds, counted from the moment the button is pressed; a clock that nobody started says nothing. */
class Clock {
  timer = 0;

  /** @param {Say} say */
  constructor(say) {
    this.say = say;
    this.left = h("span", { class: "drill-left" });
    this.bar = h("progress", { class: "drill-bar", max: SECONDS, value: SECONDS, "aria-label": say("drill") });
    this.button = h("button", { type: "button", class: "drill-begin", onclick: () => this.start() }, say("begin"));
    this.view = h("div", { class: "drill-clock" }, this.button, this.bar, this.left);
  }

  start() {
    this.stop();
    const end = performance.now() + SECONDS * 1000;
    this.button.disabled = true;
    const tick = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      this.bar.value = left;
      this.left.textContent = left ? this.say("seconds", left) : this.say("time-up");
      if (!left || !this.view.isConnected) this.stop();
    };
    tick();
    this.timer = window.setInterval(tick, 250);
    this.view.parentElement?.querySelector("input")?.focus();
  }

  stop() {
    clearInterval(this.timer);
    this.button.disabled = false;
  }
}
