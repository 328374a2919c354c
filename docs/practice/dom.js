/* Elements. Text always goes in as text; only the answers that the site's build made go in as HTML. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element: `h("button", { class: "grade", onclick: send }, "Again")`. Names with a dash and those in ATTRIBUTES become
 * attributes, the rest properties.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [given]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (ATTRIBUTES.has(name) || name.includes("-")) element.setAttribute(name, value === true ? "" : String(value));
    else Object.assign(element, { [name]: value });
  }
  element.append(...children.flat().filter(shown).map(child => (child instanceof Node ? child : String(child))));
  return element;
}

const ATTRIBUTES = new Set(["class", "for", "role", "lang", "list", "form", "style", "colspan", "scope"]);

/**
 * @param {Child} child
 * @returns {child is Node | string | number}
 */
function shown(child) {
  return child !== null && child !== undefined && child !== false;
}

/**
 * HTML of the site's own making, its links starting at the language's root.
 * @param {string} html
 * @param {string} root
 */
export function answer(html, root) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const link of template.content.querySelectorAll("a[href]")) {
    const href = link.getAttribute("href") ?? "";
    if (!/^[a-z]+:/i.test(href)) link.setAttribute("href", root + href);
  }
  return template.content;
}

/**
 * Text saved as a file on this device.
 * @param {string} name
 * @param {Blob} content
 */
export function download(name, content) {
  const link = h("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
