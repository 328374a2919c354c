"""Somebody who practises in a browser: opens pages, and remembers every fault that a page reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

# A busy machine is slow, not wrong: nothing here waits this long on an idle one.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
# A Monday at ten in Berlin.
MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = 86_400_000
READY = "#practice[data-ready]"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def page_path(name: str, lang: str = "zh") -> str:
    """A practice page from the site's root: `page_path("cards", "en")`."""
    return f"{'en/' if lang == 'en' else ''}practice/{name}/"


class Visitor:
    """Contexts and pages of one test, with everything that went wrong in them."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address
        self.faults: list[str] = []
        self.contexts: list[BrowserContext] = []

    def profile(self, **options: Any) -> BrowserContext:
        """A browser profile of its own; without the offline copy unless `service_workers="allow"`."""
        given = {"base_url": self.address, "service_workers": "block", "timezone_id": "Europe/Berlin", **options}
        context = self.browser.new_context(**given)
        context.set_default_timeout(PATIENCE)
        context.on("request", self._check_host)
        context.on("console", self._check_message)
        context.on("weberror", lambda error: self.faults.append(f"raised: {error.error}"))
        self.contexts.append(context)
        return context

    def open(self, name: str, lang: str = "zh", context: BrowserContext | None = None, **options: Any) -> Page:
        """A practice page that is ready, in a profile of its own or in the one given."""
        page = (context or self.profile(**options)).new_page()
        return self.go(page, page_path(name, lang))

    def profile_page(self, context: BrowserContext, script: str, name: str, lang: str = "zh") -> Page:
        """A practice page in which `script` ran before anything else."""
        page = context.new_page()
        page.add_init_script(script)
        return self.go(page, page_path(name, lang))

    def go(self, page: Page, path: str) -> Page:
        page.goto(self.address + path)
        page.wait_for_selector(READY)
        return page

    def again(self, page: Page) -> Page:
        page.reload()
        page.wait_for_selector(READY)
        return page

    def leave(self) -> None:
        for context in self.contexts:
            context.close()
        assert not self.faults, "\n".join(self.faults)

    def _check_host(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.netloc != urlsplit(self.address).netloc:
            self.faults.append(f"another host: {request.url}")

    def _check_message(self, message: ConsoleMessage) -> None:
        # Chromium reports here what a content policy kept from happening.
        if message.type == "error":
            self.faults.append(f"{message.page.url if message.page else '?'}: {message.text}")


def counts(page: Page) -> dict[str, int]:
    """The due counter: above the deck, or above a card."""
    shown = page.locator(".count dd, .round-left b").all_inner_texts()
    return dict(zip(("due", "learning", "fresh"), map(int, shown), strict=True))


def stored(page: Page) -> dict[str, list[Any]]:
    """All tables of the store, as the browser keeps them."""
    return page.evaluate(
        """async () => {
          const database = await new Promise((resolve, reject) => {
            const request = indexedDB.open("lora-practice");
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
          });
          const rows = name => new Promise(resolve => {
            const request = database.transaction(name).objectStore(name).getAll();
            request.onsuccess = () => resolve(request.result);
          });
          const found = {};
          for (const name of database.objectStoreNames) found[name] = await rows(name);
          database.close();
          return found;
        }"""
    )
