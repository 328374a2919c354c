/* The report of an interview: on the screen, on paper, and next to earlier ones. */

import { dateOf, practiceDay } from "./clock.js";
import { answer, h } from "./dom.js";
import { report } from "./interview-report.js";
import { clockText } from "./interview-words.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./interview-words.js").Say} Say */
/** @typedef {import("./records.js").Interview} Interview */
/** @typedef {ReturnType<typeof report>} Report */

/**
 * @param {Shell} shell
 * @param {Say} say
 * @param {Interview} interview
 * @param {HTMLElement | null} history
 * @param {{back: () => void, again: () => void}} act
 */
export function reportView(shell, say, interview, history, act) {
  const { bank } = shell;
  const found = report(bank.questions, interview);
  return h("div", { class: "report" },
    h("h2", { id: "card-title", tabIndex: -1 }, say("report")),
    h("p", { class: "report-facts" }, [dateOf(practiceDay(interview.at)), say(interview.role), bank.levels[interview.level], say("minutes", interview.minutes)].join(" · ")),
    h("p", { class: "report-score" }, h("b", {}, say("score", `${found.hit}/${found.of}`)), " · ", say("time", clockText(found.seconds)),
      found.over ? ` · ${say("overCount", found.over)}` : ""),
    topics(shell, say, found), study(shell, say, found), lines(shell, say, interview, found),
    history,
    h("p", { class: "report-act" }, h("button", { type: "button", onclick: () => print() }, say("print")), " ",
      h("button", { type: "button", "data-act": "back", onclick: act.back }, say("back")), " ",
      h("button", { type: "button", "data-act": "again", onclick: act.again }, say("again"))));
}

/**
 * @param {Shell} shell
 * @param {Say} say
 * @param {Report} found
 */
function topics({ bank, root }, say, { topics: scores, weak }) {
  const title = (/** @type {string} */ id) => bank.topics.find(topic => topic.id === id)?.title ?? id;
  return h("section", {}, h("h3", {}, say("topicScores")),
    h("ul", { class: "topic-scores" }, scores.map(({ topic, hit, of }) =>
      h("li", {}, h("span", {}, title(topic)), h("meter", { min: 0, max: of, value: hit, "aria-hidden": "true" }), h("span", {}, `${hit}/${of}`)))),
    h("p", { class: "weak" }, weak.length ? [say("weakTopics"), weak.flatMap(({ topic }, at) => [at ? " · " : " ", h("a", { href: `${root}practice/cards/?topics=${topic}` }, title(topic))])].flat() : say("noWeak")));
}

/**
 * @param {Shell} shell
 * @param {Say} say
 * @param {Report} found
 */
function study({ bank, root }, say, { study: ids }) {
  const links = ids.flatMap(id => bank.questions.filter(question => question.id === id))
    .map(question => h("li", {}, h("a", { href: root + question.url }, question.title)));
  return links.length ? h("section", {}, h("h3", {}, say("study")), h("ul", {}, links)) : null;
}

/**
 * @param {Shell} shell
 * @param {Say} say
 * @param {Interview} interview
 * @param {Report} found
 */
function lines({ bank, root, store }, say, { key, asked }, { lines: all }) {
  return h("section", { class: "report-lines" }, h("h3", {}, say("answers")), h("ol", {}, all.map(line => {
    const question = bank.questions.find(({ id }) => id === line.id);
    const sound = h("div", { class: "sound" });
    const index = asked.findIndex(({ id }) => id === line.id);
    store.recording(`${key}-${index}`).then(blob => {
      if (blob) sound.append(h("audio", { controls: true, src: URL.createObjectURL(blob), "aria-label": `${say("record")} ${index + 1}` }));
    });
    return h("li", {}, h("p", {}, h("a", { href: root + (question?.url ?? "") }, question?.title ?? line.id), " ",
      h("small", { class: line.seconds > line.limit ? "late" : "" }, `${say(STRENGTH[line.strength ?? 0])} · ${say("spent", clockText(line.seconds))} / ${clockText(line.limit)}`)),
    h("ul", { class: "points" }, line.points.map(({ text, hit }) =>
      h("li", { class: hit ? "hit" : "missed" }, h("span", { class: "point-mark" }, hit ? `✓ ${say("said")}` : `✗ ${say("missed")}`), " ", answer(text, root)))),
    line.notes ? h("p", { class: "report-notes" }, `${say("yourNotes")}: ${line.notes}`) : null, sound);
  })));
}

const STRENGTH = /** @type {const} */ (["weak0", "weak1", "weak2"]);
