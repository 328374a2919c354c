"""A copy of the content that a test may damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lora_demo.results.paths import project_root


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with copies of figures.json and literature.yaml, which the commands then work on."""
    here = tmp_path / "qa"
    here.mkdir()
    for name in ("figures.json", "literature.yaml"):
        shutil.copy(project_root() / "qa" / name, here / name)
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def figures_copy(repository: Path) -> Path:
    return repository / "qa" / "figures.json"
