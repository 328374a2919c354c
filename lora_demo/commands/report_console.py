"""The console that tables go to: as wide as the terminal, and wide enough where there is none."""

from __future__ import annotations

from rich.console import Console

WIDTH = 160
"""Columns where no terminal says how many it has: Rich would take 80 and cut the cells."""


def report_console() -> Console:
    """For standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    return console
