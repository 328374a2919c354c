/* Progress on this device. Nothing is ever overwritten unseen: a card is written only over the version that was read. */

import { Broken, TABLES, memory, openDatabase } from "./backend.js";
import * as records from "./records.js";
import { merged } from "./transfer.js";

/** @typedef {import("./backend.js").Backend} Backend */
/** @typedef {import("./records.js").Card} Card */
/** @typedef {import("./records.js").Review} Review */
/** @typedef {import("./records.js").Settings} Settings */
/** @typedef {import("./records.js").Progress} Progress */
/** @typedef {"refused" | "full" | "newer" | "broken" | "records"} Trouble what a person must be told about the store */
/** @typedef {{key: string, table: string, reason: string, at: number, value: unknown}} SetAside */

const NAME = "lora-practice";
const SPARES = 5;
/** @type {import("./backend.js").Table[]} */
const ALL = ["cards", "reviews", "interviews", "settings", "aside"];
const CHECKS = { cards: records.card, reviews: records.review, interviews: records.interview };

/** Another tab has changed the card since it was read. */
export class Conflict extends Error {}

export class Store {
  /** @type {Backend} */ #backend;
  #channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(NAME);
  /** Kept when the page is closed? */
  kept = true;
  /** @type {Trouble[]} */ troubles = [];
  /** @type {(trouble: Trouble) => void} */ onTrouble = () => {};

  /** @param {Backend} backend */
  constructor(backend) {
    this.#backend = backend;
  }

  /** Opens the store, or one in memory where the browser refuses. Records that cannot be read are set aside. */
  static async open() {
    const store = new Store(memory());
    await store.#connect();
    if (store.kept) await store.#setAside();
    return store;
  }

