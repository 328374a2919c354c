"""Node for the practice app's modules, and its pages in a browser that notices what must not happen."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from lora_demo.pages.browser import vendored
from tests.practice.visitor import Visitor
from tests.site_plugin import Site

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def node() -> Run:
    """Runs Node in the repository's root, in a time zone whose clock jumps; the app's packages are there."""
    vendored.ensure(ROOT)
    command = vendored.node()

    def run(*arguments: str, **how: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TZ": "Europe/Berlin", "NO_COLOR": "1"}
        options: dict = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True, "timeout": 240, **how}
        return subprocess.run([*command, *arguments], **options)

    return run


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    """Opens practice pages; what asked another host, broke the content policy or raised fails the test at its end."""
    someone = Visitor(browser, site.address)
    yield someone
    someone.leave()
