"""Where content lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora_demo.results import paths


def test_checkout_is_found_without_help() -> None:
    """The package knows its own repository."""
    assert (paths.project_root() / "pyproject.toml").is_file()
    assert paths.figures_file().is_file()
    assert paths.literature_file().is_file()


def test_another_root_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LORA_DEMO_ROOT moves every path."""
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    assert paths.records_dir() == tmp_path.resolve() / "qa" / "records"
    assert paths.questions_dir() == tmp_path.resolve() / "qa" / "questions"
