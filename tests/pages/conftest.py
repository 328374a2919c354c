"""A small, faultless repository to copy and break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from lora_demo.pages.bank.content import Content, load
from lora_demo.pages.bank.problem import Problem
from lora_demo.pages.lint.check import check

# A busy machine is slow, not wrong.
settings.register_profile("pages", deadline=None)
settings.load_profile("pages")

# The fixture repository holds test files of its own, which are data here.
collect_ignore = ["fixtures"]
FIXTURE = Path(__file__).parent / "fixtures" / "repo"
REPOSITORY = "https://example.org/r"


@pytest.fixture
def small_repo(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURE, tmp_path / "repo"))


@pytest.fixture(scope="session")
def small_content() -> Content:
    return load(FIXTURE, REPOSITORY)


@pytest.fixture
def problems_of(small_repo: Path) -> Callable[[], list[Problem]]:
    return lambda: check(load(small_repo, REPOSITORY))