  async #connect() {
    for (let spare = 0; spare < SPARES; spare++) {
      try {
        this.#backend = await openDatabase(spare ? `${NAME}-${spare + 1}` : NAME);
        return;
      } catch (error) {
        const name = error instanceof Error || error instanceof DOMException ? error.name : "";
        if (name === "VersionError") return this.#without("newer");
        // What cannot be read stays where it is, under its name; a new store begins beside it.
        if (!(error instanceof Broken) && name !== "UnknownError" && name !== "DataError") return this.#without("refused");
        if (!spare) this.#tell("broken");
      }
    }
    this.#without("refused");
  }

  /** @param {Trouble} trouble */
  #without(trouble) {
    this.kept = false;
    this.#tell(trouble);
  }

  /** @param {Trouble} trouble */
  #tell(trouble) {
    this.troubles.push(trouble);
    this.onTrouble(trouble);
  }

  /** Records that do not pass their check move to the table `aside`, where the export finds them. */
  async #setAside() {
    const moved = await this.#backend.run(ALL, "readwrite", async rooms => {
      let count = 0;
      for (const [table, check] of Object.entries(CHECKS)) {
        const rows = rooms(/** @type {keyof typeof CHECKS} */ (table));
        for (const value of await rows.all()) {
          const reason = fault(check, value, table);
          if (reason === null) continue;
          const at = Date.now();
          await rooms("aside").put({ key: records.newKey(at), table, reason, at, value });
          await rows.remove(value[TABLES[/** @type {keyof typeof CHECKS} */ (table)]]);
          count += 1;
        }
      }
      return count;
    });
    if (moved) this.#tell("records");
  }

  /** @returns {Promise<Progress & {aside: SetAside[]}>} */
  async load() {
    const found = await this.#backend.run(ALL, "readonly", async rooms => ({
      cards: await rooms("cards").all(), reviews: await rooms("reviews").all(), interviews: await rooms("interviews").all(), rows: await rooms("settings").all(),
      aside: await rooms("aside").all(),
    }));
    const { cards, reviews, interviews, aside } = found;
    const byTime = (/** @type {{at: number}} */ a, /** @type {{at: number}} */ b) => a.at - b.at;
    return { cards, reviews: reviews.sort(byTime), interviews: interviews.sort(byTime), settings: readSettings(found.rows), aside };
  }

  /**
   * Writes a graded card and the review that made it. Rejects with Conflict if another tab was first.
   * @param {Card} card
   * @param {Review} review
   */
  async grade(card, review) {
    await this.#write(["cards", "reviews"], async rooms => {
      const there = await rooms("cards").get(card.id);
      if ((there?.rev ?? 0) !== (review.before?.rev ?? 0)) throw new Conflict(card.id);
      await rooms("cards").put(card);
      await rooms("reviews").put(review);
    });
  }

  /**
   * Takes a review back. Rejects with Conflict if the card has been graded again since.
   * @param {Review} review
   */
  async undo(review) {
    await this.#write(["cards", "reviews"], async rooms => {
      const there = await rooms("cards").get(review.id);
      if (there?.rev !== (review.before?.rev ?? 0) + 1) throw new Conflict(review.id);
      if (review.before) await rooms("cards").put(review.before);
      else await rooms("cards").remove(review.id);
      await rooms("reviews").remove(review.key);
    });
  }

  /** @param {Partial<Settings>} changed */
  async set(changed) {
    await this.#write(["settings"], async rooms => {
      for (const [name, value] of Object.entries(changed)) await rooms("settings").put({ name, value });
    });
  }

  /**
   * Adds what a checked file holds; of two versions of a card the later review wins.
   * @param {Progress} theirs
   */
  async add(theirs) {
    await this.#write(ALL, async rooms => {
      const mine = {
        cards: await rooms("cards").all(), reviews: await rooms("reviews").all(), interviews: await rooms("interviews").all(),
        settings: readSettings(await rooms("settings").all()),
      };
      const both = merged(mine, theirs);
      for (const card of both.cards) await rooms("cards").put(card);
      for (const review of both.reviews) await rooms("reviews").put(review);
      for (const interview of both.interviews) await rooms("interviews").put(interview);
      for (const [name, value] of Object.entries(both.settings)) await rooms("settings").put({ name, value });
    });
  }

  /** @param {import("./records.js").Interview} interview */
  async finish(interview) {
    await this.#write(["interviews"], async rooms => rooms("interviews").put(interview));
  }

  /**
   * Forgets an interview and what was recorded of it.
   * @param {import("./records.js").Interview} interview
   */
  async forget({ key, asked }) {
    await this.#write(["interviews", "recordings"], async rooms => {
      await rooms("interviews").remove(key);
      for (const index of asked.keys()) await rooms("recordings").remove(`${key}-${index}`);
    });
  }

  /**
   * A voice recording; it never leaves the device, not even in an export. Answers whether there was room for it.
   * @param {string} key
   * @param {Blob} sound
   */
  async record(key, sound) {
    try {
      await this.#backend.run(["recordings"], "readwrite", rooms => rooms("recordings").put({ key, sound }));
      return true;
    } catch (error) {
      if (error instanceof DOMException && error.name === "QuotaExceededError") return false;
      throw error;
    }
  }

  /**
   * @param {string} key
   * @returns {Promise<Blob | null>}
   */
  async recording(key) {
    const found = await this.#backend.run(["recordings"], "readonly", rooms => rooms("recordings").get(key));
    return found?.sound instanceof Blob ? found.sound : null;
  }

  async wipe() {
    await this.#write([...ALL, "recordings"], async rooms => {
      for (const table of /** @type {const} */ ([...ALL, "recordings"])) await rooms(table).clear();
    });
  }

  /**
   * Calls back when another tab has written.
   * @param {() => void} changed
   */
  listen(changed) {
    this.#channel?.addEventListener("message", changed);
  }

  /**
   * @template T
   * @param {import("./backend.js").Table[]} tables
   * @param {(rooms: import("./backend.js").Rooms) => Promise<T>} work
   */
  async #write(tables, work) {
    try {
      await this.#backend.run(tables, "readwrite", work);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "QuotaExceededError") || !this.kept) throw error;
      await this.#moveToMemory();
      await this.#backend.run(tables, "readwrite", work);
    }
    this.#channel?.postMessage("written");
  }

  /** The disk is full: the session goes on in memory, so that it can at least be exported. */
  async #moveToMemory() {
    const found = await this.load();
    this.#backend = memory();
    await this.add(found);
    this.#without("full");
  }
}

/**
 * @param {records.Check<unknown>} check
 * @param {unknown} value
 * @param {string} where
 */
function fault(check, value, where) {
  try {
    check(value, where);
    return null;
  } catch (error) {
    if (error instanceof records.Unreadable) return error.message;
    throw error;
  }
}

/**
 * @param {{name: string, value: unknown}[]} rows
 * @returns {Settings}
 */
function readSettings(rows) {
  const usable = rows.filter(({ name, value }) => {
    const check = records.SETTINGS[/** @type {keyof typeof records.SETTINGS} */ (name)];
    return check && fault(/** @type {records.Check<unknown>} */ (check), value, name) === null;
  });
  return { ...records.DEFAULTS, ...Object.fromEntries(usable.map(({ name, value }) => [name, value])) };
}
