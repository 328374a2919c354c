import assert from "node:assert/strict";
import { test } from "node:test";

import { LEVELS, MINUTES, ROLE_NAMES, drawn, nextQuestion, secondsLeft } from "../../docs/practice/interview-plan.js";
import { compared, expected, report } from "../../docs/practice/interview-report.js";

const TOPICS = ["principles", "math", "memory", "variants", "engineering", "evaluation", "vlm", "project"];
const point = level => ({ level, text: `a ${level} point` });
const BANK = TOPICS.flatMap((topic, row) => [0, 1, 2, 3].map(index => ({
  id: `${topic}.q${index}`, title: topic, url: "", topic, level: LEVELS[index % 3], kind: "concept", asked: (row + index) % 5, sentence: "", sixty: "",
  rubric: [point("junior"), point("mid"), point("senior"), point("mid")],
  followups: [1, 2, 3].map(step => ({ ask: "?", answer: "!", to: `${topic}.q${(index + step) % 4}` })),
})));

/** A whole interview in which every answer takes `seconds` and is graded by `grade`. */
function held({ seed = 5, role = "training", level = "mid", minutes = 30 }, grade, seconds = 90) {
  const course = { seed, role, level, minutes, asked: [] };
  for (let next = nextQuestion(BANK, course); next; next = nextQuestion(BANK, course)) {
    course.asked.push({ ...next, seconds, strength: grade(course.asked.length), hit: [0] });
    assert.ok(course.asked.length < 100);
  }
  return course;
}

test("the same seed and grades give the same interview, another seed another one", () => {
  const grade = index => /** @type {0 | 1 | 2} */ (index % 3);
  const ids = seed => held({ seed }, grade).asked.map(({ id }) => id).join();
  assert.equal(ids(5), ids(5));
  assert.ok(new Set([1, 2, 3, 4, 5, 6, 7, 8].map(ids)).size >= 6);
});

test("it starts broad, asks nothing twice and ends in time, for every role, level and length", () => {
  for (const role of ROLE_NAMES) {
    for (const level of LEVELS) {
      for (const minutes of MINUTES) {
        const course = held({ role, level, minutes }, index => (index % 2 ? 2 : 1));
        assert.equal(course.asked[0].id.split(".")[0], "principles");
        assert.equal(new Set(course.asked.map(({ id }) => id)).size, course.asked.length);
        assert.ok(secondsLeft(course) < 60 && secondsLeft(course) > -90);
        assert.ok(course.asked.length >= minutes / 2);
      }
    }
  }
});

test("a strong answer leads to a harder follow-up, a weak one to another topic", () => {
  const strong = held({ level: "senior" }, () => 2);
  const followed = strong.asked.filter(({ from }) => from);
  assert.ok(followed.length >= strong.asked.length / 2);
  assert.ok(Math.max(...strong.asked.map(({ depth }) => depth)) === 2);
  for (const one of followed) assert.ok(BANK.find(({ id }) => id === one.from).followups.some(({ to }) => to === one.id));
  const first = followed[0], parent = BANK.find(({ id }) => id === first.from);
  const levels = parent.followups.map(({ to }) => LEVELS.indexOf(BANK.find(({ id }) => id === to).level));
  assert.equal(LEVELS.indexOf(BANK.find(({ id }) => id === first.id).level), Math.max(...levels));
  const weak = held({}, () => 0);
  assert.ok(weak.asked.every(({ from }) => from === ""));
  assert.ok(new Set(weak.asked.slice(0, 5).map(({ id }) => id.split(".")[0])).size >= 4, "topics change");
});

test("a fair answer gets a follow-up that is no harder while there is one", () => {
  const fair = held({ level: "senior", minutes: 45 }, () => 1);
  const rank = id => LEVELS.indexOf(BANK.find(one => one.id === id).level);
  const harder = fair.asked.filter(({ id, from }) => from && rank(id) > rank(from));
  for (const one of harder) {
    const open = BANK.find(({ id }) => id === one.from).followups.map(({ to }) => to);
    assert.ok(open.every(to => rank(to) > rank(one.from) || fair.asked.findIndex(({ id }) => id === to) < fair.asked.indexOf(one)));
  }
});

test("no one is asked first about what is above their level", () => {
  let junior = 0;
  for (const { id, from } of held({ level: "junior", minutes: 45 }, () => 0).asked) {
    const left = BANK.filter(one => one.level === "junior").length > junior;
    junior += BANK.find(one => one.id === id).level === "junior" ? 1 : 0;
    if (!from && left) assert.equal(BANK.find(one => one.id === id).level, "junior");
  }
});

test("drawn numbers are spread over [0, 1)", () => {
  const random = drawn(42);
  const numbers = Array.from({ length: 4000 }, random);
  assert.ok(numbers.every(one => one >= 0 && one < 1));
  for (let tenth = 0; tenth < 10; tenth++) {
    const share = numbers.filter(one => Math.floor(one * 10) === tenth).length / numbers.length;
    assert.ok(Math.abs(share - 0.1) < 0.03);
  }
});

test("the report counts what this level should say, and no more", () => {
  const [question] = BANK;
  assert.deepEqual(expected(question, "junior").map(({ index }) => index), [0]);
  assert.deepEqual(expected(question, "mid").map(({ index }) => index), [0, 1, 3]);
  assert.deepEqual(expected({ ...question, rubric: [point("senior")] }, "junior").length, 1, "a harder question's easiest points");
  const course = held({ level: "mid", minutes: 15 }, index => (index ? 0 : 2), 200);
  const found = report(BANK, course);
  assert.equal(found.of, found.lines.reduce((sum, { points }) => sum + points.length, 0));
  assert.equal(found.hit, course.asked.length, "one point each");
  assert.equal(found.seconds, 200 * course.asked.length);
  assert.equal(found.over, found.lines.filter(({ limit }) => limit < 200).length);
  assert.ok(found.weak.length >= 1);
  assert.ok(found.study.length >= 1 && found.study.length <= 6);
  assert.ok(found.study.every(id => BANK.some(one => one.id === id)));
  assert.equal(found.lines[0].points.filter(({ hit }) => hit).length, 1);
});

test("a question that has left the bank is left out of the report", () => {
  const course = held({ minutes: 15 }, () => 1);
  course.asked[0].id = "gone.away";
  assert.equal(report(BANK, course).lines.length, course.asked.length - 1);
});

test("an interview stands against the one before it of the same role and level", () => {
  const like = (key, level, hits) => {
    const course = held({ level, minutes: 15 }, () => 1);
    return { ...course, key, at: 0, asked: course.asked.map((one, index) => ({ ...one, hit: index < hits ? [0] : [] })) };
  };
  const past = [like("a", "mid", 2), like("b", "senior", 1), like("c", "mid", 4), like("d", "mid", 0)];
  const found = compared(BANK, past);
  assert.deepEqual(found.map(({ interview }) => interview.key), ["a", "b", "c", "d"]);
  const percent = found.map(({ hit, of }) => Math.round(100 * hit / of));
  assert.deepEqual(found.map(({ gained }) => gained), [null, null, percent[2] - percent[0], percent[3] - percent[2]]);
  assert.ok(found[2].gained > 0 && found[3].gained < 0);
});
