"""axe-core finds nothing serious on the pages that matter most, in both themes and both languages."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.site_plugin import Site

pytestmark = pytest.mark.browser
PAGES = ("", "q/memory/what-lora-saves/", "figures/lora/", "ledger/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["", "en/"])
def test_no_serious_violation(browser: Browser, site: Site, scheme: str, language: str) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]  # two of Playwright's literals
    page = context.new_page()
    found = []
    for path in PAGES:
        page.goto(site.address + language + path)
        # The theme fades its bars in; what is measured must stand still.
        page.add_style_tag(content="* { transition: none !important; animation: none !important }")
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                targets = [" ".join(map(str, node["target"])) for node in violation["nodes"][:4]]
                found.append((language + path, violation["id"], targets))
    context.close()
    assert found == []
