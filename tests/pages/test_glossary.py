"""Terms are linked where a page first uses them, and only there; the questions keep to the glossary's spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora_demo.pages.bank.content import Content, load
from lora_demo.pages.bank.glossary import Glossary, parse_glossary
from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.problem import InvalidContent
from lora_demo.pages.site import generated_pages
from lora_demo.pages.writing.term_links import first_uses

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = """
- {id: low-rank, topic: math, term: {zh: 低秩, en: low rank}, also: {en: [low-rank]}, meaning: {zh: 一, en: a}}
- {id: rank, topic: math, term: {zh: 秩, en: rank}, meaning: {zh: 二, en: b}}
- {id: zero, topic: math, term: {zh: ZeRO, en: ZeRO}, meaning: {zh: 三, en: c}}
"""


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    return parse_glossary("qa/glossary.yaml", GLOSSARY)


@pytest.fixture(scope="module")
def content() -> Content:
    return load(ROOT, "https://example.org/r")


@pytest.fixture(scope="module")
def pages(content: Content) -> dict[str, dict[str, str]]:
    return {lang: generated_pages(content, lang).pages for lang in LANGUAGES}


@pytest.mark.parametrize(
    ("lang", "text", "found"),
    [
        ("en", "A rank of one, and rank again", ["rank@2"]),
        ("en", "Ranks differ", ["Ranks@0"]),
        ("en", "a low-rank update has low rank", ["low-rank@2"]),
        ("en", "a low rank is a rank", ["low rank@2", "rank@16"]),
        ("en", "frank, math.rank, rank-one, lora_rank, ranked", []),
        ("en", "`rank` $rank$ {{ fig:rank }} <i title='rank'>", []),
        ("en", "## The rank\nrank", ["rank@12"]),
        ("en", "[the rank](x.md) and rank", ["rank@21"]),
        ("en", "| rank | a |\n|---|---|\n| rank | b |", ["rank@25"]),
        ("en", "zero and ZeRO", ["ZeRO@9"]),
        ("zh", "低秩不是秩", ["低秩@0", "秩@4"]),
        ("zh", "用ZeRO切", ["ZeRO@1"]),
    ],
)
def test_a_term_is_found_once_in_prose_only(glossary: Glossary, lang: str, text: str, found: list[str]) -> None:
    uses = first_uses(text, lang, glossary, set())
    assert [f"{text[use.start : use.end]}@{use.start}" for use in uses] == found


def test_what_the_page_has_linked_is_not_linked_again(glossary: Glossary) -> None:
    seen = {"rank"}
    assert [use.term.id for use in first_uses("a rank, a low rank", "en", glossary, seen)] == ["low-rank"]
    assert seen == {"rank", "low-rank"}


def test_a_page_links_the_term_with_its_meaning(small_content: Content) -> None:
    page = generated_pages(small_content, "en").pages["q/memory/what-is-saved.md"]
    assert """[convention](../../glossary.md#convention "What stands behind a 'number'."){ .term }""" in page
    assert page.count("glossary.md#convention") == 1
    # The page that explains a term does not link it, others do.
    assert "glossary.md#saved-inputs" not in page


def test_texts_for_the_ear_carry_no_term_links(pages: dict[str, dict[str, str]]) -> None:
    count = 0
    for path, page in [item for built in pages.values() for item in built.items() if item[0].startswith("q/")]:
        ear = page[: page.index("{ #in-depth }")]
        assert ".term }" not in ear, path
        count += page.count("{ .term }")
    assert count > 1000


def test_every_term_has_its_anchor_in_both_languages(content: Content, pages: dict[str, dict[str, str]]) -> None:
    for term in content.glossary.terms:
        for lang in LANGUAGES:
            assert pages[lang]["glossary.md"].count(f"{{ #{term.id} }}") == 1
    assert len(content.glossary.terms) >= 80


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("id: rank,", "id: low-rank,", "`low-rank` stands twice"),
        ("term: {zh: 秩, en: rank}", "term: {zh: 秩, en: Low rank}", "also stands for `low-rank`"),
        ("term: {zh: 秩, en: rank}", "term: {zh: 秩, en: rank}, avoid: {zh: [低秩]}", "right at once"),
        ("id: rank,", "id: Rank,", "has the wrong form"),
    ],
)
def test_a_faulty_glossary_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(InvalidContent, match=says):
        parse_glossary("qa/glossary.yaml", GLOSSARY.replace(old, new, 1))
