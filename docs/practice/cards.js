/* The page of cards: deck, card, summary. The queue is worked out afresh from the store before every card. */

import { cardView } from "./card-view.js";
import { deckView } from "./deck-view.js";
import { h } from "./dom.js";
import { recall, remember } from "./kept-state.js";
import * as records from "./records.js";
import { outcomes } from "./schedule.js";
import { doneToday, inDeck, next, waiting } from "./session.js";
import { begin } from "./shell.js";
import { Conflict } from "./store.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./card-view.js").Turn} Turn */
/** @typedef {import("./schedule.js").Grade} Grade */

/** @type {records.Check<Turn>} */
const TURN = records.object({
  id: records.questionId, revealed: records.flag, typed: records.text, ticks: records.list(records.whole(0, 20), 20),
  since: records.time, done: records.list(records.key, 10_000), extra: records.whole(0, 999),
});

/** How many questions an evening holds. */
const TONIGHT = 20;

class Cards {
  /** @type {import("./deck-view.js").Known} */ known = { cards: new Map(), reviews: [], settings: records.DEFAULTS };
  /** @type {Turn | null} */ turn = recall("cards", TURN);
  extra = this.turn?.extra ?? 0;
  /** Keys of this round's reviews, the latest last: what "undo" takes back. */
  done = this.turn?.done ?? [];
  busy = false;

  /** @param {Shell} shell */
  constructor(shell) {
    this.shell = shell;
    this.questions = new Map(shell.bank.questions.map(question => [question.id, question]));
  }

  async read() {
    const { cards, reviews, settings } = await this.shell.store.load();
    this.known = { cards: new Map(cards.map(card => [card.id, card])), reviews, settings: { ...records.DEFAULTS, ...settings } };
  }

  queue() {
    const { cards, reviews, settings } = this.known;
    const limits = { ...settings, fresh: settings.fresh + this.extra };
    const now = Date.now();
    return next(waiting(inDeck(this.shell.bank.questions, settings.deck), cards, reviews, limits, now), now);
  }

  /** @param {{focus?: string, done?: string[]}} [how] */
  draw({ focus = "", done = [] } = {}) {
    const { main } = this.shell;
    remember("cards", this.turn);
    main.replaceChildren(this.turn ? this.card(this.turn) : done.length ? this.summary(done) : this.deck());
    if (focus) main.querySelector(/** @type {"h2"} */ (focus))?.focus({ preventScroll: true });
    if (focus === "#card-title") main.scrollIntoView({ block: "start" });
  }

  deck() {
    return deckView(this.shell, this.known, {
      start: () => this.advance([]), extra: this.extra, set: changed => this.shell.store.set(changed), tonight: () => this.tonight(),
      more: () => {
        this.extra += 5;
        this.draw();
      },
    });
  }

  /** The evening before: the most asked new questions in one go, whatever the daily limit and the deck say. */
  tonight() {
    const { cards, reviews, settings } = this.known;
    settings.deck = structuredClone(records.DEFAULTS.deck);
    this.shell.store.set({ deck: settings.deck });
    const fresh = this.shell.bank.questions.filter(({ id }) => !cards.has(id)).length;
    this.extra = Math.max(0, Math.min(TONIGHT, fresh) + doneToday(reviews, Date.now()).fresh - settings.fresh);
    this.advance([]);
  }

  /** @param {Turn} turn */
  card(turn) {
    const question = this.questions.get(turn.id);
    if (!question) throw new Error(`no question ${turn.id}`);
    const known = this.known.cards.get(turn.id) ?? null;
    return cardView(this.shell, question, turn, outcomes(known, turn.id, Date.now(), this.known.settings), this.queue().counts, {
      reveal: () => this.reveal(), grade: grade => this.guarded(() => this.grade(grade)), undo: () => this.guarded(() => this.undo()),
      stop: () => this.stop(), save: () => remember("cards", this.turn),
    });
  }

  /** @param {string[]} done keys of this round's reviews */
  summary(done) {
    const { say, root } = this.shell;
    const round = this.known.reviews.filter(({ key }) => done.includes(key));
    return h("div", { class: "summary" }, h("h2", { id: "card-title", tabIndex: -1 }, say("summary")),
      h("p", {}, say("answered", round.length), " · ", say("forgotten", round.filter(({ grade }) => grade === 1).length)),
      h("p", { class: "summary-act" }, h("button", { type: "button", class: "primary", "data-act": "back", onclick: () => this.back() }, say("back")),
        h("button", { type: "button", class: "quiet", "data-act": "undo", disabled: !round.length, onclick: () => this.guarded(() => this.undo()) }, say("undo")),
        h("a", { href: `${root}practice/progress/` }, say("progress"))));
  }

