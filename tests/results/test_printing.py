"""What is printed is shown: nothing in it commands the terminal, and JSON stays JSON."""

from __future__ import annotations

import json

import pytest

from lora_demo.results.printing import is_text, json_text, one_line

COMMANDS = ["\n", "\r", "\x1b[2J", "\x9b2J", "\x7f", "\u202e", "\u2028", "\ud800"]


@pytest.mark.parametrize("text", COMMANDS)
def test_commands_are_shown_as_escapes(text: str) -> None:
    assert one_line(f"a{text}b").isprintable()
    said = json_text({"a": [text, "中文"]}, indent=1)
    assert all(line.isprintable() for line in said.splitlines())
    assert json.loads(said) == {"a": [text, "中文"]}


def test_what_people_write_stays_as_it_is() -> None:
    text = "Zahl? 数字 é 😀"
    assert one_line(text) == text
    assert text in json_text([text])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_word_for_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"loss": value})


@pytest.mark.parametrize(
    ("text", "whole"), [("", True), ("a", True), ("数😀", True), ("a\ud800", False), ("\udc80", False)]
)
def test_half_a_character_is_no_text(text: str, whole: bool) -> None:
    assert is_text(text) is whole
