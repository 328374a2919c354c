"""What is typed into the search box leads to the right page, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.site.conftest import Site

pytestmark = pytest.mark.browser
QUERIES: dict[str, dict[str, str | list[str]]] = yaml.safe_load(
    (Path(__file__).parent / "queries.yaml").read_text(encoding="utf-8")
)
FOUND = """[...document.querySelectorAll('.md-search-result__item')].slice(0, 3)
    .map(item => new URL(item.querySelector('a').href).pathname)"""


def first_three(page: Page, query: str) -> list[str]:
    """Type the query and read the first three pages listed."""
    box = page.locator("[data-md-component=search-query]")
    box.fill("")
    expect(page.locator(".md-search-result__item")).to_have_count(0)
    box.press_sequentially(query[:1])
    page.keyboard.insert_text(query[1:])
    # The list is drawn anew for each of the two; the last answer is there when the list stands still.
    page.locator(".md-search-result__item").first.wait_for()
    seen, before = page.evaluate(FOUND), None
    while seen != before:
        page.wait_for_timeout(60)
        before, seen = seen, page.evaluate(FOUND)
    return seen


@pytest.mark.parametrize("language", ["zh", "en"])
def test_typed_queries_find_their_page(browser: Browser, site: Site, language: str) -> None:
    root = "/" if language == "zh" else "/en/"
    context = browser.new_context(base_url=site.address)
    page = context.new_page()
    page.goto(root)
    misses = {}
    for query, wanted in QUERIES[language].items():
        pages = [f"{root}q/{one}/" for one in ([wanted] if isinstance(wanted, str) else wanted)]
        found = first_three(page, query)
        if not set(pages) & set(found):
            misses[query] = found
    context.close()
    assert misses == {}


def test_there_are_enough_queries_and_each_names_a_page() -> None:
    assert sum(map(len, QUERIES.values())) >= 60
    assert min(map(len, QUERIES.values())) >= 30
    questions = Path(__file__).parents[2] / "qa" / "questions"
    for queries in QUERIES.values():
        for wanted in queries.values():
            for one in [wanted] if isinstance(wanted, str) else wanted:
                assert (questions / f"{one}.md").is_file(), one


def test_pasted_text_is_searched_too(page: Page, site: Site) -> None:
    page.goto(site.address)
    page.locator("[data-md-component=search-query]").focus()
    page.keyboard.insert_text("全量微调显存")
    expect(page.locator(".md-search-result__item").first).to_be_visible()


def test_nonsense_finds_nothing(page: Page, site: Site) -> None:
    page.goto(site.address)
    box = page.locator("[data-md-component=search-query]")
    box.press_sequentially("zzqxv")
    expect(page.locator(".md-search-result__meta")).to_have_text("没有找到符合条件的结果")
    expect(page.locator(".md-search-result__item")).to_have_count(0)


def test_matches_are_marked_and_nothing_is_injected(page: Page, site: Site) -> None:
    page.goto(site.address)
    page.locator("[data-md-component=search-query]").fill("<img src=x onerror=alert(1)> 秩")
    expect(page.locator(".md-search-result__item mark").get_by_text("秩").first).to_be_visible()
    expect(page.locator(".md-search-result img")).to_have_count(0)
