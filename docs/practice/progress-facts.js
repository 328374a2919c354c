/* What the stored progress says. Pure. */

import { practiceDay } from "./clock.js";
import { isLearning } from "./schedule.js";

/** @typedef {import("./records.js").Card} Card */
/** @typedef {import("./records.js").Review} Review */
/** @typedef {{id: string, topic: string}} Listed */

/** A card that is given this many days counts as known. */
const KNOWN_DAYS = 21;

/**
 * Reviews per day over whole weeks, Monday first, the current week last.
 * @param {Review[]} reviews
 * @param {number} now
 * @param {number} weeks
 * @returns {{day: number, count: number}[]} days that are still to come have count -1
 */
export function heat(reviews, now, weeks) {
  const today = practiceDay(now);
  const first = today - weekdayOf(today) - 7 * (weeks - 1);
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const { at } of reviews) counts.set(practiceDay(at), (counts.get(practiceDay(at)) ?? 0) + 1);
  return Array.from({ length: 7 * weeks }, (_, index) => {
    const day = first + index;
    return { day, count: day > today ? -1 : counts.get(day) ?? 0 };
  });
}

/** @param {number} day 1970 began on a Thursday */
const weekdayOf = day => (day + 3) % 7;

/**
 * How deep a day's colour is, 0 to 4.
 * @param {number} count
 */
export function depth(count) {
  return count <= 0 ? 0 : count < 5 ? 1 : count < 12 ? 2 : count < 25 ? 3 : 4;
}

/**
 * Cards due on each of the coming days; what is overdue falls on today.
 * @param {Card[]} cards
 * @param {number} now
 * @param {number} days
 */
export function forecast(cards, now, days) {
  const today = practiceDay(now);
  const counts = new Array(days).fill(0);
  for (const card of cards) {
    const ahead = Math.max(0, practiceDay(card.due) - today);
    if (ahead < days) counts[ahead] += 1;
  }
  return counts.map((count, ahead) => ({ day: today + ahead, count }));
}

/**
 * @param {{id: string, title: string}[]} topics
 * @param {Listed[]} questions
 * @param {Card[]} cards
 */
export function byTopic(topics, questions, cards) {
  const known = new Map(cards.map(card => [card.id, card]));
  return topics.map(({ id, title }) => {
    const own = questions.filter(({ topic }) => topic === id);
    const seen = own.flatMap(question => known.get(question.id) ?? []);
    const firm = seen.filter(card => !isLearning(card) && card.days >= KNOWN_DAYS);
    return { id, title, all: own.length, seen: seen.length, firm: firm.length };
  });
}

/**
 * The share of reviews of known cards that were not forgotten, over the last `days`; null without any.
 * @param {Review[]} reviews
 * @param {number} now
 * @param {number} days
 */
export function retention(reviews, now, days) {
  const since = practiceDay(now) - days;
  const counted = reviews.filter(({ at, before }) => before && !isLearning(before) && practiceDay(at) > since);
  return counted.length ? counted.filter(({ grade }) => grade > 1).length / counted.length : null;
}

/**
 * Days in a row up to today, or up to yesterday if today is still empty.
 * @param {Review[]} reviews
 * @param {number} now
 */
export function streak(reviews, now) {
  const days = new Set(reviews.map(({ at }) => practiceDay(at)));
  const today = practiceDay(now);
  let day = days.has(today) ? today : today - 1;
  let length = 0;
  for (; days.has(day); day--) length += 1;
  return length;
}
