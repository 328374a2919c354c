"""One topic on paper: its questions with what is worth having there, the most asked first."""

from __future__ import annotations

import json

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import LEVELS, SECTIONS
from lora_demo.pages.bank.question import Question
from lora_demo.pages.bank.topics import Topic
from lora_demo.pages.kinds.question_page import section_text
from lora_demo.pages.writing.expand import Expander
from lora_demo.pages.writing.words import word

# In depth is for the screen: it is long and full of links to its evidence.
ON_PAPER = ("one-sentence", "sixty-seconds", "follow-ups", "mistakes")
_LEAD = {
    "zh": "打印版：浏览器里按 Ctrl+P（Mac 上 ⌘P），选“另存为 PDF”。这一句不会印出来。",
    "en": "For paper: press Ctrl+P (⌘P on a Mac) and choose “Save as PDF”. This line is not printed.",
}


def printable_pages(content: Content, lang: str) -> dict[str, str]:
    """Path -> Markdown with front matter, one page per topic that has questions."""
    topics = [topic for topic in content.topics if content.by_topic(topic.id)]
    return {page_of(topic): _page(content, lang, topic) for topic in topics}


def page_of(topic: Topic) -> str:
    return f"print/{topic.id}.md"


def _page(content: Content, lang: str, topic: Topic) -> str:
    """Kept out of the search, which has the questions themselves."""
    title, page = getattr(topic.title, lang), page_of(topic)
    front = f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\nsearch: {{exclude: true}}\n---"
    parts = [front, f"# {title}", f"{_LEAD[lang]}\n{{ .print-lead }}"]
    for question in content.by_topic(topic.id):
        parts.append(_question(question, Expander(content, lang, page, question.path)))
    return "\n\n".join(parts) + "\n"


def _question(question: Question, expander: Expander) -> str:
    lang = expander.lang
    parts = [f"## {question.title(lang)} {{ #{question.slug} }}", f"{_facts(question, lang)}\n{{ .question-facts }}"]
    for key in ON_PAPER:
        parts += [_label(SECTIONS[lang][key]), section_text(question, key, expander)]
    points = [
        f"- ☐ {LEVELS[lang][point.level]}{word(lang, 'joint')}{expander.expand(getattr(point, lang), ear=True)}"
        for point in question.meta.rubric
    ]
    parts += [_label(word(lang, "rubric")), "\n".join(points)]
    return "\n\n".join(parts)


def _label(text: str) -> str:
    return f'<p class="print-label">{text}</p>'


def _facts(question: Question, lang: str) -> str:
    count = question.meta.asked.lists
    asked = word(lang, "asked", n=count) if count else word(lang, "not asked")
    return f"{LEVELS[lang][question.meta.level]}{word(lang, 'joint')}{asked}"
