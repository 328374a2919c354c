/* Numbers for the ear and the eye, digit for digit as lora_demo/pages/writing/rounding.py and spoken.py write them. */

/** @typedef {"zh" | "en"} Lang */
/** A rounded number: its text, the value it stands for, the word of its scale. */
/** @typedef {{ text: string, value: number, scale: string }} Rounded */

export const KIB = 1024, MIB = KIB ** 2, GIB = KIB ** 3, TIB = KIB ** 4;
/** A spoken number keeps the fewest digits, at most three, whose error stays within this share of the value. */
const SPOKEN_ERROR = 0.016;

/** @type {Record<Lang, [number, string][]>} */
const COUNTS_SPOKEN = { zh: [[1e8, " 亿"], [1e4, " 万"]], en: [[1e9, " billion"], [1e6, " million"]] };
/** @type {Record<Lang, [number, string][]>} */
const BYTES_SPOKEN = {
  zh: [[TIB, " T"], [GIB, " G"], [MIB, " 兆"], [KIB, " K"]],
  en: [[TIB, " terabytes"], [GIB, " gigs"], [MIB, " megs"], [KIB, " kilobytes"]],
};
/** @type {[number, string][]} */
const BYTES_SHORT = [[TIB, " TiB"], [GIB, " GiB"], [MIB, " MiB"], [KIB, " KiB"]];
/** @type {Record<Lang, [number, string][]>} */
const COUNTS_SHORT = { zh: [[1e8, " 亿"], [1e4, " 万"]], en: [[1e9, " B"], [1e6, " M"], [1e3, " K"]] };

/**
 * `value` at `digits` significant digits, rounding the shortest decimal that is this float, halves to even; neither
 * exponent nor separators. `toPrecision` would round the binary value, in which 0.645 is a little more than it reads.
 * @param {number} value @param {number} digits @returns {string}
 */
function rounded(value, digits) {
  if (value === 0) return "0";
  const [mantissa, exponent] = Math.abs(value).toExponential().split("e");
  const read = mantissa.replace(".", "");
  let whole = BigInt(read), power = Number(exponent) - read.length + 1;
  const drop = read.length - digits;
  if (drop > 0) {
    const unit = 10n ** BigInt(drop), rest = whole % unit;
    whole /= unit;
    if (2n * rest > unit || (2n * rest === unit && whole % 2n === 1n)) whole += 1n;
    power += drop;
    if (whole === 10n ** BigInt(digits)) {
      whole /= 10n;
      power += 1;
    }
  }
  return (value < 0 ? "-" : "") + plain(whole.toString(), power);
}

/** digits × 10^power without an exponent. @param {string} digits @param {number} power @returns {string} */
function plain(digits, power) {
  if (power >= 0) return digits + "0".repeat(power);
  const filled = digits.padStart(1 - power, "0");
  return `${filled.slice(0, power)}.${filled.slice(power)}`;
}

/** Without zeros after the last decimal. @param {number} value @param {number} digits @returns {string} */
export function significant(value, digits) {
  const text = rounded(value, digits);
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}

/** Three digits; a zero that rounding left stays, one that says nothing goes. @param {number} value @returns {string} */
export function threeDigits(value) {
  const bare = significant(value, 3);
  return says(bare, value) ? bare : rounded(value, 3);
}

/** @param {string} text @param {number} value @returns {boolean} */
const says = (text, value) => Math.abs(Number(text) - value) <= 1e-9 * Math.abs(value);

/** @param {number} value @returns {string} */
function forTheEar(value) {
  if (says(significant(value, 3), value)) return significant(value, 3);
  for (const digits of [1, 2]) {
    const text = significant(value, digits);
    if (Math.abs(Number(text) - value) <= SPOKEN_ERROR * Math.abs(value)) return text;
  }
  return significant(value, 3);
}

/**
 * `value` in the largest step in which it rounds to at least one; plain below the smallest.
 * @param {number} value @param {[number, string][]} steps @param {(value: number) => string} write @returns {Rounded}
 */
function scaled(value, steps, write) {
  for (const [size, scale] of steps) {
    const text = write(value / size);
    if (Math.abs(Number(text)) >= 1) return { text, value: value / size, scale };
  }
  return { text: write(value), value, scale: "" };
}

/** Thousands separators in the whole part. @param {string} text @returns {string} */
export function grouped(text) {
  const [whole, rest] = text.split(".");
  const parts = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? parts : `${parts}.${rest}`;
}

/** @param {Rounded} number @param {string} tail @param {Lang} lang @param {boolean} exact @returns {string} */
function about(number, tail, lang, exact) {
  const text = lang === "zh" ? number.text : grouped(number.text);
  if (exact && says(number.text, number.value)) return text + tail;
  return `${lang === "zh" ? "约" : "about"} ${text}${tail}`;
}

/** A count as one says it: 1960 多万, about 20 million. @param {number} value @param {Lang} lang @returns {string} */
export function spokenCount(value, lang) {
  const number = scaled(value, COUNTS_SPOKEN[lang], forTheEar);
  if (lang === "zh" && number.scale && aLittleOver(number)) return `${number.text} 多${number.scale.trim()}`;
  return about(number, number.scale, lang, true);
}

/** Whether 多 fits: 1961 is 1960 多; 302 is not 300 多, which one hears as up to 399. @param {Rounded} number @returns {boolean} */
function aLittleOver({ text, value }) {
  const tens = /^\d*[1-9]0$/.test(text) && text.length >= 3;
  return tens && value - Number(text) >= 0.5 && value - Number(text) < 10;
}

/** `exact`: neither predicted nor measured. @param {number} value @param {Lang} lang @param {boolean} [exact] @returns {string} */
export function spokenBytes(value, lang, exact = true) {
  const number = scaled(value, BYTES_SPOKEN[lang], forTheEar);
  return about(number, number.scale || (lang === "zh" ? " 字节" : " bytes"), lang, exact);
}

/** A share between 0 and 1. @param {number} share @param {Lang} lang @returns {string} */
export function spokenShare(share, lang) {
  if (share > 0.99 && share < 1) return nines(share, lang);
  return about({ text: forTheEar(share * 100), value: share * 100, scale: "" }, lang === "zh" ? "%" : " percent", lang, true);
}

/** Rounding 99.35 % to 100 % would deny what is left. @param {number} share @param {Lang} lang @returns {string} */
function nines(share, lang) {
  let digits = 0;
  while (share >= 1 - 10 ** -(digits + 3)) digits += 1;
  const text = "99" + (digits ? "." + "9".repeat(digits) : "");
  return lang === "zh" ? `${text}% 以上` : `over ${text} percent`;
}

/** @param {number} value @returns {string} */
export function shortBytes(value) {
  if (value < KIB) return `${value} B`;
  const number = scaled(value, BYTES_SHORT, threeDigits);
  return grouped(number.text) + number.scale;
}

/** @param {number} value @param {Lang} lang @returns {string} */
export function shortCount(value, lang) {
  if (value < 1e4) return grouped(String(value));
  const number = scaled(value, COUNTS_SHORT[lang], threeDigits);
  return grouped(number.text) + number.scale;
}

/** @param {number} value @returns {string} */
export const whole = value => grouped(String(value));
