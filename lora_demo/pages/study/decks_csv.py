"""The questions of one language as a CSV file that a spreadsheet opens without running anything.

A cell that begins like a formula would be computed (and could send data away) when a spreadsheet opens it, so it gets
an apostrophe in front, which spreadsheets hide. UTF-8 with a byte order mark: without it Excel garbles Chinese.
"""

from __future__ import annotations

import csv
import io

from lora_demo.pages.bank.language import KINDS, LEVELS
from lora_demo.pages.study.decks import StudyCard, rubric_lines

COLUMNS = ("id", "topic", "level", "kind", "asked", "question", "one_sentence", "sixty_seconds", "rubric", "page")
# With their full-width twins, which some spreadsheets take for the same, and what leads to a cell of its own.
FORMULA_STARTS = tuple("=+-@\t\r\n|%＝＋－＠")


def csv_table(cards: list[StudyCard]) -> bytes:
    """Header and one row per card, every cell quoted."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([defused(cell) for cell in _row(card)] for card in cards)
    return text.getvalue().encode("utf-8-sig")


def defused(cell: str) -> str:
    """The cell as text, never as a formula."""
    return "'" + cell if cell.lstrip(" \u00a0\u3000\ufeff").startswith(FORMULA_STARTS) else cell


def _row(card: StudyCard) -> list[str]:
    question, meta, lang = card.question, card.question.meta, card.lang
    return [
        question.id,
        card.topic_title,
        LEVELS[lang][meta.level],
        KINDS[lang][meta.kind],
        str(meta.asked.lists),
        question.title(lang),
        card.as_text(card.one_sentence),
        card.as_text(card.sixty),
        "\n".join(f"[{level}] {card.as_text(text)}" for level, text in rubric_lines(card)),
        f"{question.page.removesuffix('.md')}/",
    ]
