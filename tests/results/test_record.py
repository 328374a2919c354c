"""A record keeps a run as it was."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from lora_demo.results.record import Record, RecordError, installed_versions, today


def test_saved_run_is_read_back(tmp_path: Path) -> None:
    """Every field survives."""
    run = Record("rank", {"r": 8}, {"loss": [1.5, 1.25]}, 3, "cpu", {"torch": "2.13.0"}, "2026-01-02", {"zh": "注"})
    path = run.save(tmp_path)
    assert path.name == "rank.json"
    assert Record.load(path) == run


@pytest.mark.parametrize("text", ["{", '{"name": "x"}', '{"name": "x", "surprise": 1}'])
def test_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    path = tmp_path / "rank.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=r"rank\.json: not a record"):
        Record.load(path)


def test_versions_and_date_are_those_of_now() -> None:
    """The measuring libraries that are here, and an ISO date."""
    assert {"python", "torch", "transformers"} <= set(installed_versions())
    assert datetime.date.fromisoformat(today())
