"""The repository's own questions, pages and ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora_demo.pages.bank.content import Content, load
from lora_demo.pages.lint.check import check
from lora_demo.pages.site import generated_pages
from lora_demo.pages.study.catalog import catalog

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def content() -> Content:
    return load(ROOT, "https://example.org/r")


def test_nothing_is_wrong_with_the_content(content: Content) -> None:
    assert [str(problem) for problem in check(content)] == []


def test_every_question_file_is_read(content: Content) -> None:
    files = list((ROOT / "qa" / "questions").rglob("*.md"))
    assert len(content.questions) == len(files) >= 25


def test_every_claim_of_the_notes_has_its_verdict(content: Content) -> None:
    assert len(content.ledger) == 22


def test_every_section_of_the_notes_is_covered(content: Content) -> None:
    titles = " ".join(entry.title for entry in content.coverage)
    for subject in ("训练稳定性", "评估指标", "对比实验"):
        assert subject in titles
    assert len(content.coverage) >= 25


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_question_has_a_page_and_a_catalog_entry(content: Content, lang: str) -> None:
    pages = generated_pages(content, lang).pages
    assert {question.page for question in content.questions.values()} <= set(pages)
    assert {entry["id"] for entry in catalog(content, lang)} == set(content.questions)
