/* The practice day: it begins at four in the morning, local time, so that a late evening still counts as the same day. */

export const MINUTE = 60_000;
export const DAY = 86_400_000;
const DAY_BEGINS = 4 * 60 * MINUTE;

/**
 * Milliseconds on a clock whose UTC midnight is the beginning of the local practice day.
 * @param {number} time milliseconds since 1970
 */
export function practiceTime(time) {
  return time - new Date(time).getTimezoneOffset() * MINUTE - DAY_BEGINS;
}

/**
 * The number of the practice day that a time falls on.
 * @param {number} time milliseconds since 1970
 */
export function practiceDay(time) {
  return Math.floor(practiceTime(time) / DAY);
}

/**
 * A practice day's date, `2026-11-23`.
 * @param {number} day
 */
export function dateOf(day) {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

/**
 * The day of the week, Monday 0 to Sunday 6.
 * @param {number} day
 */
export function weekday(day) {
  return (new Date(day * DAY).getUTCDay() + 6) % 7;
}
