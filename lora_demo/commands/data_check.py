"""`lora-demo data check`: the report of a data file, for people or as JSON."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import typer

from lora_demo.commands.complaint import complain
from lora_demo.data import tokenizer
from lora_demo.data.check import LengthLimit, Report, check
from lora_demo.data.json_index import BrokenFile
from lora_demo.models.config import ConfigError
from lora_demo.models.presets import mgm_preset
from lora_demo.results.printing import json_text, one_line

SHIPPED_FOR = "mgm-nano"


def run(
    file: Path,
    folder: Path,
    *,
    as_json: bool,
    decode: bool,
    allow: Collection[str],
    model: str | None,
    tokenizer_dir: Path | None,
) -> int:
    """Print the report; 0: no errors, 1: at least one, 2: the file, the folder or an option cannot be used."""
    if tokenizer_dir is not None and model is None:
        complain(
            ValueError("--tokenizer is for lengths, which are only checked with --model; give both"), as_json=as_json
        )
        return 2
    try:
        report = check(file, folder, decode=decode, lengths=lengths(model, tokenizer_dir), allow=allow)
    except (BrokenFile, ConfigError, OSError, ValueError) as error:
        complain(error, as_json=as_json, before="cannot check: ")
        return 2
    typer.echo(json_text(report.to_json(), indent=1) if as_json else as_text(report))
    return 1 if report.errors else 0


def lengths(model: str | None, tokenizer_dir: Path | None) -> LengthLimit | None:
    """What is too long for a preset; without a preset, lengths are not looked at."""
    if model is None:
        return None
    config = mgm_preset(model)
    if tokenizer_dir is None and model != SHIPPED_FOR:
        raise ValueError(f"lengths for {model} need its tokenizer: give --tokenizer DIR, or leave --model out")
    found = tokenizer.load(tokenizer_dir) if tokenizer_dir else tokenizer.nano()
    found.require_fits(config.llm.vocab_size)
    limit = config.most_positions
    return LengthLimit(found, config.image_tokens, limit)


def as_text(report: Report) -> str:
    """One line per problem, then the sums and what was not looked at."""
    lines = [str(problem) for problem in report.problems]
    lines.append(f"{one_line(report.file)}: {report.items} items, {report.errors} errors, {report.warnings} warnings")
    lines += [f"  {count} x {kind}" for kind, count in report.kinds.items()]
    if not report.decoded:
        lines.append("  pictures: headers only; a file that is cut off would pass")
    if not report.lengths_checked:
        lines.append("  lengths: not checked; --model mgm-nano, or --model mgm-2b --tokenizer DIR, checks them")
    return "\n".join(lines)
