"""The ZIP that every build packs opens from disk: pages, styles, links, language switch and search."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from lora_demo.pages.browser import offline
from tests.site_plugin import Site


def test_links_to_folders_name_their_file() -> None:
    page = (
        '<head></head><a href="../x/">a</a><a href=".">b</a><a href="..#y">c</a><a href="#z">d</a><a href="a.css">e</a>'
    )
    linked = re.findall(r'href="([^"]*)"', offline.from_disk(page, "../"))
    assert linked == ["../x/index.html", "./index.html", "../index.html#y", "#z", "a.css"]
    other = '<a href="https://example.org/x/">a</a><a href="/x/">b</a>'
    assert re.findall(r'href="([^"]*)"', offline.from_disk(other, ""))[0] == "https://example.org/x/"


def test_packing_needs_a_built_site(tmp_path: Path) -> None:
    with pytest.raises(offline.NotBuilt, match="run `mkdocs build` first"):
        offline.pack(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_offline_copy_works_from_disk(browser: Browser, site: Site, tmp_path: Path) -> None:
    with zipfile.ZipFile(site.folder / offline.ARCHIVE) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    home = (tmp_path / offline.FOLDER / "index.html").as_uri()
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(home)
    page.locator(".most-asked a").first.click()
    expect(page.locator(".answer.sixty-seconds")).to_be_visible()
    page.locator(".language-switch").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto(home)
    page.locator("[data-md-component=search-query]").fill("全量微调显存")
    page.locator(".md-search-result__item a").first.click()
    expect(page.locator(".answer.sixty-seconds")).to_be_visible()
    expect(page.locator(".online-only").first).to_be_hidden()
    context.close()
    assert len(asked) >= 10
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
