/* What a tab is in the middle of. It survives a reload and the switch to the other language, and dies with the tab. */

/**
 * @template T
 * @param {string} name
 * @param {import("./records.js").Check<T>} check
 * @returns {T | null}
 */
export function recall(name, check) {
  try {
    const found = sessionStorage.getItem(`lora-practice.${name}`);
    return found === null ? null : check(JSON.parse(found), name);
  } catch {
    // Refused, or written by another version: begin anew.
    return null;
  }
}

/**
 * @param {string} name
 * @param {unknown} value null forgets
 */
export function remember(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(`lora-practice.${name}`);
    else sessionStorage.setItem(`lora-practice.${name}`, JSON.stringify(value));
  } catch {
    // Refused or full: the tab forgets on reload, nothing else is lost.
  }
}
