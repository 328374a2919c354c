"""The calculator in a real browser: counts and peaks equal Python's over drawn settings; its address; its drill."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.practice.calculator_form import expected_memory
from tests.practice.calculator_settings import drawn, expected_count
from tests.practice.visitor import READY, Visitor, page_path

pytestmark = pytest.mark.browser
DRAWS = 220
IN_THE_PAGE = """
async settings => {
  const at = name => import(`/app/calculator-${name}.js`);
  const [{ result }, { MODELS }, { toQuery, fromQuery }] = await Promise.all(["result", "models", "state"].map(at));
  const form = await (await fetch("/app/closed-form.json")).json();
  return settings.map(one => {
    const given = { ...one, dims: one.dims ?? MODELS[one.model] };
    const { counted, memory } = result(given, form);
    const query = toQuery(given), back = fromQuery(query);
    const same = back.refused.length === 0 && toQuery(back.settings) === query;
    return { trained: counted.trained, peak: memory?.peak ?? null, parts: memory?.parts ?? null, query, same };
  });
}
"""


def presets(page: Page) -> dict[str, dict[str, Any]]:
    return page.evaluate("import('/app/calculator-models.js').then(({ MODELS }) => MODELS)")


def test_counts_and_peaks_equal_python_over_drawn_settings(visitor: Visitor) -> None:
    page = visitor.open("calculator")
    known = presets(page)
    settings = drawn(2026, DRAWS, known)
    found = page.evaluate(IN_THE_PAGE, settings)
    assert len(found) == DRAWS >= 200
    peaks = 0
    for given, shown in zip(settings, found, strict=True):
        assert shown["trained"] == expected_count(given, given["dims"]), given
        assert shown["same"], shown["query"]
        wanted = expected_memory(given)
        assert shown["peak"] == (wanted and wanted["peak"]), given
        if wanted:
            peaks += 1
            assert shown["parts"] == pytest.approx(wanted["parts"], abs=1), given
            assert sum(shown["parts"].values()) == shown["peak"]
    assert peaks >= 30


def test_the_page_shows_what_its_address_says(visitor: Visitor) -> None:
    """A shared link gives the same result in either language, and every control writes to the address."""
    page = visitor.open("calculator")
    known = presets(page)
    for given in [one for one in drawn(7, 60, known) if expected_memory(one)][:3]:
        [wanted] = page.evaluate(IN_THE_PAGE, [given])
        for lang in ("zh", "en"):
            visitor.go(page, f"{page_path('calculator', lang)}?{wanted['query']}")
            expect(page.locator(".calc-trained")).to_have_text(f"{wanted['trained']:,}")
            assert urlsplit(page.url).query == wanted["query"]
    visitor.go(page, page_path("calculator"))
    before = page.locator(".calc-trained").inner_text()
    page.locator(".chip:has(input[value=q_proj])").click()
    page.get_by_label("秩 r").fill("8")
    expect(page.locator(".calc-trained")).not_to_have_text(before)
    query = parse_qs(urlsplit(page.url).query)
    assert query["r"] == ["8"]
    assert "q" not in query["on"][0].split("-")
    shown = page.locator(".calc-trained").inner_text()
    page.locator(".language-switch").click()
    page.wait_for_url("**/en/practice/calculator/?**")
    page.wait_for_selector(READY)
    expect(page.locator(".calc-trained")).to_have_text(shown)


def test_an_address_that_makes_no_sense_is_said_and_replaced(visitor: Visitor) -> None:
    page = visitor.profile().new_page()
    visitor.go(page, page_path("calculator") + "?model=<b>x</b>&r=-4&on=q-zz&batch=1e9")
    said = page.locator(".calc-problem").first
    for name in ("model", "r", "on", "batch"):
        expect(said).to_contain_text(name)
    assert page.locator("#practice b:text-is('x')").count() == 0
    expect(page.locator(".calc-trained")).to_be_visible()


def test_impossible_settings_name_the_limit(visitor: Visitor) -> None:
    page = visitor.open("calculator", "en")
    page.get_by_label("Rank r").fill("65536")
    expect(page.locator(".calc-out .calc-problem")).to_contain_text("The rank cannot exceed")
    page.get_by_label("Rank r").fill("16")
    expect(page.locator(".calc-trained")).to_be_visible()


def test_the_bar_the_parts_and_the_words_agree(visitor: Visitor) -> None:
    page = visitor.open("calculator", "en")
    parts = page.locator(".calc-out table tbody tr").count()
    assert parts >= 4
    expect(page.locator(".calc-out")).to_contain_text("RTX 4090")
    expect(page.locator(".calc-out")).to_contain_text("How to say it")
    for name in ("how", "how-memory"):
        page.locator(f".calc-{name} summary").click()
        assert page.locator(f".calc-{name} table tbody tr").count() >= 4
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_the_drill_keeps_the_time_and_shows_the_way(visitor: Visitor) -> None:
    page = visitor.profile().new_page()
    page.clock.install()
    visitor.go(page, page_path("calculator", "en") + "?drill=11")
    asked = page.locator(".drill-ask").inner_text()
    truth = page.evaluate("import('/app/calculator-drill.js').then(({ drill }) => drill(11))")
    assert truth["ask"]["en"] == asked
    page.locator(".drill-begin").click()
    page.clock.run_for(31_000)
    expect(page.locator(".drill-left")).to_contain_text("Thirty seconds are over")
    page.locator(".drill-form input").fill(json.dumps(truth["answer"] * 1.1))
    page.locator(".drill-form button").click()
    expect(page.locator(".drill-verdict")).to_contain_text("Good enough, off by +10%")
    assert page.locator(".drill-steps li").all_inner_texts() == truth["steps"]["en"]
    page.locator(".drill-next").click()
    assert page.locator(".drill-steps li").count() == 0
    page.locator(".drill-form input").fill(json.dumps(1e9))
    page.locator(".drill-form button").click()
    expect(page.locator(".drill-verdict")).to_contain_text("1/2")
    # The number decides the question: the same one again asks the same.
    page.locator(".drill-number").fill("11")
    page.locator(".drill-number").press("Tab")
    expect(page.locator(".drill-ask")).to_have_text(asked)
