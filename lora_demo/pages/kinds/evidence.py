"""What stands behind an answer, folded under it: 证据：3 个测试 · 2 个数值 · 1 篇论文."""

from __future__ import annotations

from lora_demo.pages.bank import links
from lora_demo.pages.bank.question import Question
from lora_demo.pages.bank.tested import named
from lora_demo.pages.writing.expand import Expander
from lora_demo.pages.writing.words import word
from lora_demo.pages.writing.written import short


def evidence(question: Question, expander: Expander) -> str:
    """The folded block; in it each claim with what proves it, in plain words."""
    lines = [f'<details class="evidence" markdown="1">\n<summary>{summary(question, expander.lang)}</summary>\n']
    for index, claim in enumerate(question.meta.claims):
        first = question.source.place(("claims", index, expander.lang))[0]
        said = expander.expand(getattr(claim, expander.lang), first, where=f"claims[{index}].{expander.lang}")
        lines.append(f"- {said}")
        lines += [f"    - {proof(by, expander)}" for by in claim.by]
    return "\n".join([*lines, "\n</details>"])


def summary(question: Question, lang: str) -> str:
    """The one line that shows while folded."""
    proofs = {by for claim in question.meta.claims for by in claim.by}
    counts = {
        "tests": sum(by.startswith("tests/") for by in proofs),
        "figures": sum(by.startswith("fig:") for by in proofs),
        "papers": sum(by.startswith("cite:") for by in proofs),
    }
    shown = [word(lang, kind, n=n) for kind, n in counts.items() if n]
    return word(lang, "evidence") + (word(lang, "joint").join(shown) or word(lang, "no evidence"))


def proof(by: str, expander: Expander) -> str:
    """One piece of evidence as a reader understands it, linked."""
    content, lang, page = expander.content, expander.lang, expander.page
    kind, _, name = by.partition(":")
    if kind == "fig" and name in content.figures:
        return f"[{content.figures[name].title[lang]}]({links.relative(page, links.figure(name))})" + (
            f"{'：' if lang == 'zh' else ': '}{short(content.figures[name], lang)}"
        )
    if kind == "cite" and name in content.literature:
        return f"[{content.literature[name].label}]({links.relative(page, links.citation(name))})"
    test = named(by, content.tests)
    if test is None:
        return f"`{by}`"
    target = content.blob(test.path, test.line)
    label = f"{word(lang, 'test')}{'：' if lang == 'zh' else ': '}{test.says}"
    return f"[{label}]({target})" if target else label
