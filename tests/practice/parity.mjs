/* Replays histories with our scheduler: JSON in on standard input, JSON out. See test_parity.py. */

import { readFileSync } from "node:fs";

import { outcomes } from "../../docs/practice/schedule.js";

const { histories, longest } = JSON.parse(readFileSync(0, "utf8"));
const replayed = histories.map(history => {
  let card = null;
  return history.map(({ at, grade }) => {
    card = outcomes(card, "a.b", at, { longest })[grade];
    return { stability: card.stability, difficulty: card.difficulty, state: card.state, days: card.days, wait: card.due - at };
  });
});
console.log(JSON.stringify(replayed));
