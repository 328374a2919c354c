"""One `mkdocs build` yields both languages, strictly, quickly, without torch."""

from __future__ import annotations

import re

import pytest

from tests.site_plugin import ROOT, Site

SECONDS = 15
QUESTION_BYTES = 120_000


def test_both_languages_build_without_a_warning(site: Site) -> None:
    """What `strict` turns into a failure; the configuration must have it on."""
    assert re.search(r"^strict: true$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert site.log.count("Building documentation to directory") == 2
    assert [line for line in site.log.splitlines() if "WARNING" in line or "ERROR" in line] == []


@pytest.mark.slow  # on an idle machine; 17 s on a busy one
def test_cold_build_stays_within_its_budget(site: Site) -> None:
    # CPU time, so that a busy machine does not fail it. The languages are built beside each other, so on two idle cores
    # the slower one's is the waiting time.
    assert len(site.cpu) == 2
    assert max(site.cpu) <= SECONDS, f"the cold build took {site.cpu} s of CPU ({site.wall:.1f} s in all)"


def test_every_page_stands_in_both_languages(site: Site) -> None:
    pages = site.pages()
    chinese = {page for page in pages if not page.startswith("en/")}
    english = {page.removeprefix("en/") for page in pages if page.startswith("en/")}
    assert len(chinese) >= 40
    assert chinese == english


def test_pages_speak_their_language(site: Site) -> None:
    assert '<html lang="zh"' in (site.folder / "index.html").read_text(encoding="utf-8")
    assert '<html lang="en"' in (site.folder / "en" / "index.html").read_text(encoding="utf-8")
    assert "LoRA Interview Handbook" in (site.folder / "en" / "index.html").read_text(encoding="utf-8")


def test_no_script_of_ours_stands_inline(site: Site) -> None:
    """The theme has its own few; a page's Markdown must bring none."""
    articles = [
        file.read_text(encoding="utf-8").split("<article", 1)[1].split("</article>", 1)[0]
        for file in site.folder.rglob("*.html")
    ]
    assert len(articles) >= 80
    assert not [a for a in articles if "<script" in a or " onclick=" in a]


def test_a_question_page_stays_small(site: Site) -> None:
    """Its HTML; what all pages share is loaded once."""
    sizes = {file.parent.name: file.stat().st_size for file in site.folder.rglob("q/*/*/index.html")}
    assert len(sizes) >= 40
    assert {name: size for name, size in sizes.items() if size > QUESTION_BYTES} == {}
