/* The page of the mock interview: set up, ask, grade, report. What is going on survives a reload and a change of language. */

import { MINUTE } from "./clock.js";
import { history, setupView } from "./interview-setup.js";
import { nextQuestion, secondsLeft } from "./interview-plan.js";
import { reportView } from "./interview-report-view.js";
import { turnView } from "./interview-turn.js";
import { WORDS } from "./interview-words.js";
import { recall, remember } from "./kept-state.js";
import * as records from "./records.js";
import { recorder } from "./recorder.js";
import { begin } from "./shell.js";
import { speaker } from "./words.js";

/** @typedef {import("./shell.js").Shell} Shell */
/** @typedef {import("./interview-plan.js").Course} Course */
/** @typedef {import("./records.js").Interview} Interview */
/** @typedef {import("./interview-plan.js").Strength} Strength */
/** @typedef {{key: string, at: number, course: Course, asked: import("./interview-plan.js").Asked, phase: "asking" | "grading", since: number}} Going */

/** @type {records.Check<Going>} */
const GOING = records.object({
  key: records.key, at: records.time, course: records.courseOf, asked: records.asked,
  phase: records.oneOf(/** @type {const} */ (["asking", "grading"])), since: records.time,
});

class Interviews {
  /** @type {Going | null} */ going = recall("interview", GOING);
  /** @type {Interview | null} */ shown = null;
  /** @type {Interview[]} */ past = [];
  /** @type {import("./interview-setup.js").Wish} */ wish = { role: "training", level: "mid", minutes: 30 };
  tick = () => {};
  stopRecording = async () => {};

  /** @param {Shell} shell */
  constructor(shell) {
    this.shell = shell;
    this.say = speaker(WORDS, shell.lang);
  }

  async read() {
    this.past = (await this.shell.store.load()).interviews;
  }

  /** @param {string} [focus] */
  draw(focus) {
    const { main } = this.shell;
    remember("interview", this.going);
    this.tick = () => {};
    main.replaceChildren(this.going ? this.turn(this.going) : this.shown ? this.report(this.shown) : this.setup());
    if (!focus) return;
    main.querySelector(/** @type {"h2"} */ (focus))?.focus({ preventScroll: true });
    if (focus === "#card-title") main.scrollIntoView({ block: "start" });
  }

  setup() {
    return setupView(this.shell, this.say, this.past, this.wish, {
      begin: () => this.begin(crypto.getRandomValues(new Uint32Array(1))[0]), ...this.manage(),
    });
  }

  manage() {
    return {
      open: (/** @type {Interview} */ interview) => {
        this.shown = interview;
        this.draw("#card-title");
      },
      forget: async (/** @type {Interview} */ interview) => {
        await this.shell.store.forget(interview);
        if (this.shown?.key === interview.key) this.shown = null;
        await this.read();
        this.shell.notice(this.say("forgotten"));
        this.draw();
      },
    };
  }

  /** @param {Interview} interview */
  report(interview) {
    const list = this.past.length > 1 ? history(this.shell, this.say, this.past, this.manage()) : null;
    return reportView(this.shell, this.say, interview, list, {
      back: () => {
        this.shown = null;
        this.draw();
      },
      again: () => {
        const { role, level, minutes, seed } = interview;
        this.wish = { role, level, minutes };
        this.begin(seed);
      },
    });
  }

  /** @param {Going} going */
  turn(going) {
    const { key, course, asked, phase, since } = going;
    const index = course.asked.length;
    const { element: record, stop } = recorder(this.say, sound => this.shell.store.record(`${key}-${index}`, sound));
    this.stopRecording = stop;
    const { element, tick } = turnView(this.shell, this.say, { asked, phase, since, number: index + 1, left: secondsLeft(course), level: course.level }, record, {
      answered: () => this.answered(going), quit: () => this.quit(going), grade: strength => this.grade(going, strength), save: () => remember("interview", going),
    });
    this.tick = tick;
    return element;
  }

  /** @param {number} seed */
  begin(seed) {
    const at = Date.now();
    /** @type {Course} */
    const course = { seed, ...this.wish, asked: [] };
    this.shown = null;
    this.go(records.newKey(at), at, course);
  }

  /**
   * Asks the next question, or ends.
   * @param {string} key
   * @param {number} at
   * @param {Course} course
   */
  go(key, at, course) {
    const asked = nextQuestion(this.shell.bank.questions, course);
    if (!asked) return this.end({ key, at, ...course });
    this.going = { key, at, course, asked, phase: "asking", since: Date.now() };
    return this.draw("#card-title");
  }

  /** @param {Going} going */
  async answered(going) {
    if (going.phase !== "asking") return;
    going.phase = "grading";
    going.asked.seconds = Math.min(Math.round((Date.now() - going.since) / 1000), 240 * MINUTE / 1000);
    await this.stopRecording();
    this.draw("#card-answer");
  }

  /**
   * @param {Going} going
   * @param {Strength} strength
   */
  grade({ key, at, course, asked }, strength) {
    return this.go(key, at, { ...course, asked: [...course.asked, { ...asked, strength }] });
  }

  /** @param {Going} going */
  async quit({ key, at, course }) {
    await this.stopRecording();
    await this.end({ key, at, ...course });
  }

  /** @param {Interview} interview */
  async end(interview) {
    this.going = null;
    if (interview.asked.length) {
      await this.shell.store.finish(interview);
      await this.read();
      this.shown = interview;
    } else this.shell.notice(this.say("nothing"));
    this.draw("#card-title");
  }
}

begin(async shell => {
  const interviews = new Interviews(shell);
  await interviews.read();
  const there = (/** @type {string} */ id) => shell.bank.questions.some(question => question.id === id);
  if (interviews.going && !there(interviews.going.asked.id)) interviews.going = null;
  interviews.draw();
  setInterval(() => interviews.tick(), 250);
});
