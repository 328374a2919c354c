"""The README's index of questions follows the bank."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora_demo.pages import readme
from lora_demo.pages.bank import content

ROOT = Path(__file__).parents[2]


def test_the_readme_lists_every_question() -> None:
    known = content.load(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.with_index(text, known) == text, "run: lora-demo pages index"
    assert sum(question.path in text for question in known.questions.values()) == len(known.questions) >= 25


def test_a_stale_index_is_replaced(tmp_path: Path) -> None:
    known = content.load(ROOT)
    target = tmp_path / "README.md"
    target.write_text(f"before\n{readme.START}\nold\n{readme.END}\nafter\n", encoding="utf-8")
    assert readme.write_index(target, known)
    assert not readme.write_index(target, known)
    assert target.read_text(encoding="utf-8").startswith("before\n")
    assert "old" not in target.read_text(encoding="utf-8")


def test_a_readme_without_markers_says_what_to_add() -> None:
    with pytest.raises(readme.NoMarkers, match="add them"):
        readme.with_index("no place", content.load(ROOT))
