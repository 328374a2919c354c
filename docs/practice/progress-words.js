/* What the progress page says, in both languages. */

const zh = {
  answered: "累计作答", streak: "连续天数", kept: "近 30 天记住率", none: "–",
  heat: "过去半年练了多少", heatSaid: "过去 26 周共答 {n} 次", day: "{n} 次", less: "少", more: "多",
  forecast: "接下来两周到期", today: "今天", cards: "{n} 张到期",
  topics: "各主题", topic: "主题", seen: "练过", firm: "记牢", all: "共",
  file: "备份与搬家", fileSays: "导出的文件里有卡片进度、打分记录、面试报告和设置；录音不在里面。导入会和这里的进度合并，同一张卡以较晚的一次为准。",
  export: "导出", import: "导入", imported: "导入完成：{n}", importedWhat: "{cards} 张卡片，{reviews} 次打分，{interviews} 场面试", refused: "没有导入，一条都没动。文件有问题：{n}", tooBig: "文件超过 20 MB",
  wipe: "清空", wipeSure: "真的清空？删掉就找不回来了，再点一次确认。", wiped: "清空了。", keep: "请浏览器别清理这些数据", keepYes: "浏览器答应保留。", keepNo: "浏览器没有答应，记得不时导出。",
  aside: "另有 {n} 条读不出来的记录放在一边，导出的文件里带着它们。", interviews: "面试 {n} 场", toInterviews: "去看面试报告",
};

/** @type {typeof zh} */
const en = {
  answered: "answered in all", streak: "days in a row", kept: "remembered, last 30 days", none: "–",
  heat: "Practice in the last half year", heatSaid: "{n} answers in the last 26 weeks", day: "{n} answers", less: "less", more: "more",
  forecast: "Due in the next two weeks", today: "today", cards: "{n} due",
  topics: "By topic", topic: "Topic", seen: "seen", firm: "firm", all: "all",
  file: "Back up and move", fileSays: "The exported file holds cards, grades, interview reports and settings, but no recordings. An import is merged with what is here; of one card the later review counts.",
  export: "Export", import: "Import", imported: "Imported: {n}", importedWhat: "cards {cards}, grades {reviews}, interviews {interviews}", refused: "Nothing was imported and nothing changed. The file is at fault: {n}", tooBig: "the file exceeds 20 MB",
  wipe: "Wipe", wipeSure: "Really wipe? It cannot be brought back. Press again to confirm.", wiped: "Wiped.", keep: "Ask the browser to keep this data", keepYes: "The browser will keep it.", keepNo: "The browser did not promise; export now and then.",
  aside: "{n} unreadable records were set aside; an export includes them.", interviews: "Interviews: {n}", toInterviews: "See the interview reports",
};

export const WORDS = { zh, en };
/** @typedef {(word: keyof typeof zh & string, n?: string | number) => string} Say */
