"""The question bank as study cards, one language at a time: what the Anki deck and the CSV file are made of.

Formulas stay TeX, because neither reader knows MathML: they are set aside while Markdown is converted (it would take
`_` and `*` for emphasis) and written back in the reader's own form.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import LEVELS
from lora_demo.pages.bank.question import Question
from lora_demo.pages.kinds.question_page import plain, section_text
from lora_demo.pages.writing.expand import Expander
from lora_demo.pages.writing.inline_html import block

# Private-use characters: no text holds them, no Markdown touches them.
_TOKEN = re.compile("\ue000([0-9]+)\ue001")
WriteMath = Callable[[str, bool], str]


@dataclass
class SetAside:
    """Formulas taken out of a text, to be put back once the text is converted."""

    formulas: list[tuple[str, bool]] = field(default_factory=list)

    def take(self, tex: str, display: bool) -> str:
        """The token that stands for the formula."""
        self.formulas.append((tex.strip(), display))
        return f"\ue000{len(self.formulas) - 1}\ue001"

    def put_back(self, text: str, write: WriteMath) -> str:
        return _TOKEN.sub(lambda m: write(*self.formulas[int(m.group(1))]), text)


@dataclass(frozen=True)
class StudyCard:
    """One question. The texts are Markdown whose formulas are tokens; `as_html` and `as_text` write them out."""

    question: Question
    lang: str
    topic_title: str
    one_sentence: str
    sixty: str
    rubric: tuple[tuple[str, str], ...]
    aside: SetAside

    @property
    def tags(self) -> list[str]:
        """Nested tags that mean the same in every language; no blank in them, which Anki would split at."""
        meta = self.question.meta
        return [f"topic::{meta.topic}", f"level::{meta.level}", f"kind::{meta.kind}", f"asked::{meta.asked.lists}"]

    def as_html(self, markdown: str) -> str:
        """HTML with `\\(…\\)` and `\\[…\\]`, which Anki hands to MathJax."""
        return self.aside.put_back(block(markdown), _mathjax)

    def as_text(self, markdown: str) -> str:
        """Plain text with `$…$`."""
        return self.aside.put_back(plain(markdown), _dollars)


def study_cards(content: Content, lang: str) -> list[StudyCard]:
    """One card per question, the most asked first."""
    return [_card(question, content, lang) for question in content.most_asked()]


def _card(question: Question, content: Content, lang: str) -> StudyCard:
    aside = SetAside()
    expander = Expander(content, lang, question.page, question.path, math=aside.take)
    topic = question.meta.topic
    return StudyCard(
        question=question,
        lang=lang,
        topic_title=next((getattr(t.title, lang) for t in content.topics if t.id == topic), topic),
        one_sentence=section_text(question, "one-sentence", expander),
        sixty=section_text(question, "sixty-seconds", expander),
        rubric=tuple((p.level, expander.expand(getattr(p, lang), ear=True)) for p in question.meta.rubric),
        aside=aside,
    )


def rubric_lines(card: StudyCard) -> Iterable[tuple[str, str]]:
    """(level's name in the card's language, the point as Markdown)."""
    return [(LEVELS[card.lang][level], text) for level, text in card.rubric]


def _mathjax(tex: str, display: bool) -> str:
    left, right = (r"\[", r"\]") if display else (r"\(", r"\)")
    return left + html.escape(tex, quote=False) + right


def _dollars(tex: str, display: bool) -> str:
    return f"$${tex}$$" if display else f"${tex}$"
