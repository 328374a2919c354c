/* Makes the site available without a network, and says when a new version of it waits. */

import { h } from "./dom.js";

const WORDS = {
  zh: { fresh: "网站有新版本。", reload: "刷新", kept: "已存到本机，没网也能用。", keeping: "正在存到本机：{n}%", later: "还没存完，联网后会接着存。" },
  en: { fresh: "A new version of the site is there.", reload: "Reload", kept: "Kept on this device: works without a network.", keeping: "Keeping the site on this device: {n}%", later: "Not all kept yet; it goes on when you are online." },
};

/**
 * Registers the worker. Its messages become text in `place`, a waiting version becomes a notice with one button.
 * @param {string} root of the whole site
 * @param {"zh" | "en"} lang
 * @param {HTMLElement} place
 */
export async function keepOffline(root, lang, place) {
  if (!("serviceWorker" in navigator)) return;
  const { serviceWorker } = navigator;
  const registration = await serviceWorker.register(`${root}sw.js`, { updateViaCache: "none" });
  if (!registration) return;
  serviceWorker.addEventListener("message", ({ data }) => say(place, lang, data));
  offer(registration, lang);
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", () => offer(registration, lang));
  });
  serviceWorker.addEventListener("controllerchange", () => {
    if (reloading) location.reload();
  });
  const { active } = await serviceWorker.ready;
  if (!(/** @type {any} */ (navigator).connection?.saveData)) active?.postMessage("keep all");
}

let reloading = false;

/**
 * @param {HTMLElement} place
 * @param {"zh" | "en"} lang
 * @param {{done?: number, all?: number, interrupted?: boolean}} message
 */
function say(place, lang, { done = 0, all = 0, interrupted }) {
  const words = WORDS[lang];
  place.dataset.kept = interrupted ? "some" : done === all ? "all" : "some";
  place.textContent = interrupted ? words.later : done === all ? words.kept : words.keeping.replace("{n}", String(Math.floor(100 * done / all)));
}

/**
 * @param {ServiceWorkerRegistration} registration
 * @param {"zh" | "en"} lang
 */
function offer(registration, lang) {
  const { waiting } = registration;
  if (!waiting || !navigator.serviceWorker.controller || document.querySelector(".new-version")) return;
  const reload = () => {
    reloading = true;
    waiting.postMessage("take over");
  };
  document.body.append(h("aside", { class: "new-version md-typeset", role: "status" }, WORDS[lang].fresh, " ",
    h("button", { type: "button", onclick: reload }, WORDS[lang].reload)));
}
