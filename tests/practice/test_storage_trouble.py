"""When the store misbehaves: two tabs, broken records, a broken or newer database, a full disk, storage refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.practice.visitor import Visitor, counts, page_path, stored

pytestmark = pytest.mark.browser
REFUSE = (
    """Object.defineProperty(window, "indexedDB", { get() { throw new DOMException("refused", "SecurityError"); } });"""
)
FULL = """
const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (...given) {
  if (window.full) throw new DOMException("no room", "QuotaExceededError");
  return put.apply(this, given);
};
"""


def grade_first(page: Page, number: int = 4) -> str:
    if page.locator("[data-act=start]").count():
        page.locator("[data-act=start]").click()
    name = str(page.locator(".card").get_attribute("data-id"))
    page.locator(".card-go .primary").click()
    page.locator(f"[data-grade='{number}']").click()
    expect(page.locator(f".card[data-id='{name}'] .card-back")).to_have_count(0)
    return name


def rescue(page: Page, folder: Path) -> dict:
    """Press the button that the warning brings, and read the file."""
    with page.expect_download() as download:
        page.locator("[data-act=rescue]").click()
    download.value.save_as(folder / "rescued.json")
    return json.loads((folder / "rescued.json").read_text(encoding="utf-8"))


def test_two_tabs_do_not_overwrite_each_other(visitor: Visitor) -> None:
    one = visitor.open("cards")
    two = visitor.open("cards", context=one.context)
    for page in (one, two):
        page.locator("[data-act=start]").click()
        page.locator(".card-go .primary").click()
    name = one.locator(".card").get_attribute("data-id")
    assert two.locator(".card").get_attribute("data-id") == name
    one.locator("[data-grade='1']").click()
    # The other tab drops the card that was graded here, says so, and counts anew.
    expect(two.locator(".notice-warning")).to_contain_text("另一个标签页")
    expect(two.locator(f".card[data-id='{name}']")).to_have_count(0)
    assert counts(two) == counts(one) == {"due": 0, "learning": 1, "fresh": 9}
    assert [review["grade"] for review in stored(one)["reviews"]] == [1]


def test_a_tab_that_heard_nothing_is_refused_when_it_writes(visitor: Visitor) -> None:
    """As when messages between tabs are lost: the store itself notices."""
    one = visitor.open("cards")
    two = visitor.profile_page(one.context, "delete window.BroadcastChannel;", "cards")
    for page in (one, two):
        page.locator("[data-act=start]").click()
        page.locator(".card-go .primary").click()
    one.locator("[data-grade='4']").click()
    expect(one.locator(".card-back")).to_have_count(0)
    two.locator("[data-grade='1']").click()
    expect(two.locator(".notice-warning")).to_contain_text("这里没有覆盖它")
    assert [review["grade"] for review in stored(one)["reviews"]] == [4]


def test_a_broken_record_is_set_aside_and_leaves_with_the_export(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open("cards")
    kept, broken = grade_first(page), grade_first(page)
    page.evaluate(
        """id => new Promise(resolve => { indexedDB.open("lora-practice").onsuccess = ({ target: { result } }) => {
            const rows = result.transaction("cards", "readwrite").objectStore("cards");
            rows.get(id).onsuccess = event => {
              rows.put({ ...event.target.result, due: "<b>soon</b>" }).onsuccess = () => { result.close(); resolve(); };
            }; }; })""",
        broken,
    )
    visitor.again(page)
    expect(page.locator(".notice-warning")).to_contain_text("已经移到一边，没有删")
    found = stored(page)
    assert [card["id"] for card in found["cards"]] == [kept]
    assert [(row["table"], row["value"]["id"]) for row in found["aside"]] == [("cards", broken)]
    visitor.go(page, page_path("progress"))
    expect(page.locator(".aside-note")).to_contain_text("另有 1 条")
    with page.expect_download() as download:
        page.locator("[data-act=export]").click()
    download.value.save_as(tmp_path / "progress.json")
    assert json.loads((tmp_path / "progress.json").read_text())["aside"][0]["value"]["due"] == "<b>soon</b>"


def create(page: Page, version: int) -> None:
    """A database of this name and version with a table that is not ours."""
    page.evaluate(
        """version => new Promise(resolve => { const request = indexedDB.open("lora-practice", version);
            request.onupgradeneeded = () => request.result.createObjectStore("foreign");
            request.onsuccess = () => { request.result.close(); resolve(); }; })""",
        version,
    )


def test_a_database_that_cannot_be_read_is_left_alone(visitor: Visitor) -> None:
    page = visitor.profile().new_page()
    page.goto(visitor.address)
    create(page, 2)
    visitor.go(page, page_path("cards"))
    expect(page.locator(".notice-warning")).to_contain_text("原样留在浏览器里")
    grade_first(page)
    visitor.again(page)
    assert counts(page)["fresh"] == 9, "what was graded since is kept"
    names = page.evaluate("indexedDB.databases().then(all => all.map(one => one.name).sort())")
    assert names == ["lora-practice", "lora-practice-2"]
    assert set(stored(page)) == {"foreign"}


def test_a_newer_database_is_neither_read_nor_written(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.profile().new_page()
    page.goto(visitor.address)
    create(page, 99)
    visitor.go(page, page_path("cards", "en"))
    expect(page.locator(".notice-warning")).to_contain_text("newer version")
    name = grade_first(page)
    assert [card["id"] for card in rescue(page, tmp_path)["cards"]] == [name]
    assert set(stored(page)) == {"foreign"}


@pytest.mark.parametrize(
    ("lang", "said"), [("zh", "浏览器不让本页保存数据"), ("en", "does not let this page store anything")]
)
def test_refused_storage_is_said_plainly_and_one_can_still_practise(
    visitor: Visitor, tmp_path: Path, lang: str, said: str
) -> None:
    page = visitor.profile_page(visitor.profile(), REFUSE, "cards", lang)
    expect(page.locator(".notice-warning")).to_contain_text(said)
    name = grade_first(page)
    saved = rescue(page, tmp_path)
    assert [card["id"] for card in saved["cards"]] == [name]
    # The file comes in where storage is allowed.
    other = visitor.open("progress", lang)
    other.locator("#import-file").set_input_files(tmp_path / "rescued.json")
    expect(other.locator(".totals dd").first).to_have_text("1")


def test_a_full_disk_loses_nothing_of_this_page(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.profile_page(visitor.profile(), FULL, "cards")
    names = [grade_first(page)]
    page.evaluate("window.full = true")
    names += [grade_first(page), grade_first(page)]
    expect(page.locator(".notice-warning")).to_have_count(1)
    expect(page.locator(".notice-warning")).to_contain_text("存储空间满了")
    assert sorted(card["id"] for card in rescue(page, tmp_path)["cards"]) == sorted(names)
    assert [card["id"] for card in stored(page)["cards"]] == names[:1], "what was stored before is still there"


def test_a_browser_without_session_storage_only_forgets_on_reload(visitor: Visitor) -> None:
    refuse = REFUSE.replace("indexedDB", "sessionStorage")
    page = visitor.profile_page(visitor.profile(), refuse, "cards")
    grade_first(page)
    visitor.again(page)
    assert counts(page)["fresh"] == 9
    expect(page.locator(".deck-head")).to_be_visible()