  /** From the summary to the decks: the round is over and nothing of it can be taken back here. */
  back() {
    this.done = [];
    this.draw();
  }

  /** @param {string[]} done */
  advance(done) {
    const { id } = this.queue();
    this.done = done;
    this.turn = id ? { id, revealed: false, typed: "", ticks: [], since: Date.now(), done, extra: this.extra } : null;
    this.draw({ focus: "#card-title", done });
  }

  reveal() {
    if (!this.turn || this.turn.revealed) return;
    this.turn.revealed = true;
    this.draw({ focus: "#card-answer" });
  }

  stop() {
    this.turn = null;
    this.draw({ focus: "#card-title", done: this.done });
  }

  /** @param {Grade} grade */
  async grade(grade) {
    const turn = this.turn;
    if (!turn?.revealed) return;
    const now = Date.now();
    const before = this.known.cards.get(turn.id) ?? null;
    const card = outcomes(before, turn.id, now, this.known.settings)[grade];
    const key = records.newKey(now);
    const ms = Math.min(Math.max(0, now - turn.since), 1e9);
    await this.told(() => this.shell.store.grade(card, { key, id: turn.id, at: now, grade, ms, before }), [...turn.done, key]);
  }

  async undo() {
    const review = this.known.reviews.find(({ key }) => key === this.done.at(-1));
    if (!review) return;
    this.done = this.done.slice(0, -1);
    try {
      await this.shell.store.undo(review);
      this.turn = { id: review.id, revealed: true, typed: "", ticks: [], since: Date.now(), done: this.done, extra: this.extra };
      this.shell.notice(this.shell.say("undone"));
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      if (this.turn) this.turn.done = this.done;
      this.shell.notice(this.shell.say("conflict"), "warning");
    }
    await this.read();
    this.draw({ focus: "#card-answer", done: this.done });
  }

  /**
   * Writes, or says that another tab was first; either way goes on with what is stored now.
   * @param {() => Promise<void>} write
   * @param {string[]} done
   */
  async told(write, done) {
    try {
      await write();
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      done.pop();
      this.shell.notice(this.shell.say("conflict"), "warning");
    }
    await this.read();
    this.advance(done);
  }

  /**
   * One at a time: a second press while the first is being written does nothing.
   * @param {() => Promise<void>} work
   */
  async guarded(work) {
    if (this.busy) return;
    this.busy = true;
    try {
      await work();
    } finally {
      this.busy = false;
    }
  }

  /** Another tab has written: counts change at once, and a card that was graded there is dropped here. */
  async elsewhere() {
    const before = this.turn && this.known.cards.get(this.turn.id)?.rev;
    await this.read();
    if (!this.turn) return this.draw();
    if (this.known.cards.get(this.turn.id)?.rev === before) return this.count();
    this.shell.notice(this.shell.say("conflict"), "warning");
    return this.advance(this.done);
  }

  count() {
    for (const [kind, n] of Object.entries(this.queue().counts)) {
      this.shell.main.querySelector(`[data-count=${kind}] b`)?.replaceChildren(String(n));
    }
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const typing = event.target instanceof Element && event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
    if (typing && event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.turn) return this.reveal();
    if (typing || !this.known.settings.keys || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return undefined;
    if (event.key === "u") return this.guarded(() => this.undo());
    if (!this.turn) return undefined;
    const onControl = event.target instanceof Element && event.target.closest("a, button, input, summary");
    if (event.key === " " && !onControl && !this.turn.revealed) {
      event.preventDefault();
      return this.reveal();
    }
    return /^[1-4]$/.test(event.key) ? this.guarded(() => this.grade(/** @type {Grade} */ (Number(event.key)))) : undefined;
  }
}

/**
 * A link to one topic's deck, `?topics=memory`, as the report of an interview gives it.
 * @param {Cards} cards
 */
function wanted({ shell, known }) {
  const asked = new URLSearchParams(location.search).get("topics")?.split(",") ?? [];
  const topics = asked.filter(id => shell.bank.topics.some(topic => topic.id === id));
  if (!topics.length) return;
  known.settings.deck = { topics, levels: [], asked: 0 };
  shell.store.set({ deck: known.settings.deck });
  // Once: a reload must not undo a later choice.
  history.replaceState(null, "", location.pathname + location.hash);
}

begin(async shell => {
  const cards = new Cards(shell);
  await cards.read();
  // The question may have left the bank since.
  if (cards.turn && !cards.questions.has(cards.turn.id)) cards.turn = null;
  wanted(cards);
  cards.draw();
  shell.store.listen(() => cards.elsewhere());
  addEventListener("keydown", event => cards.press(event));
});
