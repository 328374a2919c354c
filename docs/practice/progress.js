/* The progress page: what was practised, what comes due, and the file that carries it elsewhere. */

import { h } from "./dom.js";
import { forecastView, heatMap, topicTable, totals } from "./progress-view.js";
import { WORDS } from "./progress-words.js";
import { Unreadable } from "./records.js";
import { begin, give } from "./shell.js";
import { imported } from "./transfer.js";
import { speaker } from "./words.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./progress-words.js").Say} Say */

const LARGEST = 20 * 2 ** 20;

/**
 * @param {Shell} shell
 * @param {Say} say
 */
async function draw(shell, say) {
  const { main, bank, store, root } = shell;
  const { cards, reviews, interviews, aside } = await store.load();
  const now = Date.now();
  main.replaceChildren(h("div", { class: "progress" },
    totals(say, reviews, now), heatMap(say, reviews, now), forecastView(say, cards, now), topicTable(say, bank, cards, root),
    interviews.length ? h("p", {}, say("interviews", interviews.length), " · ", h("a", { href: `${root}practice/interview/` }, say("toInterviews"))) : null,
    h("section", {}, h("h2", {}, say("file")), h("p", {}, say("fileSays")), aside.length ? h("p", { class: "aside-note" }, say("aside", aside.length)) : null,
      transfer(shell, say))));
}

/**
 * @param {Shell} shell
 * @param {Say} say
 */
function transfer(shell, say) {
  const { store, notice } = shell;
  const file = h("input", { type: "file", accept: "application/json,.json", class: "file", id: "import-file", onchange: async () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (chosen) await take(shell, say, chosen);
  } });
  const wipe = h("button", { type: "button", class: "quiet", "data-act": "wipe", onclick: async () => {
    if (!wipe.dataset.sure) {
      wipe.dataset.sure = "asked";
      wipe.textContent = say("wipeSure");
      return;
    }
    await store.wipe();
    await draw(shell, say);
    notice(say("wiped"));
  } }, say("wipe"));
  const keep = h("button", { type: "button", class: "quiet", "data-act": "keep", onclick: async () => notice(say(await navigator.storage?.persist?.() ? "keepYes" : "keepNo")) }, say("keep"));
  return h("p", { class: "transfer" }, h("button", { type: "button", "data-act": "export", onclick: () => give(store) }, say("export")),
    h("label", { class: "button", for: "import-file" }, say("import")), file, wipe, store.kept ? keep : null);
}

/**
 * All of the file or nothing of it.
 * @param {Shell} shell
 * @param {Say} say
 * @param {File} file
 */
async function take(shell, say, file) {
  try {
    if (file.size > LARGEST) throw new Unreadable(say("tooBig"));
    const theirs = imported(await file.text());
    await shell.store.add(theirs);
    const what = say("importedWhat").replace("{cards}", String(theirs.cards.length)).replace("{reviews}", String(theirs.reviews.length))
      .replace("{interviews}", String(theirs.interviews.length));
    await draw(shell, say);
    shell.notice(say("imported", what));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    shell.notice(say("refused", error.message), "warning");
  }
}

begin(async shell => {
  const say = speaker(WORDS, shell.lang);
  await draw(shell, say);
  shell.store.listen(() => draw(shell, say));
});
