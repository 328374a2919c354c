"""What `lora-demo pages check` prints."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from lora_demo.pages.bank.content import load
from lora_demo.pages.lint.check import check


def report(root: Path, as_json: bool) -> tuple[str, int]:
    """The text to print and the number of problems."""
    content = load(root)
    problems = check(content)
    if as_json:
        return json.dumps([asdict(problem) for problem in problems], ensure_ascii=False, indent=2), len(problems)
    lines = [str(problem) for problem in problems]
    lines.append(f"{len(content.questions)} questions, {len(content.figures)} figures, {len(problems)} problem(s)")
    return "\n".join(lines), len(problems)
