"""The small parts: lengths, tests found by reading, excerpts, formulas, catalog, navigation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from markdown import Markdown

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.tested import named
from lora_demo.pages.kinds.question_page import plain
from lora_demo.pages.lint.length import length
from lora_demo.pages.navigation import navigation
from lora_demo.pages.site import generated_pages
from lora_demo.pages.study.catalog import catalog, figure_cards, page_url
from lora_demo.pages.writing.excerpt import NoSuchCode, excerpt
from lora_demo.pages.writing.mathml import BadMath, to_mathml

FIXTURE = Path(__file__).parent / "fixtures" / "repo"


@pytest.mark.parametrize(
    ("text", "lang", "count"),
    [
        ("LoRA 省的是开销。", "zh", 6),
        ("r=16，约 30 亿", "zh", 5),
        ("v_proj 和 bf16", "zh", 3),
        ("about 3 billion parameters, r=16.", "en", 5),
        ("It doesn't shrink — at all", "en", 5),
    ],
)
def test_length(text: str, lang: str, count: int) -> None:
    assert length(text, lang) == count


def test_plain_text_has_no_markup() -> None:
    assert plain('**a** [b](c.md){ .fig data-fig="x" } <span class="fig">d</span> `e` &lt;') == "a b d e <"


def test_tests_are_found_without_running_them(small_content: Content) -> None:
    assert set(small_content.tests) == {
        "tests/sample/test_sample.py::test_frozen_weights_carry_no_state",
        "tests/sample/test_sample.py::TestGroup::test_rank",
    }
    found = named("tests/sample/test_sample.py::TestGroup::test_rank[2]", small_content.tests)
    assert found is not None
    assert (found.line, found.says) == (10, "rank")
    assert named("tests/sample/test_sample.py::test_ran", small_content.tests) is None


def test_excerpt_is_dedented_source() -> None:
    found = excerpt(FIXTURE, "pkg/count.py", "Counter.add")
    assert found.code.splitlines()[0] == "def add(self, one: int) -> int:"
    lines = (FIXTURE / "pkg/count.py").read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in lines[found.first - 1 : found.last]] == [
        line.strip() for line in found.code.splitlines()
    ]
    assert excerpt(FIXTURE, "pkg/count.py", "LIMIT").code == "LIMIT = 3"


@pytest.mark.parametrize(
    ("path", "symbol", "says"),
    [("pkg/count.py", "Counter.ad", "`Counter.add`"), ("pkg/none.py", "x", "no file `pkg/none.py`")],
)
def test_excerpt_that_is_not_there(path: str, symbol: str, says: str) -> None:
    with pytest.raises(NoSuchCode, match=says.replace(".", r"\.")):
        excerpt(FIXTURE, path, symbol)


@pytest.mark.parametrize(
    "tex", [r"W' = W + \frac{\alpha}{r} B A", "a_i * b_j * c", r"\{x\} [y](z) `q`", r"|x| < y & z", r"\text{targets}"]
)
@pytest.mark.parametrize("around", ["{}", "- item {} end", "| a | b |\n|---|---|\n| {} | 1 |", "**{}**"])
def test_formula_comes_through_markdown_unchanged(tex: str, around: str) -> None:
    formula = to_mathml(tex, display=False)
    html = Markdown(extensions=["tables", "attr_list", "md_in_html"]).convert(around.format(formula))
    assert formula in html


@pytest.mark.parametrize("tex", [r"\frac{x", "x}", r"\alphabet x", r"\left( x"])
def test_unreadable_formula_is_an_error(tex: str) -> None:
    with pytest.raises(BadMath, match="cannot read the formula"):
        to_mathml(tex, display=False)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_catalog_is_json_for_the_practice_app(small_content: Content, lang: str) -> None:
    entries = catalog(small_content, lang)
    assert json.loads(json.dumps(entries)) == entries
    assert [entry["id"] for entry in entries] == ["memory.what-is-saved", "memory.activations"]
    first = entries[0]
    assert first["url"] == "q/memory/what-is-saved/"
    assert first["followups"] == ["memory.activations"]
    assert [point["level"] for point in first["rubric"]] == ["junior", "mid", "senior"]
    assert first["sixty_html"].startswith("<p>")
    assert "<a " not in first["sixty_html"]
    assert "<" not in first["sixty"]
    assert set(figure_cards(small_content, lang)) == set(small_content.figures)


@pytest.mark.parametrize(
    ("page", "nested", "flat"),
    [
        ("q/a/b.md", "q/a/b/", "q/a/b.html"),
        ("topics/index.md", "topics/", "topics/index.html"),
        ("index.md", "", "index.html"),
    ],
)
def test_page_url(page: str, nested: str, flat: str) -> None:
    assert (page_url(page), page_url(page, directory_urls=False)) == (nested, flat)


def test_navigation_has_every_question_and_both_languages_agree(small_content: Content) -> None:
    shapes = []
    for lang in ("zh", "en"):
        entries = navigation(small_content, lang, generated_pages(small_content, lang).pages)
        text = json.dumps(entries)
        assert all(question.page in text for question in small_content.questions.values())
        shapes.append([path for path in text.split('"') if path.endswith(".md")])
    assert shapes[0] == shapes[1]
    assert shapes[0][:2] == ["index.md", "topics/memory.md"]
