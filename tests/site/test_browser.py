"""What a visitor's browser sees: no other host, no error, the same page in the other language, a helpful 404."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.site_plugin import Site

pytestmark = pytest.mark.browser
HOME_BUDGET = 500_000
PARTS = 6
"""Into which the pages are cut, so that several workers can visit them."""


@pytest.mark.timeout(900)  # some sixty pages each
@pytest.mark.parametrize("part", range(PARTS))
def test_no_page_asks_another_host_and_none_fails(browser: Browser, site: Site, part: int) -> None:
    """Every page of the sitemap and the 404 page, with every request they make and every error they report."""
    context = browser.new_context()
    page = context.new_page()
    asked: set[str] = set()
    faults: list[str] = []
    host = urlsplit(site.address).netloc

    def record(request: Request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob"):
            asked.add(urlsplit(request.url).netloc)

    page.on("request", record)
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    page.on(
        "response", lambda answer: answer.status >= 400 and faults.append(f"{page.url}: {answer.status} {answer.url}")
    )
    # Asked for and recorded on every page, but not transferred two hundred times.
    empty = {"config": {"lang": ["en"], "separator": " ", "pipeline": [], "fields": {}}, "docs": []}
    page.route("**/search_index.json", lambda route: route.fulfill(json=empty))
    assert len(site.pages()) >= 80
    for path in site.pages()[part::PARTS]:
        page.goto(site.address + path)
    assert asked == {host}
    assert faults == []
    context.close()


def test_home_is_light(browser: Browser, site: Site) -> None:
    """Everything the home page transfers, uncompressed, before the search index."""
    for language in ("", "en/"):
        context = browser.new_context()
        page = context.new_page()
        sizes: dict[str, int] = {}
        page.on("response", lambda answer, sizes=sizes: sizes.update({answer.url: len(answer.body())}))
        page.goto(site.address + language, wait_until="networkidle")
        counted = {url: size for url, size in sizes.items() if "search_index" not in url}
        assert len(counted) >= 4
        assert sum(counted.values()) <= HOME_BUDGET, counted
        context.close()


def test_home_offers_three_doors_and_twenty_answers(page: Page) -> None:
    for language in ("", "en/"):
        page.goto(language or "/")
        expect(page.locator(".door-card")).to_have_count(3)
        answers = page.locator(".most-asked > ol > li")
        expect(answers).to_have_count(20)
        assert all(len(text) > 30 for text in answers.all_inner_texts())


@pytest.mark.parametrize("path", ["", "q/hyperparameters/choose-rank/", "ledger/", "topics/memory/", "sheet/"])
def test_language_switch_stays_on_the_page(page: Page, site: Site, path: str) -> None:
    page.goto(site.address + path)
    page.locator(".language-switch").click()
    expect(page).to_have_url(site.address + "en/" + path)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator(".language-switch").click()
    expect(page).to_have_url(site.address + path)


def test_unknown_address_shows_a_page_that_helps(page: Page, site: Site) -> None:
    answer = page.goto(site.address + "q/memory/no-such-question/")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("h1")).to_have_text("这一页不存在")
    expect(page.locator('p[lang="en"]')).to_contain_text("English home page")
    page.goto(site.address + "en/404.html")
    expect(page.locator("h1")).to_have_text("This page does not exist")


def test_themes_differ_and_the_toggle_switches(browser: Browser, site: Site) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]  # two of Playwright's literals
        page = context.new_page()
        page.goto(site.address)
        shades[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.locator("form[data-md-component=palette] label:visible").click()
        shades[scheme + " toggled"] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        context.close()
    assert shades["light"] == shades["dark toggled"]
    assert shades["dark"] == shades["light toggled"]
    assert shades["light"] != shades["dark"]


@pytest.mark.parametrize(
    "path",
    ["", "q/math/lora-formula/", "q/memory/what-lora-saves/", "figures/mgm2b/", "ledger/", "sheet/", "en/by-hand/"],
)
def test_phone_width_never_scrolls_sideways(browser: Browser, site: Site, path: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(site.address + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_sheet_prints_on_exactly_one_page(page: Page, site: Site) -> None:
    for language in ("", "en/"):
        page.goto(f"{site.address}{language}sheet/")
        page.evaluate("document.fonts.ready")
        printed = page.pdf(format="A4", prefer_css_page_size=True, print_background=True)
        assert printed.count(b"/Type /Page\n") == 1, language or "zh"


def test_printing_an_answer_unfolds_its_evidence(page: Page, site: Site) -> None:
    page.goto(site.address + "q/memory/what-lora-saves/")
    evidence = page.locator("details.evidence")
    assert evidence.get_attribute("open") is None
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert evidence.get_attribute("open") is not None
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert evidence.get_attribute("open") is None


def test_figure_card_opens_beside_its_number_and_closes(page: Page, site: Site) -> None:
    page.goto(site.address + "q/memory/what-lora-saves/")
    number = page.locator("a.fig").first
    card = page.locator(".figure-card")
    number.focus()
    page.keyboard.press("Enter")
    expect(card).to_be_visible()
    expect(card).to_contain_text("lora-demo figures " + str(number.get_attribute("data-fig")))
    assert page.url.endswith("/what-lora-saves/")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(number).to_be_focused()
    number.click()
    card.locator(".figure-more").click()
    assert "/figures/" in page.url


def test_code_can_be_copied_and_an_answer_can_be_edited_and_reported(page: Page, site: Site) -> None:
    page.goto(site.address + "q/math/lora-formula/")
    expect(page.locator("button[data-clipboard-target]").first).to_be_attached()
    edit = page.locator(".question-foot a.edit").get_attribute("href") or ""
    report = page.locator(".question-foot a.report").get_attribute("href") or ""
    assert edit.endswith("/edit/main/qa/questions/math/lora-formula.md")
    assert "/issues/new" in report
    assert "math.lora-formula" in report
