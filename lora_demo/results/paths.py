"""Where the repository's content lives. One place decides it, so that nothing else builds paths from `__file__`."""

from __future__ import annotations

import os
from pathlib import Path


class NotHere(ValueError):
    """The root holds nothing to work on; the message says what is missing and how to name another."""


def project_root() -> Path:
    """The checkout that holds `mkdocs.yml` and `qa/`; `LORA_DEMO_ROOT` overrides it (tests point it at a copy)."""
    override = os.environ.get("LORA_DEMO_ROOT")
    return Path(override).resolve() if override else Path(__file__).resolve().parents[2]


def root_with(pattern: str) -> Path:
    """The root, if a file there fits the pattern: a check of nothing would be green. Raises NotHere."""
    root = project_root()
    if not any(file.is_file() for file in root.glob(pattern)):
        raise NotHere(f"{root} has no {pattern}: the command works in a checkout, or with LORA_DEMO_ROOT naming one")
    return root


def figures_file() -> Path:
    return project_root() / "qa" / "figures.json"


def records_dir() -> Path:
    return project_root() / "qa" / "records"


def questions_dir() -> Path:
    return project_root() / "qa" / "questions"


def literature_file() -> Path:
    return project_root() / "qa" / "literature.yaml"
