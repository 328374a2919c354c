"""Study cards, the table, the printable pages: all there, formulas whole, nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content, load
from lora_demo.pages.bank.language import LANGUAGES, SECTIONS
from lora_demo.pages.kinds.printable import ON_PAPER, printable_pages
from lora_demo.pages.study import downloads
from lora_demo.pages.study.decks import SetAside, StudyCard, study_cards
from lora_demo.pages.study.decks_anki import anki_package
from lora_demo.pages.study.decks_csv import COLUMNS, FORMULA_STARTS, csv_table, defused

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def content() -> Content:
    return load(ROOT)


@pytest.fixture(scope="module")
def cards(content: Content) -> dict[str, list[StudyCard]]:
    return {lang: study_cards(content, lang) for lang in LANGUAGES}


def rows_of(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_question_is_a_card_and_no_placeholder_is_left(
    cards: dict[str, list[StudyCard]], content: Content, lang: str
) -> None:
    assert {card.question.id for card in cards[lang]} == set(content.questions)
    asked = [card.question.meta.asked.lists for card in cards[lang]]
    assert asked == sorted(asked, reverse=True)
    for card in cards[lang]:
        texts = [card.one_sentence, card.sixty, *(text for _, text in card.rubric)]
        assert all(texts)
        for shown in (card.as_html("\n\n".join(texts)), card.as_text("\n\n".join(texts))):
            assert not re.search(r"\{\{|fig:|[\ue000\ue001]", shown), card.question.id
        assert not [tag for tag in card.tags if re.search(r"\s", tag)]


def test_formulas_pass_through_markdown_unharmed(content: Content) -> None:
    """Underscores, asterisks, backslashes and angle brackets mean something else to Markdown and HTML."""
    aside = SetAside()
    tex = (r"a_{ij}*b_{ij}*c < d \\ \text{x_y}", r"\hat W")
    text = f"Before {aside.take(tex[0], False)} and **after**\n\n{aside.take(tex[1], True)}"
    question = next(iter(content.questions.values()))
    card = StudyCard(question, "en", "", "", "", (), aside)
    html = card.as_html(text)
    assert r"\(" + tex[0].replace("<", "&lt;") + r"\)" in html
    assert r"\[" + tex[1] + r"\]" in html
    assert "<strong>after</strong>" in html
    assert f"${tex[0]}$ and after" in card.as_text(text)
    assert f"$${tex[1]}$$" in card.as_text(text)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_table_holds_every_question(cards: dict[str, list[StudyCard]], lang: str) -> None:
    table = csv_table(cards[lang])
    # Excel takes UTF-8 for the machine's old encoding without the mark.
    assert table.startswith(b"\xef\xbb\xbf")
    rows = rows_of(table)
    assert tuple(rows[0]) == COLUMNS
    assert [row["id"] for row in rows] == [card.question.id for card in cards[lang]]
    assert all(all(row.values()) for row in rows)
    assert all(len(row["rubric"].split("\n")) == len(card.rubric) for row, card in zip(rows, cards[lang], strict=True))
    cells = [cell for row in rows for cell in row.values()]
    assert len(cells) >= 500
    assert not [cell for cell in cells if cell.lstrip().startswith(FORMULA_STARTS)]


FORMULAS = (
    '=HYPERLINK("http://x.example","y")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "－1",
    "%1",
    "|x",
)


@pytest.mark.parametrize("planted", FORMULAS)
def test_a_planted_formula_stays_text(cards: dict[str, list[StudyCard]], planted: str) -> None:
    card = cards["en"][0]
    meta = card.question.meta
    titled = meta.model_copy(update={"title": meta.title and meta.title.model_copy(update={"en": planted})})
    aliased = titled.model_copy(update={"aliases": meta.aliases.model_copy(update={"en": [planted]})})
    broken = replace(card, question=replace(card.question, meta=aliased), one_sentence=planted, sixty=planted)
    row = rows_of(csv_table([broken]))[0]
    assert row["question"] == "'" + planted
    for name in COLUMNS:
        assert not row[name].startswith(FORMULA_STARTS), name


@given(st.text())
def test_a_cell_is_only_ever_prefixed(cell: str) -> None:
    assert defused(cell) in (cell, "'" + cell)
    assert not defused(cell).startswith(FORMULA_STARTS)
    assert defused(defused(cell)) == defused(cell)


def test_the_same_content_gives_the_same_bytes(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [downloads.download_files(each, "zh", "https://example.org/") for each in (content, load(ROOT))]
    assert made[0] == made[1]
    assert set(made[0]) == {downloads.deck_path("zh"), downloads.table_path("zh")}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert downloads.newest_change(ROOT) == 1_700_000_000
    later = downloads.download_files(content, "zh", "https://example.org/")
    assert later[downloads.table_path("zh")] == made[0][downloads.table_path("zh")]
    assert later[downloads.deck_path("zh")] != made[0][downloads.deck_path("zh")]


def test_an_edited_question_makes_the_deck_newer(small_repo: Path) -> None:
    before = downloads.newest_change(small_repo)
    question = next((small_repo / "qa" / "questions").rglob("*.md"))
    os.utime(question, (before + 60, before + 60))
    assert downloads.newest_change(small_repo) == before + 60


def test_cards_link_to_the_published_site_only(cards: dict[str, list[StudyCard]], content: Content) -> None:
    local = downloads.download_files(content, "en", "http://127.0.0.1:8000/en/")[downloads.deck_path("en")]
    moment = downloads.newest_change(ROOT)
    assert local == anki_package(cards["en"], "en", moment)
    assert local != anki_package(cards["en"], "en", moment, "https://example.org/en/")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_question_is_printed_once(content: Content, lang: str) -> None:
    pages = printable_pages(content, lang)
    assert len(pages) >= 8
    text = "\n".join(pages.values())
    for question in content.questions.values():
        assert text.count(f"{{ #{question.slug} }}") == 1
    for key in ON_PAPER:
        assert text.count(f'<p class="print-label">{SECTIONS[lang][key]}</p>') == len(content.questions)
    assert "{{" not in text
    assert all("search: {exclude: true}" in page for page in pages.values())


def test_links_written_for_a_question_lead_to_the_same_page_from_paper() -> None:
    text = "[a](../../eight-answers.md) [b](x.md#y) [c](#z) [d](https://a/b.md) ![e](../i.png)"
    printed = "[a](../eight-answers.md) [b](../q/memory/x.md#y) [c](#z) [d](https://a/b.md) ![e](../q/i.png)"
    assert links.moved(text, "q/memory/e.md", "print/memory.md") == printed
    assert links.moved(text, "q/memory/e.md", "q/memory/e.md") == text
