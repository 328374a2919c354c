"""The progress page: export, wipe, import, files that must be refused, and markup in every field that holds text."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.practice.visitor import DAY, MONDAY, Visitor, page_path, stored

pytestmark = pytest.mark.browser
NOW = int(MONDAY.timestamp() * 1000)
MARKUP = "<img src=x onerror=\"document.body.dataset.owned='yes'\"><script>document.body.dataset.owned='yes'</script>"


def card(name: str, days: int, at: int = NOW) -> dict[str, Any]:
    """A card under review whose next day is `days` after the Monday."""
    fields = {"stability": 9.5, "difficulty": 5.5, "state": 2, "step": 0, "days": 21, "reps": 4, "lapses": 0, "rev": 4}
    return {"id": name, "due": at + days * DAY, "last": at - 5 * DAY, **fields}


def review(name: str, ago: int, number: int, grade: int = 3) -> dict[str, Any]:
    return {"key": f"k{ago}-{number}", "id": name, "at": NOW - ago * DAY, "grade": grade, "ms": 9000, "before": None}


def interview(notes: str) -> dict[str, Any]:
    asked = {"id": "principles.what-is-lora", "from": "", "depth": 0, "limit": 150, "seconds": 90, "strength": 1}
    facts = {"key": "i-1", "at": NOW - DAY, "seed": 7, "role": "training", "level": "mid", "minutes": 15}
    return {**facts, "asked": [{**asked, "hit": [0], "notes": notes}]}


def progress_file(**changed: Any) -> dict[str, Any]:
    """What an export holds: three cards, four reviews, an interview, settings."""
    # In the order in which a store lists them.
    names = ("math.lora-formula", "memory.estimate-7b", "principles.what-is-lora")
    deck = {"topics": ["memory"], "levels": [], "asked": 0}
    return {
        "app": "lora-practice",
        "form": 2,
        "at": NOW,
        "cards": [card(name, days) for name, days in zip(names, (2, 2, -3), strict=True)],
        "reviews": [
            review(names[1], 9, 4),
            review(names[1], 1, 3, grade=1),
            review(names[2], 0, 1),
            review(names[0], 0, 2),
        ],
        "interviews": [interview("α/r")],
        "settings": {"fresh": 3, "repeated": 60, "retention": 0.9, "keys": True, "deck": deck},
        "aside": [],
        **changed,
    }


def bring(page: Page, content: object) -> None:
    """Choose a file with this content for the import."""
    text = content if isinstance(content, str) else json.dumps(content)
    file = {"name": "progress.json", "mimeType": "application/json", "buffer": text.encode()}
    page.locator("#import-file").set_input_files(file)  # type: ignore[arg-type]  # Playwright's FilePayload
    expect(page.locator(".notice")).not_to_have_count(0)


def opened(visitor: Visitor, lang: str = "zh") -> Page:
    page = visitor.profile().new_page()
    page.clock.set_fixed_time(MONDAY)
    return visitor.go(page, page_path("progress", lang))


def test_export_wipe_import(visitor: Visitor, tmp_path: Path) -> None:
    page = opened(visitor)
    bring(page, progress_file())
    expect(page.locator(".notice").last).to_contain_text("导入完成：3 张卡片，4 次打分，1 场面试")
    before = stored(page)
    assert [len(before[name]) for name in ("cards", "reviews", "interviews")] == [3, 4, 1]
    with page.expect_download() as download:
        page.locator("[data-act=export]").click()
    assert download.value.suggested_filename == "lora-practice-2026-11-23.json"
    download.value.save_as(tmp_path / "progress.json")
    exported = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))
    assert exported == progress_file()

    wipe = page.locator("[data-act=wipe]")
    wipe.click()
    expect(wipe).to_contain_text("再点一次确认")
    assert len(stored(page)["cards"]) == 3, "one press wipes nothing"
    wipe.click()
    expect(page.locator(".notice").last).to_contain_text("清空了")
    assert not any(stored(page).values())
    expect(page.locator(".totals dd").first).to_have_text("0")

    page.locator("#import-file").set_input_files(tmp_path / "progress.json")
    expect(page.locator(".totals dd").first).to_have_text("4")
    assert stored(page) == before
    # Once more: nothing is doubled.
    page.locator("#import-file").set_input_files(tmp_path / "progress.json")
    visitor.again(page)
    assert stored(page) == before


def test_the_pictures_say_what_is_stored(visitor: Visitor) -> None:
    page = opened(visitor, "en")
    bring(page, progress_file())
    assert page.locator(".totals dd").all_inner_texts()[:2] == ["4", "2"]
    days = {
        str(cell.get_attribute("title")): cell.get_attribute("data-depth")
        for cell in page.locator(".heat i[data-depth='1']").all()
    }
    assert set(days) == {"2026-11-23: 2 answers", "2026-11-22: 1 answers", "2026-11-14: 1 answers"}
    expect(page.locator("[role=img]")).to_have_attribute("aria-label", "4 answers in the last 26 weeks")
    forecast = page.locator(".forecast .unseen").all_inner_texts()
    assert len(forecast) == 14
    assert [text for text in forecast if not text.endswith(": 0 due")] == ["2026-11-23: 1 due", "2026-11-25: 2 due"]
    memory = page.locator("tr", has=page.locator("a[href*='topics=memory']")).locator("td").all_inner_texts()
    assert memory[:2] == ["1", "1"]
    page.clock.set_fixed_time(MONDAY + timedelta(days=2))
    visitor.again(page)
    assert page.locator(".forecast .unseen").first.inner_text() == "2026-11-25: 3 due"


REFUSED: dict[str, Any] = {
    "no JSON": ("<html>", "not JSON"),
    "another app": (progress_file(app="anki"), 'app: "anki"'),
    "a newer form": (progress_file(form=3), "form: 3"),
    "no list": (progress_file(cards={}), "cards"),
    "a time that is none": (progress_file(cards=[card("a.b", 0) | {"due": "soon"}]), 'cards[0].due: "soon"'),
    "an id with markup": (progress_file(cards=[card(MARKUP, 0)]), "cards[0].id"),
    "a grade that is none": (progress_file(reviews=[review("a.b", 0, 1, grade=5)]), "reviews[0].grade: 5"),
    "a topic with markup": (
        progress_file(settings={"deck": {"topics": [MARKUP], "levels": [], "asked": 0}}),
        "topics[0]",
    ),
}


def test_a_faulty_file_changes_nothing_and_says_where_it_is_wrong(visitor: Visitor) -> None:
    page = opened(visitor)
    for what, (content, said) in REFUSED.items():
        bring(page, content)
        notice = page.locator(".notice-warning")
        expect(notice).to_contain_text("没有导入，一条都没动")
        expect(notice).to_contain_text(said)
        page.locator(".notice-close").last.click()
        expect(page.locator(".notice")).to_have_count(0)
        assert not any(stored(page).values()), what
    page.locator("#import-file").evaluate(
        """input => {
          const chosen = new DataTransfer();
          chosen.items.add(new File([new Uint8Array(20 * 2 ** 20 + 1)], "large.json"));
          input.files = chosen.files;
          input.dispatchEvent(new Event("change"));
        }"""
    )
    expect(page.locator(".notice-warning")).to_contain_text("文件超过 20 MB")
    assert page.evaluate("document.body.dataset.owned") is None


def texts_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every text in a file."""
    if isinstance(value, str):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in texts_of(item, (*path, key))]


