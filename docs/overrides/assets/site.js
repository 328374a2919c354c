/* A figure's details open beside its number. They are read from the figure's own page, so a reader without scripts, or with a copy
 * opened from disk, follows the link and finds the same. */
(() => {
  const card = Object.assign(document.createElement("div"), { className: "figure-card md-typeset", popover: "auto", tabIndex: -1 });
  card.setAttribute("role", "dialog");
  document.body.append(card);
  let opener = null;

  /** The entry of figure `name` on the page behind `href`, its links made absolute. */
  async function entry(href, name) {
    const answer = await fetch(href);
    if (!answer.ok) throw new Error(`${href}: ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById(name);
    if (!found) throw new Error(`${href}: no figure ${name}`);
    for (const link of found.querySelectorAll("a[href]")) link.href = new URL(link.getAttribute("href"), answer.url);
    return found;
  }

  function place(number) {
    const at = number.getBoundingClientRect(), size = card.getBoundingClientRect();
    const below = at.bottom + 8 + size.height < innerHeight || at.top < size.height + 8;
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - size.width - 8));
    card.style.left = `${left + scrollX}px`;
    card.style.top = `${(below ? at.bottom + 8 : at.top - size.height - 8) + scrollY}px`;
  }

  async function show(number) {
    const found = await entry(number.href, number.dataset.fig);
    const title = found.querySelector(".figure-title");
    card.setAttribute("aria-label", title ? title.textContent : number.dataset.fig);
    card.replaceChildren(...[...found.childNodes].map(node => document.importNode(node, true)));
    const more = Object.assign(document.createElement("a"), { href: number.href, className: "figure-more" });
    more.textContent = document.documentElement.lang === "zh" ? "打开这个数值的页面" : "Open this figure's page";
    card.append(document.createElement("br"), more);
    card.showPopover();
    place(number);
    opener = number;
    card.focus({ preventScroll: true });
  }

  card.addEventListener("toggle", event => {
    if (event.newState === "closed" && opener) {
      if (document.activeElement === document.body || card.contains(document.activeElement)) opener.focus({ preventScroll: true });
      opener = null;
    }
  });

  document.addEventListener("click", event => {
    const number = event.target.closest("a.fig[data-fig]");
    if (!number || event.ctrlKey || event.metaKey || event.shiftKey || !card.showPopover) return;
    event.preventDefault();
    show(number).catch(() => location.assign(number.href));
  });

  /* On paper nothing can be unfolded, so it is unfolded before printing. */
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details.evidence:not([open])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => folded.forEach(details => { details.open = false; }));

  /* Where the practice pages have kept the site on this device, every page says when a new version of it waits. */
  const { lang } = document.documentElement, here = document.currentScript?.src;
  if (navigator.serviceWorker?.controller && here && !document.getElementById("practice")) {
    const site = new URL(lang === "en" ? "../../" : "../", here).href;
    import(`${site}app/offline.js`).then(({ keepOffline }) => keepOffline(site, lang, document.createElement("p")));
  }

  /* The theme calls its search a dialog and gives it no name. */
  const search = document.querySelector(".md-search");
  search?.setAttribute("aria-label", search.querySelector("input")?.getAttribute("aria-label") ?? "Search");

  /* The theme's search box listens to keys only; pasted text and some input methods raise none. */
  document.querySelector("[data-md-component=search-query]")?.addEventListener("input", ({ target }) => {
    target.dispatchEvent(new KeyboardEvent("keyup"));
  });
})();
