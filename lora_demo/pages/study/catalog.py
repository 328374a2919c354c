"""The question bank as data, for the practice app, cards and search: JSON-ready, one language at a time."""

from __future__ import annotations

from typing import Any

from markdown import Markdown

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.question import Question
from lora_demo.pages.kinds.question_page import plain, section_text
from lora_demo.pages.writing.expand import Expander
from lora_demo.pages.writing.written import exact, short


def catalog(content: Content, lang: str, directory_urls: bool = True) -> list[dict[str, Any]]:
    """One entry per question, the most asked first.

    id, title, url (from the language's root), page (its Markdown path), topic, topic_title, level, kind, asked,
    aliases, one_sentence_html, sixty_html, one_sentence and sixty (plain text), rubric [{level, text}], followups
    """
    renderer = Markdown()
    return [_entry(question, content, lang, renderer, directory_urls) for question in content.most_asked()]


def _entry(question: Question, content: Content, lang: str, renderer: Markdown, directory_urls: bool) -> dict[str, Any]:
    expander = Expander(content, lang, question.page, question.path)
    meta = question.meta
    one, sixty = (section_text(question, key, expander) for key in ("one-sentence", "sixty-seconds"))
    topic = next((getattr(t.title, lang) for t in content.topics if t.id == meta.topic), meta.topic)
    return {
        "id": question.id,
        "title": question.title(lang),
        "url": page_url(question.page, directory_urls),
        "page": question.page,
        "topic": meta.topic,
        "topic_title": topic,
        "level": meta.level,
        "kind": meta.kind,
        "asked": meta.asked.lists,
        "aliases": question.aliases(lang),
        "one_sentence": plain(one),
        "one_sentence_html": renderer.reset().convert(one),
        "sixty": plain(sixty),
        "sixty_html": renderer.reset().convert(sixty),
        "rubric": [
            {"level": point.level, "text": plain(expander.expand(getattr(point, lang)))} for point in meta.rubric
        ],
        "followups": list(meta.followups),
    }


def page_url(page: str, directory_urls: bool = True) -> str:
    """Where a Markdown page ends up, from the language's root."""
    bare = page.removesuffix(".md")
    if not directory_urls:
        return f"{bare}.html"
    return bare.removesuffix("index") if bare.split("/")[-1] == "index" else f"{bare}/"


def figure_cards(content: Content, lang: str) -> dict[str, dict[str, str]]:
    """What a popover says about a figure: name -> title, value, short, kind, conditions."""
    return {
        name: {
            "title": figure.title[lang],
            "value": exact(figure, lang),
            "short": short(figure, lang),
            "kind": figure.kind,
            "conditions": figure.conditions.get(lang, ""),
        }
        for name, figure in content.figures.items()
    }
