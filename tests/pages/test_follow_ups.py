"""Follow-ups of the real bank: two sentences each, and an interview's worth of depth below the most asked questions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lora_demo.pages.bank.content import Content, load
from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.prose import masked

ROOT = Path(__file__).resolve().parents[2]
LEVELS = 3
DEEP = 15
OPENERS = {"principles.what-is-lora", "project.what-did-you-learn"}  # an interview begins there; nothing leads to them
ANSWERED = re.compile(r"- \*\*(?P<asked>.+?)\*\*(?P<said>.*)→ \S+")
ENDS = {"zh": re.compile(r"[。！？；]"), "en": re.compile(r"[.!?;:](?=\s|$)")}


@pytest.fixture(scope="module")
def content() -> Content:
    return load(ROOT)


def asked_next(content: Content, path: tuple[str, ...]) -> list[str]:
    """The follow-ups of the last question that the interview has not been through yet."""
    return [name for name in content.questions[path[-1]].meta.followups if name not in path]


def paths(content: Content, path: tuple[str, ...], levels: int) -> list[tuple[str, ...]]:
    """Every way to go `levels` questions deeper without meeting a question twice; fewer where it ends before."""
    further = asked_next(content, path) if levels else []
    return [longer for name in further for longer in paths(content, (*path, name), levels - 1)] or [path]


def test_every_road_from_the_most_asked_is_three_levels_deep(content):
    for question in content.most_asked()[:DEEP]:
        roads = paths(content, (question.id,), LEVELS)
        ends_early = [" > ".join(road) for road in roads if len(road) <= LEVELS]
        assert not ends_early, f"these roads end before level {LEVELS}: {ends_early}"
        assert len({name for road in roads for name in road}) > 4 * LEVELS, f"{question.id} goes round in circles"


def test_a_question_has_three_follow_ups_at_least(content):
    assert not [question.id for question in content.questions.values() if len(question.meta.followups) < 3]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_answer_to_a_follow_up_is_two_sentences_or_more(content, lang):
    short = []
    for question in content.questions.values():
        answered = list(ANSWERED.finditer(question.answers[lang]["follow-ups"].text))
        assert len(answered) == len(question.meta.followups), question.path
        short += [
            f"{question.path}: {match['asked']}"
            for match in answered
            if len(ENDS[lang].findall(masked(match["said"]))) < 2
        ]
    assert not short, "answer and reason, in two sentences: " + "; ".join(short)


def test_every_question_leads_on_from_another(content):
    led_to = {name for question in content.questions.values() for name in question.meta.followups}
    assert set(content.questions) - led_to <= OPENERS
