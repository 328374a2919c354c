"""The glossary as a page: the terms by topic, each with its counterpart in the other language."""

from __future__ import annotations

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.glossary import Term
from lora_demo.pages.bank.language import LANGUAGES

_WORDS = {
    "zh": {
        "title": "术语",
        "intro": "中英对照。题目里第一次用到一个术语时会链到这里；两种语言都照这里的写法，“不写”的写法题目里不会出现。",
        "also": "也写",
        "avoid": "不写",
        "more": "详见",
        "colon": "：",
        "comma": "、",
    },
    "en": {
        "title": "Glossary",
        "intro": "Chinese and English side by side. A question links a term here where it first uses it. Both "
        "languages keep to these spellings; those marked “not” do not occur in the questions.",
        "also": "also",
        "avoid": "not",
        "more": "in full",
        "colon": ": ",
        "comma": ", ",
    },
}


def glossary_page(content: Content, lang: str) -> dict[str, str]:
    """`glossary.md`, if there are terms. Searches should find the questions first, so it ranks below them."""
    if not content.glossary.terms:
        return {}
    words = _WORDS[lang]
    parts = [f"---\ntitle: {words['title']}\nsearch: {{boost: 0.5}}\n---", f"# {words['title']}", words["intro"]]
    for topic in content.topics:
        terms = [term for term in content.glossary.terms if term.topic == topic.id]
        if terms:
            parts.append(f"## {getattr(topic.title, lang)} {{ #{topic.id} }}")
            parts += [_term(term, content, lang) for term in terms]
    return {"glossary.md": "\n\n".join(parts) + "\n"}


def _term(term: Term, content: Content, lang: str) -> str:
    words = _WORDS[lang]
    own, other = (getattr(term.term, one) for one in sorted(LANGUAGES, key=lambda one: one != lang))
    heading = own if own == other else f"{own} · {other}"
    lines = [f"### {heading} {{ #{term.id} }}", getattr(term.meaning, lang)]
    notes = [
        f"{words[kind]}{words['colon']}{words['comma'].join(forms)}"
        for kind, forms in (("also", getattr(term.also, lang)), ("avoid", getattr(term.avoid, lang)))
        if forms
    ]
    question = content.questions.get(term.page or "")
    if question:
        link = links.relative("glossary.md", question.page)
        notes.append(f"{words['more']}{words['colon']}[{question.title(lang)}]({link})")
    if notes:
        lines.append("<br>\n".join(notes) + "\n{ .term-notes }")
    return "\n\n".join(lines)