def test_markup_in_every_text_field_stays_text(visitor: Visitor) -> None:
    """Of an imported file every text is replaced by markup in turn: it is refused, or shown as the text that it is."""
    page = opened(visitor)
    places = texts_of(progress_file())
    assert len(places) >= 15
    taken = []
    for place in places:
        content = progress_file()
        inner: Any = content
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = MARKUP
        refused = page.evaluate(
            """async text => {
              const { imported } = await import("../../app/transfer.js");
              try { imported(text); return true; } catch { return false; }
            }""",
            json.dumps(content),
        )
        if refused:
            taken.append(place)
    assert taken == [("interviews", 0, "asked", 0, "notes")], "one field takes free text"
    bring(page, progress_file(interviews=[interview(MARKUP)]))
    visitor.go(page, page_path("interview"))
    page.locator("[data-act=open]").click()
    expect(page.locator(".report-notes")).to_contain_text(MARKUP)
    # The fields that a person types into.
    visitor.go(page, page_path("cards"))
    page.locator("[data-act=start]").click()
    page.locator(".own-answer").fill(MARKUP)
    visitor.again(page)
    expect(page.locator(".own-answer")).to_have_value(MARKUP)
    assert page.evaluate("document.body.dataset.owned") is None
    assert page.locator("#practice img, #practice script").count() == 0
