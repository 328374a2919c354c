/* What every practice page begins with: its place in the site, the questions, the store, and a voice for what goes wrong. */

import { h } from "./dom.js";
import { keepOffline } from "./offline.js";
import { loadBank } from "./questions.js";
import { Store } from "./store.js";
import { WORDS, speaker } from "./words.js";

/**
 * @typedef {object} Shell
 * @property {HTMLElement} main where the page draws
 * @property {string} root of this language's pages
 * @property {string} lang
 * @property {import("./words.js").Say} say
 * @property {import("./questions.js").Bank} bank
 * @property {Store} store
 * @property {(text: string, kind?: "warning" | "note") => void} notice shows and speaks a message
 */

const opened = Store.open();

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
  const notice = (text, kind = "note") => {
    if (kind === "note") notices.querySelector(".notice-note")?.remove();
    const close = h("button", { type: "button", class: "notice-close", "aria-label": say("close"), onclick: () => shown.remove() }, "×");
    const shown = h("p", { class: `notice notice-${kind}` }, text, close);
    notices.append(shown);
  };
  addEventListener("unhandledrejection", event => notice(say("unexpected", String(event.reason?.message ?? event.reason)), "warning"));
  try {
    const [bank, store] = await Promise.all([loadBank(`${app}questions.${lang}.json`), opened]);
    store.onTrouble = trouble => notice(say(trouble), "warning");
    store.troubles.forEach(store.onTrouble);
    await view({ main, root, lang, say, bank, store, notice });
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
