/* What every practice page begins with: its place in the site, the questions, the store, and a voice for what goes wrong. */

import { dateOf, practiceDay } from "./clock.js";
import { download, h } from "./dom.js";
import { keepOffline } from "./offline.js";
import { loadBank } from "./questions.js";
import { Store } from "./store.js";
import { exported } from "./transfer.js";
import { WORDS, speaker } from "./words.js";

/**
 * @typedef {object} Shell
 * @property {HTMLElement} main where the page draws
 * @property {string} root of this language's pages
 * @property {string} lang
 * @property {import("./words.js").Say} say
 * @property {import("./questions.js").Bank} bank
 * @property {Store} store
 * @property {(text: string, kind?: "warning" | "note", act?: HTMLElement) => void} notice shows and speaks a message
 */

const opened = Store.open();
/** Milliseconds that a note stays; a warning stays until it is closed. */
const NOTE = 6000;
/** Troubles after which progress lives in this page alone. */
const FLEETING = ["refused", "full", "newer"];

/**
 * All progress as a file on this device.
 * @param {Store} store
 */
export async function give(store) {
  const now = Date.now();
  download(`lora-practice-${dateOf(practiceDay(now))}.json`, new Blob([exported(await store.load(), now)], { type: "application/json" }));
}

/**
 * Runs a page's `view` once everything is there.
 * @param {(shell: Shell) => Promise<void>} view
 */
export async function begin(view) {
  const main = /** @type {HTMLElement} */ (document.getElementById("practice"));
  const { root = "", app = "", lang = "zh" } = main.dataset;
  const say = speaker(WORDS, lang);
  const notices = h("div", { class: "notices", role: "status", "aria-live": "polite" });
  main.before(notices);
  /** @type {Shell["notice"]} */
  const notice = (text, kind = "note", act = undefined) => {
    if (kind === "note") notices.querySelector(".notice-note")?.remove();
    const close = h("button", { type: "button", class: "notice-close", "aria-label": say("close"), onclick: () => shown.remove() }, "×");
    const shown = h("p", { class: `notice notice-${kind}` }, text, act, close);
    notices.append(shown);
    if (kind === "note") setTimeout(() => shown.remove(), NOTE);
  };
  try {
    const [bank, store] = await Promise.all([loadBank(`${app}questions.${lang}.json`), opened]);
    const rescue = () => h("button", { type: "button", "data-act": "rescue", onclick: () => give(store) }, say("export"));
    store.onTrouble = trouble => notice(say(trouble), "warning", FLEETING.includes(trouble) ? rescue() : undefined);
    store.troubles.forEach(store.onTrouble);
    await view({ main, root, lang, say, bank, store, notice });
    // Only from here on: what fails above is told below, once.
    addEventListener("unhandledrejection", event => notice(say("unexpected", String(event.reason?.message ?? event.reason)), "warning"));
    main.dataset.ready = "";
    performance.mark("practice-ready");
    const state = h("p", { class: "offline-state" });
    main.after(state);
    await keepOffline(`${app}../`, lang === "en" ? "en" : "zh", state);
  } catch (error) {
    notice(say("failed", error instanceof Error ? error.message : String(error)), "warning");
    throw error;
  }
}
