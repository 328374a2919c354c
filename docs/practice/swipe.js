/* A card pushed sideways by a finger: right is "good", left is "again". Up and down stay scrolling. */

const FAR = 90;

/**
 * @param {HTMLElement} card
 * @param {(side: "left" | "right") => void} done
 */
export function swipeable(card, done) {
  /** @type {{x: number, y: number, id: number} | null} */
  let start = null;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const place = (/** @type {number} */ x) => {
    card.style.transform = still.matches || !x ? "" : `translateX(${x}px) rotate(${x / 60}deg)`;
    card.dataset.pushed = Math.abs(x) < FAR ? "" : x > 0 ? "right" : "left";
  };
  card.addEventListener("pointerdown", event => {
    const onControl = event.target instanceof Element && event.target.closest("a, button, input, textarea, label, summary, math");
    if (event.pointerType === "touch" && !onControl) start = { x: event.clientX, y: event.clientY, id: event.pointerId };
  });
  card.addEventListener("pointermove", event => {
    if (start?.id === event.pointerId) place(event.clientX - start.x);
  });
  card.addEventListener("pointerup", event => {
    if (start?.id !== event.pointerId) return;
    const x = event.clientX - start.x, y = event.clientY - start.y;
    start = null;
    place(0);
    if (Math.abs(x) >= FAR && Math.abs(x) > 2 * Math.abs(y)) done(x > 0 ? "right" : "left");
  });
  card.addEventListener("pointercancel", () => {
    start = null;
    place(0);
  });
}
