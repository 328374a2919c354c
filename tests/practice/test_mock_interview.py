"""A whole mock interview under a clock that the test turns: asking, grading, report, comparison, paper."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.practice.visitor import MONDAY, READY, Visitor, page_path, stored

pytestmark = pytest.mark.browser


def setting_out(visitor: Visitor, lang: str = "zh", minutes: int = 15) -> Page:
    """The page of interviews under a clock of its own, set up and not begun."""
    page = visitor.profile(permissions=["microphone"]).new_page()
    page.clock.install(time=MONDAY)
    visitor.go(page, page_path("interview", lang))
    # From here on time passes only when the test says so.
    page.clock.pause_at(MONDAY + timedelta(minutes=5))
    page.locator(".chip:has(input[value=systems])").click()
    page.locator(".chip:has(input[value=senior])").click()
    page.locator(f".chip:has(input[value='{minutes}'])").click()
    return page


def answer(page: Page, seconds: int, points: int, strength: int) -> str:
    """Take `seconds` over the open question, tick `points` of the rubric and grade it; the question's id."""
    name = str(page.locator(".card").get_attribute("data-id"))
    page.clock.run_for(seconds * 1000)
    page.locator("[data-act=answered]").click()
    expect(page.locator("#card-answer")).to_be_focused()
    for at in range(points):
        page.locator(".rubric input").nth(at).check()
    page.locator(f"[data-strength='{strength}']").click()
    expect(page.locator(f".card[data-id='{name}']")).to_have_count(0)
    return name


def held(page: Page, seconds: int = 130) -> list[str]:
    """A whole interview, answered well and badly in turn; the questions asked."""
    names: list[str] = []
    page.locator("[data-act=begin]").click()
    while page.locator(".card").count():
        names.append(answer(page, seconds, points=1, strength=2 if len(names) % 2 == 0 else 0))
        assert len(names) <= 20
    expect(page.locator(".report")).to_be_visible()
    return names


def test_a_whole_interview(visitor: Visitor) -> None:
    page = setting_out(visitor)
    page.locator("[data-act=begin]").click()
    clock = page.locator(".clock")
    expect(clock).to_contain_text("0:00")
    expect(clock).to_contain_text("全场剩余 15:00")
    page.clock.run_for(65_000)
    expect(clock).to_contain_text("1:05")
    expect(clock).to_contain_text("全场剩余 13:55")
    expect(clock).not_to_have_class(re.compile("clock-over"))
    expect(page.locator(".card-back")).to_have_count(0)
    page.locator(".own-answer").fill("先问 <b>卡</b> & 数据")
    # A reload in the middle of an answer loses neither the notes nor the time.
    page.clock.run_for(20_000)
    visitor.again(page)
    expect(clock).to_contain_text("1:25")
    expect(page.locator(".own-answer")).to_have_value("先问 <b>卡</b> & 数据")
    first = answer(page, 100, points=2, strength=2)
    assert first.startswith("principles."), "it starts broad"
    expect(page.locator(".card-tags")).to_contain_text("追问")
    asked = [first]
    for strength in (0, 1):
        asked.append(answer(page, 90, points=1, strength=strength))
    # The other language goes on with the same question.
    name = page.locator(".card").get_attribute("data-id")
    page.locator(".language-switch").click()
    page.wait_for_url("**/en/practice/interview/")
    page.wait_for_selector(READY)
    assert page.locator(".card").get_attribute("data-id") == name
    expect(clock).to_contain_text("left in all")
    while page.locator(".card").count():
        asked.append(answer(page, 120, points=0, strength=0))
    assert len(set(asked)) == len(asked) >= 6

    [interview] = stored(page)["interviews"]
    assert [one["id"] for one in interview["asked"]] == asked
    assert [one["seconds"] for one in interview["asked"]][:3] == [185, 90, 90]
    assert interview["asked"][1]["from"] == first
    report = page.locator(".report")
    hit = sum(len(one["hit"]) for one in interview["asked"])
    expect(report.locator(".report-score")).to_contain_text(f"Points {hit}/")
    expect(report.locator(".report-score")).to_contain_text("over time")
    assert report.locator(".points .hit").count() == hit == 4
    assert report.locator(".points .missed").count() >= 6
    assert report.locator(".topic-scores li").count() >= 2
    assert report.locator(".weak a[href*='cards/?topics=']").count() >= 1
    expect(report.locator(".report-notes")).to_contain_text("先问 <b>卡</b> & 数据")
    links = report.get_by_role("heading", name="Study next").locator("xpath=following-sibling::ul//a")
    assert 1 <= links.count() <= 6
    assert page.request.get(links.first.evaluate("link => link.href")).ok


