"""What is typed into the search box leads to the right page, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.site_plugin import Site

pytestmark = pytest.mark.browser
QUERIES: dict[str, dict[str, str | list[str]]] = yaml.safe_load(
    (Path(__file__).parent / "queries.yaml").read_text(encoding="utf-8")
)
FOUND = """[...document.querySelectorAll('.md-search-result__item')].slice(0, 3)
    .map(item => new URL(item.querySelector('a').href).pathname)"""
# Watches the search worker, so that a test reads the answer to its own query and not to half of it.
WATCH = """
window.Worker = class extends Worker {
  asked = [];
  constructor(url) {
    super(url);
    // Answers come in the order of the queries; the list is drawn before the timeout runs.
    this.addEventListener("message", ({ data }) => {
      if (data.type === 3) setTimeout(query => { window.answered = query; }, 0, this.asked.shift());
    });
  }
  postMessage(message) {
    if (message.type === 2) this.asked.push(message.data);
    super.postMessage(message);
  }
};
"""


def first_three(page: Page, query: str) -> list[str]:
    """Type the query and read the first three pages listed."""
    box = page.locator("[data-md-component=search-query]")
    box.fill(query[:-1])
    page.wait_for_function("query => window.answered === query", arg=query[:-1])
    box.press_sequentially(query[-1])
    page.wait_for_function("query => window.answered === query", arg=query)
    return page.evaluate(FOUND)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_typed_queries_find_their_page(browser: Browser, site: Site, language: str) -> None:
    root = "/" if language == "zh" else "/en/"
    context = browser.new_context(base_url=site.address)
    context.add_init_script(WATCH)
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
    # Typed, not filled in: the theme listens to keys, and a text that comes at once before its index is loaded is lost.
    page.locator("[data-md-component=search-query]").press_sequentially("<img src=x onerror=alert(1)> 秩")
    shown = page.locator(".md-search-result__item mark:visible")  # further matches of a page are folded away
    expect(shown.get_by_text("秩").first).to_be_visible()
    expect(page.locator(".md-search-result img")).to_have_count(0)
