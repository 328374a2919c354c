/* What the app says, in both languages. `{n}` is filled in. */

const zh = {
  again: "忘了", hard: "吃力", good: "记得", easy: "轻松",
  minutes: "{n} 分钟", days: "{n} 天", months: "{n} 个月", now: "马上",
  start: "开始练习", tonight: "明天就面：连刷 20 道", tonightSays: "不管每日上限，从被问得最多的新题开始，一口气过 20 道", howItGoes: "点开始：先看题，自己讲一遍，再对答案打分。",
  due: "到期", learning: "学习中", fresh: "新题", today: "今天已答 {n} 次",
  nothing: "今天该练的都练完了。", nothingHere: "这副牌里没有题，放宽一下筛选条件。",
  nextAt: "下一张在 {n} 后回来。", more: "再学 5 道新题", heldBack: "今天的新题额度已用完，明天继续。",
  topics: "主题", level: "级别", asked: "被问的次数", any: "不限", listed: "{n} 份题单以上",
  limits: "每日上限与快捷键", freshPerDay: "每天新题", duePerDay: "每天复习", retention: "希望到期时还记得的比例", keys: "启用单键快捷键",
  yourAnswer: "先出声讲一遍，或者写在这里（只留在这个标签页里）", reveal: "看答案", sixty: "60 秒参考答案", sentence: "一句话",
  rubric: "面试官在听的点", followups: "可能的追问", fullAnswer: "完整的题目页", grade: "给自己打分",
  undo: "撤销", undone: "已撤销上一次打分。", stop: "结束", left: "剩余",
  summary: "这一轮", answered: "答了 {n} 次", forgotten: "忘了 {n} 次", back: "回到选题", progress: "看进度",
  keysHint: "空格看答案，1–4 打分，u 撤销", swipeHint: "右滑记得，左滑忘了",
  conflict: "另一个标签页刚给这道题打过分，这里没有覆盖它。",
  refused: "浏览器不让本页保存数据（可能是无痕模式，或者禁用了网站数据）。可以照常练，但离开这个页面进度就没了；想留着，走之前点这里：",
  full: "存储空间满了。刚才这次和之后的打分只留在这个页面里。先导出，再清理空间，之后在“进度”页导入：",
  newer: "这里的进度是新版本网页写的。为了不弄坏它，本页暂时不读也不写；请刷新到新版本。刷新前想留下这里新打的分：",
  broken: "原来的进度库读不出来了。它原样留在浏览器里没有删，这里先用一个新的；有导出过的文件可以在“进度”页导入。",
  records: "有几条记录读不出来，已经移到一边，没有删。在“进度”页导出时会一起带上。",
  failed: "题目没加载出来：{n}。检查一下网络，再刷新。", unexpected: "出错了：{n}", close: "关闭", export: "导出进度",
};

/** @type {typeof zh} */
const en = {
  again: "Again", hard: "Hard", good: "Good", easy: "Easy",
  minutes: "{n} min", days: "{n} d", months: "{n} mo", now: "now",
  start: "Start", tonight: "Interview tomorrow: 20 in a row", tonightSays: "The 20 most asked questions you have not seen, in one go, whatever the daily limit", howItGoes: "Press Start: read, answer aloud, then compare and grade yourself.",
  due: "due", learning: "learning", fresh: "new", today: "{n} answered today",
  nothing: "Nothing left for today.", nothingHere: "No question in this deck: widen the choice below.",
  nextAt: "The next card comes back in {n}.", more: "5 more new ones", heldBack: "Today's new questions are used up; tomorrow brings more.",
  topics: "Topics", level: "Level", asked: "How often asked", any: "any", listed: "in {n}+ lists",
  limits: "Daily limits and shortcuts", freshPerDay: "New per day", duePerDay: "Reviews per day", retention: "Share you want to still know when due", keys: "Single-key shortcuts",
  yourAnswer: "Say it aloud first, or write it here (it stays in this tab)", reveal: "Show answer", sixty: "The 60-second answer", sentence: "In one sentence",
  rubric: "What the interviewer listens for", followups: "Likely follow-ups", fullAnswer: "The question's full page", grade: "Grade yourself",
  undo: "Undo", undone: "Last grade undone.", stop: "Finish", left: "left",
  summary: "This round", answered: "{n} answered", forgotten: "{n} forgotten", back: "Back to the decks", progress: "See progress",
  keysHint: "Space shows the answer, 1–4 grade, u undoes", swipeHint: "Swipe right: good, left: again",
  conflict: "Another tab has just graded this question; nothing was overwritten.",
  refused: "The browser does not let this page store anything (a private window, or site data is blocked). You can practise all the same, but leaving this page loses it. To keep it, before you go:",
  full: "Storage is full. This grade and the next ones are kept in this page only. Export now, free some space, then import on the Progress page:",
  newer: "The progress stored here was written by a newer version of this page. So as not to damage it, this page neither reads nor writes it: reload to get the new version. To keep what you grade here until then:",
  broken: "The stored progress could not be opened. It is left untouched in your browser and a new store begins beside it; an exported file can be imported on the Progress page.",
  records: "Some records could not be read and were set aside, not deleted. An export on the Progress page includes them.",
  failed: "The questions did not load: {n}. Check the connection and reload.", unexpected: "Something went wrong: {n}", close: "Close", export: "Export progress",
};

export const WORDS = { zh, en };

/**
 * A voice for one language: `say("today", 3)` fills in the number.
 * @template {Record<string, string>} T
 * @param {{zh: T, en: T}} words
 * @param {string} lang
 * @returns {(word: keyof T & string, n?: string | number) => string}
 */
export function speaker(words, lang) {
  const table = lang === "en" ? words.en : words.zh;
  return (word, n = "") => table[word].replace("{n}", String(n));
}

/** @typedef {(word: keyof typeof zh & string, n?: string | number) => string} Say */

/**
 * How long until a card comes back.
 * @param {Say} say
 * @param {{minutes: number} | {days: number}} span
 */
export function spanText(say, span) {
  if ("days" in span) return span.days < 60 ? say("days", span.days) : say("months", (span.days / 30.4).toFixed(1));
  if (span.minutes < 1) return say("now");
  return span.minutes < 90 ? say("minutes", span.minutes) : say("days", Math.max(1, Math.round(span.minutes / 1440)));
}
