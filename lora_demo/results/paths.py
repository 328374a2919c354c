"""Where the repository's content lives. One place decides it, so that nothing else builds paths from `__file__`."""

from __future__ import annotations

import os
from pathlib import Path


def project_root() -> Path:
    """The checkout that holds `mkdocs.yml` and `qa/`; `LORA_DEMO_ROOT` overrides it (tests point it at a copy)."""
    override = os.environ.get("LORA_DEMO_ROOT")
    return Path(override).resolve() if override else Path(__file__).resolve().parents[2]


def figures_file() -> Path:
    return project_root() / "qa" / "figures.json"


def records_dir() -> Path:
    return project_root() / "qa" / "records"


def questions_dir() -> Path:
    return project_root() / "qa" / "questions"


def literature_file() -> Path:
    return project_root() / "qa" / "literature.yaml"
