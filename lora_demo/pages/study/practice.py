"""What the practice app reads: each question with its answer, rubric and follow-ups as HTML, in one language."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from markdown import Markdown

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import KINDS, LEVELS
from lora_demo.pages.bank.question import Question
from lora_demo.pages.kinds.question_page import section_text
from lora_demo.pages.study.catalog import page_url
from lora_demo.pages.writing.expand import Expander

# Links in the answers start at the language's root, wherever the app shows them.
_ROOT = "index.md"
_FOLLOW_UP = re.compile(
    r"^- \*\*(?P<ask>.+?)\*\*\s*(?P<answer>.*?)\s*(?:→|->)[ \t]*`?(?P<to>[a-z0-9-]+\.[a-z0-9-]+)`?",
    re.MULTILINE | re.DOTALL,
)
_PAGE = re.compile(r'href="([^"#:]+\.md)')


def practice_data(content: Content, lang: str) -> str:
    """JSON: {"topics": [{id, title}], "levels", "kinds", "questions": [...]}, the most asked question first."""
    data = {
        "topics": [{"id": t.id, "title": getattr(t.title, lang)} for t in content.topics if content.by_topic(t.id)],
        "levels": LEVELS[lang],
        "kinds": KINDS[lang],
        "questions": [practice_question(question, content, lang) for question in content.most_asked()],
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def practice_question(question: Question, content: Content, lang: str) -> dict[str, Any]:
    """One question as docs/practice/questions.js describes it."""
    expander = Expander(content, lang, _ROOT, question.path)
    meta = question.meta
    return {
        "id": question.id,
        "title": question.title(lang),
        "url": page_url(question.page),
        "topic": meta.topic,
        "level": meta.level,
        "kind": meta.kind,
        "asked": meta.asked.lists,
        "sentence": html(section_text(question, "one-sentence", expander)),
        "sixty": html(section_text(question, "sixty-seconds", expander)),
        "rubric": [
            {"level": point.level, "text": inline(expander.expand(getattr(point, lang)))} for point in meta.rubric
        ],
        "followups": follow_ups(question, expander),
    }


def follow_ups(question: Question, expander: Expander) -> list[dict[str, str]]:
    """What the interviewer asks next, the short answer, and the question that it leads to."""
    text = question.answers[expander.lang]["follow-ups"].text
    return [
        {
            "ask": inline(expander.expand(found["ask"])),
            "answer": inline(expander.expand(found["answer"])),
            "to": found["to"],
        }
        for found in _FOLLOW_UP.finditer(text)
        if found["to"] in expander.content.questions
    ]


def html(markdown: str) -> str:
    """Markdown -> HTML whose links start at the language's root."""
    return _PAGE.sub(lambda m: f'href="{page_url(m.group(1))}', _convert(markdown))


def inline(markdown: str) -> str:
    """One paragraph without its tags."""
    return html(markdown).removeprefix("<p>").removesuffix("</p>")


@lru_cache(maxsize=8192)
def _convert(markdown: str) -> str:
    # Remembered by text: while serving, an edit converts one question and not all of them.
    return _MARKDOWN.reset().convert(markdown)


_MARKDOWN = Markdown(extensions=["attr_list"])
