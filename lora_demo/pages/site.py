"""All generated pages of one language: path -> Markdown. Knows nothing of the program that turns them into HTML."""

from __future__ import annotations

from dataclasses import dataclass

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.handwritten import WrittenPage
from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.problem import Problem
from lora_demo.pages.kinds.evidence_pages import judged_pages, literature_page
from lora_demo.pages.kinds.exercise_pages import exercise_pages
from lora_demo.pages.kinds.figure_pages import figure_pages
from lora_demo.pages.kinds.glossary_page import glossary_page
from lora_demo.pages.kinds.indexes import index_pages
from lora_demo.pages.kinds.printable import printable_pages
from lora_demo.pages.kinds.question_page import question_page
from lora_demo.pages.lint.check_question import check_question
from lora_demo.pages.writing.expand import Expander


@dataclass(frozen=True)
class Built:
    """Pages by path from the docs root, and every problem met on the way; only without problems may they go out."""

    pages: dict[str, str]
    problems: list[Problem]


def generated_pages(content: Content, lang: str) -> Built:
    """All pages that the question bank yields in one language, Markdown with front matter."""
    problems = list(content.problems)
    pages: dict[str, str] = {}
    for question in content.questions.values():
        if lang == LANGUAGES[0]:
            # The check covers both languages, so the second build need not repeat it.
            problems += check_question(question, content)
        expander = Expander(content, lang, question.page, question.path, problems)
        pages[question.page] = question_page(question, expander)
    pages |= index_pages(content, lang) | figure_pages(content, lang) | printable_pages(content, lang)
    pages |= judged_pages(content, lang, problems) | literature_page(content, lang) | glossary_page(content, lang)
    pages |= exercise_pages(content, lang, problems)
    return Built(pages, sorted(set(problems)))


def expand_written(content: Content, lang: str, written: WrittenPage) -> Built:
    """One hand-written page with its placeholders replaced."""
    expander = Expander(content, lang, written.page, written.source)
    return Built({written.page: expander.expand(written.text, written.line)}, expander.problems)
