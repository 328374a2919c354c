"""Node for the practice app's modules: the one that comes as a Python wheel."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lora_demo.pages import vendored

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
