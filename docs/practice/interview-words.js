/* What the mock interview says, in both languages. */

const zh = {
  role: "岗位", research: "算法研究", training: "训练与调优", systems: "系统与部署", multimodal: "多模态",
  level: "级别", length: "时长", minutes: "{n} 分钟", begin: "开始面试", again: "重来一次同样的题",
  howItGoes: "面试从宽的问题开始，顺着你的回答往下追。答完一题自己对照要点打分：答得好就追深一层，答得弱就换个方向。",
  question: "第 {n} 题", followUp: "追问", left: "全场剩余 {n}", limit: "建议 {n}", over: "超时了，收个尾",
  notes: "记几个字（可选）", record: "录音", stopRecording: "停止录音", recorded: "录好了，只存在这台设备上。", noMicrophone: "用不了麦克风：{n}", noRoom: "空间不够，这段录音没有存下来。",
  answered: "答完了", quit: "提前结束", sixty: "60 秒参考答案", points: "说到了哪些点？", strength: "这一题答得怎么样？", weak: "没答好", fair: "还行", strong: "答得好",
  report: "面试报告", score: "要点 {n}", time: "用时 {n}", overCount: "{n} 题超时", weakTopics: "薄弱主题，点开就练：", noWeak: "没有明显的薄弱主题。",
  since: "比上次 {n} 个百分点", study: "接下来看", answers: "逐题回顾", said: "说到了", missed: "没说到", yourNotes: "笔记", spent: "用时 {n}", history: "历次面试",
  print: "打印", back: "再来一场", open: "看报告", forget: "删除", forgotten: "删掉了。", topicScores: "各主题命中",
  weak0: "没答好", weak1: "还行", weak2: "答得好", nothing: "一题都没答，就没有报告。",
};

/** @type {typeof zh} */
const en = {
  role: "Role", research: "Research", training: "Training", systems: "Systems and serving", multimodal: "Multimodal",
  level: "Level", length: "Length", minutes: "{n} minutes", begin: "Begin the interview", again: "The same questions again",
  howItGoes: "It starts broad and follows your answers down. After each answer you compare with the points and grade yourself: a strong answer is probed deeper, a weak one moves on.",
  question: "Question {n}", followUp: "Follow-up", left: "{n} left in all", limit: "aim for {n}", over: "Over time: wrap up",
  notes: "A few notes (optional)", record: "Record", stopRecording: "Stop recording", recorded: "Recorded; it stays on this device.", noMicrophone: "No microphone: {n}", noRoom: "No room left: this recording was not kept.",
  answered: "Done answering", quit: "End early", sixty: "The 60-second answer", points: "Which points did you make?", strength: "How did this answer go?", weak: "Weak", fair: "Fair", strong: "Strong",
  report: "Interview report", score: "Points {n}", time: "Time {n}", overCount: "{n} over time", weakTopics: "Weak topics, each with its deck:", noWeak: "No clearly weak topic.",
  since: "{n} points on the last", study: "Study next", answers: "Answer by answer", said: "said", missed: "missed", yourNotes: "Notes", spent: "took {n}", history: "Your interviews",
  print: "Print", back: "Another one", open: "Report", forget: "Delete", forgotten: "Deleted.", topicScores: "Points by topic",
  weak0: "weak", weak1: "fair", weak2: "strong", nothing: "Nothing was answered, so there is no report.",
};

export const WORDS = { zh, en };
/** @typedef {(word: keyof typeof zh & string, n?: string | number) => string} Say */

/**
 * Seconds as `2:05`.
 * @param {number} seconds
 */
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
