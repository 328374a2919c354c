/* The search behind the theme's search box. The theme asks `{type: 2, data: query}` and shows the pages answered with `{type: 3}`.
 *
 * A candidate types "lora的r怎么选" or "7b全参显存": no spaces, half a word, Chinese and English mixed. So nothing is segmented
 * into words beforehand: a query is cut into Latin words and pairs of Chinese characters, each is looked up as a substring, and a
 * page's title and aliases (how people type this question) count for more than its text. */
(() => {
  const SYNONYMS = [
    ["全参数", "全参", "全量", "full fine tuning", "full finetuning", "full ft", "full parameter", "full"],
    ["显存", "内存", "vram", "gpu memory", "memory"],
    ["秩", "rank"],
    ["适配器", "adapter", "adapters"],
    ["前缀", "prefix"],
    ["量化", "quantization", "quantisation", "quantized"],
    ["延迟", "latency"],
    ["合并", "merge", "merged", "merging"],
    ["参数量", "参数数量", "parameter count", "number of parameters", "how many parameters"],
    ["超参数", "超参", "hyperparameters", "hyperparameter", "hyper parameters", "hyper parameter"],
    ["优化器", "optimizer", "optimiser", "adam", "adamw"],
    ["激活", "activations", "activation"],
    ["评估", "评测", "评价", "evaluation", "evaluate", "metrics", "metric", "指标"],
    ["微调", "fine tuning", "finetuning", "fine tune", "finetune"],
    ["区别", "对比", "比较", "difference", "compare", "comparison", "versus", "vs"],
    ["掉点", "性能损失", "效果损失", "quality loss", "performance loss"],
    ["初始化", "init", "initialization", "initialisation", "initialize", "initialise"],
    ["学习率", "learning rate", "lr"],
    ["alpha", "α", "阿尔法", "缩放系数", "缩放", "scaling factor", "scaling"],
    ["qv", "q v", "q 和 v", "q and v", "qproj vproj"],
    ["目标模块", "target modules", "target module", "targetmodules"],
    ["4090", "rtx4090", "24g", "24gb"],
    ["零", "zero", "0"],
    ["自我介绍", "讲项目", "项目经历", "项目介绍", "star"],
  ];
  const PAUSE = /(?<=[a-z0-9])[-_](?=[a-z0-9])/g;
  const UNIT = /[a-z0-9\u0370-\u03ff]+|\p{sc=Han}+/gu;
  const IGNORED = new Set(["的", "了", "吗", "呢", "啊", "a", "an", "the", "of", "is", "to", "in", "on", "for", "and", "do", "does", "it", "我", "请问"]);
  const SHOWN_PAGES = 12, SHOWN_SECTIONS = 3, EXCERPT = 130;

  let documents = [], pages = [];

  /** Lower case, full width made half width, invisible breaks removed, `p-tuning` joined to `ptuning`. */
  function normalise(text) {
    return text.normalize("NFKC").toLowerCase().replace(/\u200b/g, "").replace(PAUSE, "");
  }

  /** " lora 的 r 怎么选 ": every run between spaces, so that a whole word can be told from a part of one. */
  function spaced(text) {
    return ` ${(normalise(text).match(UNIT) || []).join(" ")} `;
  }

  function plain(html) {
    return html.replace(/<[^>]*>/g, " ").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&amp;/g, "&")
      .replace(/\u200b/g, "").replace(/\s+/g, " ").trim();
  }

  function field(text) {
    const words = spaced(text);
    return { words, joined: words.replace(/ /g, "") };
  }

  /** Sections of one page together; the section that lists how a question is asked gives the page its aliases. */
  function setUp() {
    const byPage = new Map();
    for (const doc of documents) {
      const [location, anchor] = doc.location.split("#");
      const boost = doc.boost || (location.startsWith("q/") ? 1 : 0.75);
      if (!byPage.has(location)) byPage.set(location, { location, sections: [], phrases: [], boost });
      const page = byPage.get(location);
      const section = { location: doc.location, title: plain(doc.title), text: plain(doc.text), tags: doc.tags };
      section.field = field(`${section.title} ${section.text}`);
      if (!anchor) {
        page.article = section;
        page.phrases.push(field(section.title), field(location.replace(/[/-]/g, " ")));
      }
      const aliases = anchor === "asked-as" ? doc.text.match(/<li>.*?<\/li>/gs) || [] : [];
      page.phrases.push(...aliases.map(alias => field(plain(alias))));
      if (!aliases.length) page.sections.push(section);
    }
    pages = [...byPage.values()].filter(page => page.article);
    for (const page of pages) {
      const parts = [...page.sections.map(section => section.field), ...page.phrases];
      page.field = field(parts.map(part => part.words).join(" "));
    }
  }

  /** How well one spelling stands in a text: as a word, at a word's start, inside a word, or across a gap. */
  function presence(spelling, { words, joined }) {
    if (words.includes(` ${spelling} `)) return 1;
    if (/\p{sc=Han}/u.test(spelling)) return words.includes(spelling) ? 1 : 0;
    if (words.includes(` ${spelling}`)) return spelling.length > 1 ? 0.8 : 0;
    const inside = spelling.replace(/ /g, "");
    return inside.length > 2 && joined.includes(inside) ? 0.5 : 0;
  }

  function matches(unit, target) {
    let best = 0;
    for (const [spelling, worth] of unit.spellings) best = Math.max(best, worth * presence(spelling, target));
    return best;
  }

  /** The units of a query: synonyms first (longest spelling wins), then Latin words, then pairs of Chinese characters. */
  function cut(query) {
    let rest = spaced(query);
    const units = [];
    const known = SYNONYMS.flatMap(group => group.map(word => [word, group])).sort((a, b) => b[0].length - a[0].length);
    for (const [word, group] of known) {
      const needle = /\p{sc=Han}/u.test(word) ? word : ` ${word} `;
      if (!rest.includes(needle)) continue;
      rest = rest.split(needle).join("  ");
      units.push({ spellings: group.map(other => [other, other === word ? 1 : 0.9]) });
    }
    for (const run of rest.split(" ").filter(run => run && !IGNORED.has(run))) {
      if (!/\p{sc=Han}/u.test(run) || run.length < 3) units.push({ spellings: [[run, 1]] });
      else for (let i = 0; i + 2 <= run.length; i++) units.push({ spellings: [[run.slice(i, i + 2), 1]] });
    }
    return units;
  }

  /** Rare units tell pages apart; one that stands nowhere tells nothing. */
  function weigh(units) {
    for (const unit of units) {
      const found = pages.filter(page => matches(unit, page.field)).length;
      unit.weight = found ? Math.log(1 + pages.length / found) : 0;
    }
    return units.filter(unit => unit.weight > 0);
  }

  function coverage(units, target) {
    let sum = 0, total = 0;
    for (const unit of units) {
      sum += unit.weight * matches(unit, target);
      total += unit.weight;
    }
    return total ? sum / total : 0;
  }

  /** Of two phrases that hold the whole query, the one with less besides it is the better answer. */
  function likeness(units, length, phrase) {
    const covered = coverage(units, phrase);
    return covered * (0.75 + 0.25 * Math.min(1, length / phrase.joined.length));
  }

  /** Where pages hold the same units, the one that keeps coming back to them is about them. */
  function insistence(units, { words }) {
    let sum = 0, total = 0;
    for (const unit of units) {
      const count = Math.max(...unit.spellings.map(([spelling]) => words.split(spelling).length - 1));
      sum += unit.weight * count / (count + 6);
      total += unit.weight;
    }
    return sum / total;
  }

  function score(page, units, length) {
    const whole = coverage(units, page.field);
    if (whole < 0.25) return 0;
    const phrase = Math.max(0, ...page.phrases.map(phrase => likeness(units, length, phrase)));
    const section = Math.max(0, ...page.sections.map(section => coverage(units, section.field)));
    return (3 * phrase + section + whole + insistence(units, page.field) / 2) * page.boost;
  }

  function escape(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  /** Matches `ptuning` in "P-Tuning" too. */
  function marker(units) {
    const spellings = units.flatMap(unit => unit.spellings.map(([spelling]) => spelling)).filter(Boolean).sort((a, b) => b.length - a.length);
    if (!spellings.length) return null;
    const loose = spelling => [...spelling].map(char => char === " " ? "[-_\\s]?" : char).join("[-_]?");
    return new RegExp(spellings.map(s => s.length === 1 && !/\p{sc=Han}/u.test(s) ? `\\b${s}\\b` : loose(s)).join("|"), "giu");
  }

  function mark(text, pattern) {
    return pattern ? escape(text).replace(pattern, found => `<mark>${found}</mark>`) : escape(text);
  }

  /** The stretch around the first match. */
  function excerpt(text, pattern) {
    const at = pattern ? text.search(pattern) : -1;
    const start = at > EXCERPT / 3 ? at - Math.round(EXCERPT / 3) : 0;
    const piece = text.slice(start, start + EXCERPT);
    return `${start ? "…" : ""}${mark(piece, pattern)}${start + EXCERPT < text.length ? "…" : ""}`;
  }

  function shown(section, pattern, score) {
    const { location, title, text } = section;
    return { location, title: mark(title, pattern), text: `<p>${excerpt(text, pattern)}</p>`, score, terms: {} };
  }

  function search(query) {
    if (!pages.length) setUp();
    const all = cut(query);
    const units = weigh(all);
    if (!units.length) return { items: [] };
    const length = spaced(query).replace(/ /g, "").length;
    const pattern = marker(units);
    const ranked = pages.map(page => [score(page, units, length), page]).filter(([value]) => value > 0.9).sort((a, b) => b[0] - a[0]);
    const best = ranked.length ? ranked[0][0] : 0;
    return { items: ranked.filter(([value]) => value > best / 4).slice(0, SHOWN_PAGES).map(([value, page]) => {
      const sections = page.sections.filter(section => section !== page.article)
        .map(section => [coverage(units, section.field), section]).filter(([found]) => found > 0.3)
        .sort((a, b) => b[0] - a[0]).slice(0, SHOWN_SECTIONS);
      return [shown(page.article, pattern, value), ...sections.map(([found, section]) => shown(section, pattern, value * found / 2))];
    }) };
  }

  /** One message of the theme, answered. Also called directly where a page read from disk may not start a worker. */
  function answer({ type, data }) {
    if (type === 0) {
      documents = data.docs;
      return { type: 1 };
    }
    return { type: 3, data: search(data) };
  }

  if (typeof document === "undefined") addEventListener("message", event => postMessage(answer(event.data)));
  else globalThis.answerSearch = answer;
})();
