"""The service worker: the site without a network, and a new version that waits until one says "reload"."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from lora_demo.pages.browser import service_worker
from tests.practice.conftest import ROOT
from tests.practice.visitor import PATIENCE, READY, Visitor, page_path
from tests.site_plugin import Site, serve

pytestmark = pytest.mark.browser
# A part of the site, kept within seconds: the practice pages, all that they load, and one of each other kind.
PARTS = ("app", "assets", "practice", "en/assets", "en/practice", "manifest.webmanifest", "en/manifest.webmanifest")
OTHERS = ("q/memory/what-lora-saves", "search", "download/lora-interview-zh.apkg")
# What a site on a device does without: the notebooks, copies of what is there already, and what no page loads.
LEFT_OUT = re.compile(r"notebooks/|\.(map|gz|xml|zip)$|^sw\.js$|/lunr/|workers/search\.")


def kept(page: Page) -> None:
    """Wait until the whole site lies on the device."""
    page.wait_for_selector(".offline-state[data-kept=all]", state="attached", timeout=3 * PATIENCE)


def test_everything_but_the_notebooks_is_kept(site: Site) -> None:
    files = [file.relative_to(site.folder).as_posix() for file in site.folder.rglob("*") if file.is_file()]
    wanted = {name.removesuffix("index.html") for name in files if not LEFT_OUT.search(name)}
    assert set(service_worker.kept_files(site.folder)) == wanted
    pages = {page for page in site.pages() if "notebooks/" not in page}
    assert len(pages) >= 80
    assert pages <= wanted


def test_what_is_kept_works_without_a_network(visitor: Visitor, small_site: tuple[Path, str]) -> None:
    folder, visitor.address = small_site
    context = visitor.profile(service_workers="allow")
    page = visitor.open("cards", context=context)
    kept(page)
    expect(page.locator(".offline-state")).to_contain_text("没网也能用")
    names = set(service_worker.kept_files(folder))
    assert len(names) >= 60
    stored = page.evaluate(
        """async () => (await (await caches.open("lora-files")).keys())
            .map(one => decodeURIComponent(new URL(one.url).pathname.slice(1)))"""
    )
    assert set(stored) == names
    context.set_offline(True)
    for name in ("cards", "interview", "progress", "calculator"):
        visitor.go(page, page_path(name))
        expect(page.locator("#practice > *").first).to_be_visible()
    page.locator(".language-switch").click()
    page.wait_for_url("**/en/practice/calculator/**")
    page.wait_for_selector(READY)
    expect(page.locator(".calc-trained")).to_have_text("39,976,960")
    visitor.go(page, page_path("cards", "en"))
    page.locator("[data-act=start]").click()
    page.locator(".card-go .primary").click()
    page.locator("[data-grade='3']").click()
    expect(page.locator(".card-back")).to_have_count(0)
    # A question's page, the search, a download.
    page.goto(f"{visitor.address}q/memory/what-lora-saves/")
    expect(page.locator(".answer.sixty-seconds")).to_be_visible()
    page.locator("[data-md-component=search-query]").fill("rank")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    assert page.evaluate("fetch('/download/lora-interview-zh.apkg').then(r => r.ok)")
    # What is not there leads to something that is.
    page.goto(f"{visitor.address}notebooks/lora-from-scratch/")
    page.wait_for_url("**/practice/cards/#offline")
    # What failed is that page, and the sitemap that the theme asks for.
    known = ("ERR_INTERNET_DISCONNECTED", "Network error")
    visitor.faults[:] = [fault for fault in visitor.faults if not any(part in fault for part in known)]


@pytest.fixture
def small_site(site: Site, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A part of the site that may be changed, on a server of its own."""
    for part in (*PARTS, *OTHERS):
        source, target = site.folder / part, tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    (tmp_path / "404.html").write_text("not there", encoding="utf-8")
    publish(tmp_path)
    server = serve(tmp_path)
    yield tmp_path, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def publish(folder: Path) -> None:
    """The worker for what lies in the folder now, as the build writes it."""
    source = (ROOT / "docs" / "practice" / "sw.js").read_text(encoding="utf-8")
    (folder / "sw.js").write_text(service_worker.service_worker(folder, source, False), encoding="utf-8")


def new_version(context: BrowserContext, page: Page) -> Page:
    """Ask for the worker again, as the browser does by itself from time to time."""
    page.evaluate("navigator.serviceWorker.getRegistration().then(found => found.update())")
    return page


def test_a_new_version_waits_until_one_reloads(visitor: Visitor, small_site: tuple[Path, str]) -> None:
    folder, visitor.address = small_site
    context = visitor.profile(service_workers="allow")
    page = visitor.open("cards", context=context)
    kept(page)
    visitor.again(page)
    index = folder / "practice" / "cards" / "index.html"
    before = index.read_text(encoding="utf-8")
    index.write_text(before.replace("<h1", "<p class='newer'>second edition</p><h1", 1), encoding="utf-8")
    publish(folder)
    page.locator("[data-act=start]").click()
    page.locator(".own-answer").fill("in the middle of an answer")
    new_version(context, page)
    offer = page.locator(".new-version")
    expect(offer).to_contain_text("网站有新版本")
    # Until then everything stays of one version, even after a reload.
    visitor.again(page)
    expect(page.locator(".newer")).to_have_count(0)
    expect(offer).to_be_visible()
    expect(page.locator(".own-answer")).to_have_value("in the middle of an answer")
    with page.expect_navigation():
        offer.get_by_role("button", name="刷新").click()
    page.wait_for_selector(READY)
    expect(page.locator(".newer")).to_have_text("second edition")
    expect(page.locator(".own-answer")).to_have_value("in the middle of an answer")
    expect(page.locator(".new-version")).to_have_count(0)
    # The new version is whole without a network too, and the old one is gone from the device.
    kept(page)
    context.set_offline(True)
    visitor.again(page)
    expect(page.locator(".newer")).to_have_text("second edition")
    old = page.evaluate("caches.open('lora-files').then(store => store.keys()).then(keys => keys.length)")
    assert old == len(service_worker.kept_files(folder))


def test_the_site_can_be_installed(visitor: Visitor) -> None:
    """Chromium finds a manifest without errors, in both languages, and one start page each."""
    for lang in ("zh", "en"):
        page = visitor.open("cards", lang)
        session = page.context.new_cdp_session(page)
        found = session.send("Page.getAppManifest")
        assert found["errors"] == []
        manifest = page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then(r => r.json())")
        assert manifest["display"] == "standalone"
        start = page.evaluate("([at, start]) => new URL(start, at).href", [found["url"], manifest["start_url"]])
        assert start == visitor.address + page_path("cards", lang)
        errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
        # Each test's profile is one that forgets, in which Chromium installs nothing.
        assert {error["errorId"] for error in errors} <= {"in-incognito"}
