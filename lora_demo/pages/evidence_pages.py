"""The two pages of grounds: the ledger of the notes' claims and the bibliography."""

from __future__ import annotations

from lora_demo.pages import links
from lora_demo.pages.content import Content
from lora_demo.pages.evidence import proof
from lora_demo.pages.expand import Expander
from lora_demo.pages.language import VERDICTS
from lora_demo.pages.ledger import Entry
from lora_demo.pages.literature import Reference
from lora_demo.pages.problem import Problem
from lora_demo.pages.question_page import plain

_WORDS = {
    "zh": {
        "ledger": "笔记勘误",
        "ledger intro": "这个站从一份面试笔记出发。笔记里的每个说法在这里过一遍：结论是什么，为什么，靠什么证明。",
        "claim": "笔记里的说法",
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
        "claim": "What the notes say",
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


def ledger_page(content: Content, lang: str, problems: list[Problem]) -> dict[str, str]:
    """`ledger.md`, if there is a ledger."""
    if not content.ledger:
        return {}
    words = _WORDS[lang]
    expander = Expander(content, lang, "ledger.md", "qa/ledger.yaml", problems)
    parts = [f"# {words['ledger']}", words["ledger intro"], _overview(expander)]
    parts += [_ledger_entry(entry, index, expander) for index, entry in enumerate(content.ledger)]
    return {"ledger.md": "\n\n".join(parts) + "\n"}


def _ledger_entry(entry: Entry, index: int, expander: Expander) -> str:
    content, lang = expander.content, expander.lang
    words = _WORDS[lang]

    def said(field: str) -> str:
        line = content.ledger_source.place((index, field, lang))[0] if content.ledger_source else 1
        return expander.expand(getattr(getattr(entry, field), lang), line, where=f"[{index}].{field}.{lang}")

    lines = [
        f"## {said('claim')} {{ #{entry.id} }}",
        f"{words['verdict']}{words['colon']}{_verdict(entry, lang)}",
        said("explanation"),
    ]
    lines.append(f"{words['grounds']}{words['colon']}\n\n" + "\n".join(f"- {proof(by, expander)}" for by in entry.by))
    question = content.questions.get(entry.page)
    if question:
        link = links.relative("ledger.md", question.page)
        lines.append(f"{words['more']}{words['colon']}[{question.title(lang)}]({link})")
    return "\n\n".join(lines)


def _overview(expander: Expander) -> str:
    """All claims and verdicts at a glance."""
    words, lang = _WORDS[expander.lang], expander.lang
    rows = [f"| {words['claim']} | {words['verdict']} |", "|---|---|"]
    for entry in expander.content.ledger:
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
