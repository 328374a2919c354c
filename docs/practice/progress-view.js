/* The progress page's pictures: heat map, forecast, topics. Every picture says its numbers in words too. */

import { dateOf } from "./clock.js";
import { h } from "./dom.js";
import * as facts from "./progress-facts.js";

/** @typedef {import("./progress-words.js").Say} Say */
/** @typedef {import("./records.js").Card} Card */
/** @typedef {import("./records.js").Review} Review */

const WEEKS = 26, AHEAD = 14;

/**
 * @param {Say} say
 * @param {Review[]} reviews
 * @param {number} now
 */
export function totals(say, reviews, now) {
  const kept = facts.retention(reviews, now, 30);
  const entries = [[say("answered"), reviews.length], [say("streak"), facts.streak(reviews, now)], [say("kept"), kept === null ? say("none") : `${Math.round(100 * kept)}%`]];
  return h("dl", { class: "counts totals" }, entries.map(([label, value]) => h("div", { class: "count" }, h("dt", {}, label), h("dd", {}, value))));
}

/**
 * @param {Say} say
 * @param {Review[]} reviews
 * @param {number} now
 */
export function heatMap(say, reviews, now) {
  const days = facts.heat(reviews, now, WEEKS);
  const sum = days.reduce((total, { count }) => total + Math.max(0, count), 0);
  const cells = days.map(({ day, count }) =>
    h("i", count < 0 ? { class: "to-come" } : { "data-depth": facts.depth(count), title: `${dateOf(day)}: ${say("day", count)}` }));
  const legend = [0, 1, 2, 3, 4].map(depth => h("i", { "data-depth": depth }));
  return h("section", {}, h("h2", {}, say("heat")),
    h("div", { class: "heat-scroll", role: "img", "aria-label": say("heatSaid", sum) }, h("div", { class: "heat" }, cells)),
    h("p", { class: "heat-legend", "aria-hidden": "true" }, say("less"), " ", legend, " ", say("more")));
}

/**
 * @param {Say} say
 * @param {Card[]} cards
 * @param {number} now
 */
export function forecastView(say, cards, now) {
  const days = facts.forecast(cards, now, AHEAD);
  const most = Math.max(1, ...days.map(({ count }) => count));
  const bar = (/** @type {number} */ count) => {
    const element = h("i", { "aria-hidden": "true" });
    element.style.setProperty("--share", String(count / most));
    return element;
  };
  return h("section", {}, h("h2", {}, say("forecast")), h("ol", { class: "forecast" }, days.map(({ day, count }, ahead) =>
    h("li", { class: count ? "" : "none" }, h("b", { "aria-hidden": "true" }, count || ""), bar(count),
      h("span", { "aria-hidden": "true" }, ahead ? dayOfMonth(day) : say("today")), h("span", { class: "unseen" }, `${dateOf(day)}: ${say("cards", count)}`)))));
}

/** `12/6` on the first of a month, else the day alone, so that fourteen of them fit on a phone. @param {number} day */
function dayOfMonth(day) {
  const [, month, date] = dateOf(day).split("-").map(Number);
  return date === 1 ? `${month}/1` : String(date);
}

/**
 * Each topic leads to its own deck.
 * @param {Say} say
 * @param {import("./questions.js").Bank} bank
 * @param {Card[]} cards
 * @param {string} root
 */
export function topicTable(say, { topics, questions }, cards, root) {
  const rows = facts.byTopic(topics, questions, cards).map(({ id, title, all, seen, firm }) =>
    h("tr", {}, h("th", { scope: "row" }, h("a", { href: `${root}practice/cards/?topics=${id}` }, title)), h("td", {}, firm), h("td", {}, seen), h("td", {}, all),
      h("td", {}, h("meter", { min: 0, max: all, value: seen, "aria-hidden": "true" }))));
  const heads = [say("topic"), say("firm"), say("seen"), say("all")].map(title => h("th", { scope: "col" }, title));
  return h("section", {}, h("h2", {}, say("topics")), h("table", { class: "plain" }, h("thead", {}, h("tr", {}, heads, h("td"))), h("tbody", {}, rows)));
}
