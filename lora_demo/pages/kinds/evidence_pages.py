"""The pages of grounds: the ledger of the notes' claims, the myths in circulation and the bibliography."""

from __future__ import annotations

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import VERDICTS
from lora_demo.pages.bank.ledger import Entry
from lora_demo.pages.bank.literature import Reference
from lora_demo.pages.bank.problem import Problem
from lora_demo.pages.bank.yaml_source import YamlSource
from lora_demo.pages.kinds.evidence import proof
from lora_demo.pages.kinds.question_page import plain
from lora_demo.pages.writing.expand import Expander

_WORDS = {
    "zh": {
        "ledger": "笔记勘误",
        "ledger intro": "这个站从一份面试笔记出发。笔记里的每个说法在这里过一遍：结论是什么，为什么，靠什么证明。",
        "ledger claim": "笔记里的说法",
        "myths": "流传的说法",
        "myths intro": "这些话在面试笔记、博客和教学代码里反复出现，多数错了，少数要加条件。每一条给结论和理由，"
        "再给能跑的反驳：一个测试、一个算得出来的数，或者一处写明出处的引用。有争议的两边都写。",
        "myths claim": "流传的说法",
        "verdict": "结论",
        "grounds": "依据",
        "more": "详细回答",
        "colon": "：",
        "literature": "文献",
        "literature intro": "引用过的论文和页面，以及每一条我们核对到什么程度。",
        "checked": "核对程度",
        "full text": "读过全文",
        "abstract or official page": "读过摘要或官方页面",
        "secondary source": "只见于转述",
        "repository file": "读过仓库里的数据文件",
        "the notes": "读过原始笔记",
    },
    "en": {
        "ledger": "Ledger of claims",
        "ledger intro": "This site began with a set of interview notes. Each of their claims is judged here: the "
        "verdict, the reason, and what proves it.",
        "ledger claim": "What the notes say",
        "myths": "Myths in circulation",
        "myths intro": "These sentences turn up again and again in interview notes, blogs and teaching code. Most are "
        "wrong, a few need a condition. Each gets a verdict, the reason, and a refutation that runs: a test, a number "
        "that is computed, or a source with its place. Where it is contested, both sides stand here.",
        "myths claim": "What people say",
        "verdict": "Verdict",
        "grounds": "Grounds",
        "more": "Full answer",
        "colon": ": ",
        "literature": "Literature",
        "literature intro": "The papers and pages cited, and how far each was checked.",
        "checked": "Checked",
        "full text": "read in full",
        "abstract or official page": "abstract or official page read",
        "secondary source": "seen in a secondary source only",
        "repository file": "the repository's data file read",
        "the notes": "the original notes read",
    },
}


def judged_pages(content: Content, lang: str, problems: list[Problem]) -> dict[str, str]:
    """`ledger.md` and `myths.md`, each if it has entries."""
    lists = {"ledger": (content.ledger, content.ledger_source), "myths": (content.myths, content.myths_source)}
    pages = {}
    for name, (entries, source) in lists.items():
        if entries and source:
            expander = Expander(content, lang, f"{name}.md", source.path, problems)
            pages[f"{name}.md"] = _judged(name, entries, source, expander)
    return pages


def _judged(name: str, entries: tuple[Entry, ...], source: YamlSource, expander: Expander) -> str:
    words = _WORDS[expander.lang]
    parts = [f"# {words[name]}", words[f"{name} intro"], _overview(name, entries, expander)]
    parts += [_entry(entry, index, source, expander) for index, entry in enumerate(entries)]
    return "\n\n".join(parts) + "\n"


def _entry(entry: Entry, index: int, source: YamlSource, expander: Expander) -> str:
    content, lang = expander.content, expander.lang
    words = _WORDS[lang]

    def said(field: str) -> str:
        line = source.place((index, field, lang))[0]
        return expander.expand(getattr(getattr(entry, field), lang), line, where=f"[{index}].{field}.{lang}")

    lines = [
        f"## {said('claim')} {{ #{entry.id} }}",
        f"{words['verdict']}{words['colon']}{_verdict(entry, lang)}",
        said("explanation"),
    ]
    lines.append(f"{words['grounds']}{words['colon']}\n\n" + "\n".join(f"- {proof(by, expander)}" for by in entry.by))
    question = content.questions.get(entry.page)
    if question:
        link = links.relative(expander.page, question.page)
        lines.append(f"{words['more']}{words['colon']}[{question.title(lang)}]({link})")
    return "\n\n".join(lines)


def _overview(name: str, entries: tuple[Entry, ...], expander: Expander) -> str:
    """All claims and verdicts at a glance."""
    words, lang = _WORDS[expander.lang], expander.lang
    rows = [f"| {words[f'{name} claim']} | {words['verdict']} |", "|---|---|"]
    for entry in entries:
        claim = plain(expander.expand(getattr(entry.claim, lang))).replace("|", "\\|")
        rows.append(f"| [{claim}](#{entry.id}) | {_verdict(entry, lang)} |")
    return "\n".join(rows)


def _verdict(entry: Entry, lang: str) -> str:
    return f'<span class="verdict verdict-{entry.verdict}">{VERDICTS[lang][entry.verdict]}</span>'


def literature_page(content: Content, lang: str) -> dict[str, str]:
    """`literature.md`, if anything is cited."""
    if not content.literature:
        return {}
    words = _WORDS[lang]
    works = sorted(content.literature.values(), key=lambda work: (work.label.lower(), work.key))
    entries = "\n\n".join(_work(work, lang) for work in works)
    return {"literature.md": f"# {words['literature']}\n\n{words['literature intro']}\n\n{entries}\n"}


def _work(work: Reference, lang: str) -> str:
    words, details = _WORDS[lang], work.details
    checked = words.get(str(details.get("checked", "")), str(details.get("checked", "")))
    arxiv, url = details.get("arxiv"), details.get("url")
    target = f"https://arxiv.org/abs/{arxiv}" if arxiv else url
    title = f"[{work.title}]({target})" if target else work.title
    note = (details.get("note") or {}).get(lang, "")
    lines = [f"**{work.label}**", title, f"{words['checked']}{words['colon']}{checked}", *([note] if note else [])]
    return "<br>\n".join(lines) + f"\n{{ #{work.key} .reference }}"