def test_going_over_time_shows(visitor: Visitor) -> None:
    page = setting_out(visitor)
    page.locator("[data-act=begin]").click()
    page.clock.run_for(151_000)
    expect(page.locator(".clock")).to_have_class(re.compile("clock-over"))
    expect(page.locator(".clock")).to_contain_text("超时")


def test_interviews_are_compared_repeated_and_forgotten(visitor: Visitor) -> None:
    """The same seed asks the same questions; the later interview stands against the earlier one."""
    page = setting_out(visitor, "en")
    names = held(page)
    page.clock.set_system_time(MONDAY + timedelta(days=2))
    page.locator("[data-act=again]").click()
    again = []
    while page.locator(".card").count():
        strength = 2 if len(again) % 2 == 0 else 0
        again.append(answer(page, 130, points=2, strength=strength))
    assert again == names
    rows = page.locator(".history li")
    assert rows.locator("time").all_inner_texts() == ["2026-11-25", "2026-11-23"]
    hits = [sum(len(one["hit"]) for one in each["asked"]) for each in stored(page)["interviews"]]
    assert sorted(hits) == [len(names), 2 * len(names)]
    expect(rows.first).to_contain_text(re.compile(r"\+\d+ points on the last"))
    rows.nth(1).locator("[data-act=open]").click()
    expect(page.locator(".report-facts")).to_contain_text("2026-11-23")
    page.locator("[data-act=forget]").nth(1).click()
    expect(page.locator(".history li")).to_have_count(1)
    assert len(stored(page)["interviews"]) == 1


def test_a_recording_stays_on_the_device(visitor: Visitor) -> None:
    """Recorded, kept, played from the report; not in the export, and gone with its interview."""
    page = setting_out(visitor)
    page.locator("[data-act=begin]").click()
    page.locator("[data-act=record]").click()
    expect(page.locator("[data-act=record]")).to_have_attribute("aria-pressed", "true")
    answer(page, 30, points=1, strength=1)
    [recording] = page.evaluate(
        """() => new Promise(resolve => { indexedDB.open("lora-practice").onsuccess = ({ target: { result } }) => {
            result.transaction("recordings").objectStore("recordings").getAll().onsuccess = event => {
              result.close();
              resolve(event.target.result.map(({ key, sound }) => [key, sound.size])); }; }; })"""
    )
    assert recording[0].endswith("-0")
    assert recording[1] > 0
    page.locator("[data-act=quit]").click()
    audio = page.locator(".sound audio")
    expect(audio).to_have_count(1)
    assert str(audio.get_attribute("src")).startswith("blob:")
    page.locator("[data-act=back]").click()
    page.locator("[data-act=forget]").click()
    expect(page.locator(".history")).to_have_count(0)
    assert stored(page)["recordings"] == []


def test_without_a_microphone_it_says_so_and_goes_on(visitor: Visitor) -> None:
    page = visitor.profile().new_page()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none here', 'NotFoundError'); };"
    )
    visitor.go(page, page_path("interview"))
    page.locator("[data-act=begin]").click()
    page.locator("[data-act=record]").click()
    expect(page.locator(".recorder-state")).to_contain_text("用不了麦克风：none here")
    answer_now = page.locator("[data-act=answered]")
    answer_now.click()
    expect(page.locator("[data-strength='1']")).to_be_visible()


def test_ending_before_the_first_answer_leaves_no_report(visitor: Visitor) -> None:
    page = setting_out(visitor)
    page.locator("[data-act=begin]").click()
    page.locator("[data-act=quit]").click()
    expect(page.locator("[data-act=begin]")).to_be_visible()
    expect(page.locator(".notice")).to_contain_text("没有报告")
    assert stored(page)["interviews"] == []


def test_the_report_goes_on_paper_without_buttons(visitor: Visitor) -> None:
    page = setting_out(visitor)
    page.locator("[data-act=begin]").click()
    answer(page, 40, points=1, strength=1)
    page.locator("[data-act=quit]").click()
    expect(page.locator(".report")).to_be_visible()
    page.emulate_media(media="print")
    for selector in (".report button", ".md-header", ".offline-state"):
        assert page.locator(selector).evaluate_all("all => all.every(one => !one.checkVisibility())"), selector
    expect(page.locator(".report-score")).to_be_visible()
    printed = page.pdf(format="A4")
    assert 1 <= printed.count(b"/Type /Page\n") <= 3
