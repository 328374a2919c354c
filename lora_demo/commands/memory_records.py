"""`lora-demo memory …`: the records behind the memory pages, and the closed form's coefficients."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

memory_app = typer.Typer(help="Records and coefficients behind the memory pages.", no_args_is_help=True)


@memory_app.command("closed-form")
def closed_form(only: Annotated[str, typer.Argument(help="Start of the variants to read.")] = "") -> None:
    """Read the closed form off traced steps and write lora_demo/memory/formula/closed_form.json (minutes).

    Exit 2: no variant begins so; nothing is written.
    """
    from lora_demo.memory.formula.closed_form import OutOfForm
    from lora_demo.memory.formula.closed_form_file import write

    try:
        write(typer.echo, only)
    except OutOfForm as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


@memory_app.command("validate")
def validate() -> None:
    """Predict every open published run and write qa/records/memory-validation.json. Exit 1: a bound is broken."""
    record = validation_record(typer.echo)
    _save(record)
    errors = [abs(run["error"]) for run in record["samples"]["runs"].values()]
    median, most = statistics.median(errors), statistics.quantiles(errors, n=20, method="inclusive")[-1]
    typer.echo(f"median {median:.2%}, 95th percentile {most:.2%}, worst {max(errors):.2%}")
    raise typer.Exit(median > 0.01 or most > 0.03 or max(errors) > 0.05)


@memory_app.command("waterfall")
def waterfall() -> None:
    """Trace full fine-tuning with one more saver at a time and write qa/records/memory-waterfall.json."""
    _save(waterfall_record(typer.echo))


@memory_app.command("closed-form-check")
def closed_form_check() -> None:
    """Hold the closed form against the trace on drawn settings and write qa/records/memory-closed-form.json.

    What the allocator reserves beyond the formula goes into the closed form as its slack. Exit 1: a peak is off by more
    than the limit.
    """
    from lora_demo.memory.formula.closed_form_check import LIMIT, compare_drawn, slack
    from lora_demo.memory.formula.closed_form_file import write_slack

    samples = compare_drawn(typer.echo)
    _save({"name": "memory-closed-form", "configuration": {"limit": LIMIT}, "samples": samples})
    write_slack(slack(samples["drawn"]))
    raise typer.Exit(max(abs(one["error"]) for one in samples["drawn"]) > LIMIT)


@memory_app.command("compare")
def compare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RECORD]...", help="Names or paths; all GPU records if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Hold steps that `lora-demo measure --record` took on a GPU against their prediction, made from the recipe alone.

    Exit 0: compared, 2: no such record, none that was measured on a GPU, or one whose recipe cannot be traced.
    """
    from lora_demo.commands.refusals import BAD_INPUT
    from lora_demo.memory import measured_runs
    from lora_demo.results.paths import records_dir
    from lora_demo.results.record import RecordError

    try:
        found = [measured_runs.compare(record) for record in measured_runs.records(records_dir(), names or ())]
    except (RecordError, *BAD_INPUT) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if not found:
        words = "make one on the card: lora-demo measure RECIPE --record"
        typer.echo(f"{records_dir()} holds no record that was measured on a GPU; {words}", err=True)
        raise typer.Exit(2)
    typer.echo(json.dumps([one.to_json() for one in found], indent=1) if as_json else "\n".join(map(str, found)))


def validation_record(report: Callable[[str], None]) -> dict[str, Any]:
    """Every open run: measured, predicted, and what the rules of thumb say."""
    from lora_demo.memory.published_runs import compare, published_runs
    from lora_demo.memory.rules_of_thumb import said
    from lora_demo.memory.tracing.published_lengths import BATCH, BEFORE_EVALUATION, LONGEST, SHORTEST_BEFORE
    from lora_demo.results.paths import records_dir

    runs = {}
    for run in published_runs(records_dir()):
        found = compare(run)
        runs[run.name] = {
            "measured": run.reserved,
            "predicted": found.predicted,
            "error": found.error,
            "seconds": round(found.seconds, 1),
            "trainable": [found.trainable, run.trainable],
            "rules": said(run.trainable, full=run.adapter_config is None),
        }
        report(f"{run.name}: {found.error:+.2%}")
    lengths = {"batch": BATCH, "longest": LONGEST, "shortest_before": SHORTEST_BEFORE}
    lengths["before_evaluation"] = BEFORE_EVALUATION
    configuration = {"loop": "published", **lengths, "seconds": "of processor time"}
    return {"name": "memory-validation", "configuration": configuration, "samples": {"runs": runs}}


def waterfall_record(report: Callable[[str], None]) -> dict[str, Any]:
    """Peak and parts of each step of the way, and what is alive at the first and the last peak."""
    from lora_demo.memory.cards import card
    from lora_demo.memory.predict import explain
    from lora_demo.memory.tracing.alive import tree
    from lora_demo.memory.waterfall import STEPS

    steps, trees = [], {}
    cards = {said: card(name).budget for said, name in (("6 GB", "6gb"), ("8 GB", "8gb"), ("RTX 4090", "rtx4090"))}
    for name, setting in STEPS.items():
        trace, replay = explain(setting)
        peaks = {"peak": replay.peak_allocated, "reserved": replay.peak_reserved}
        steps.append({"name": name, "setting": asdict(setting), **peaks, "parts": replay.parts})
        if name in (next(iter(STEPS)), list(STEPS)[-1]):
            trees[name] = tree(trace, replay)
        report(f"{name}: {replay.peak_allocated / 2**30:.2f} GiB")
    return {
        "name": "memory-waterfall",
        "configuration": {"kind": "predicted"},
        "samples": {"steps": steps, "alive": trees, "cards": cards},
    }


def _save(parts: dict[str, Any]) -> None:
    from lora_demo.results.paths import records_dir
    from lora_demo.results.record import Record, installed_versions, today

    record = Record(
        **parts, seed=None, device="none: traced on the meta device", versions=installed_versions(), date=today()
    )
    typer.echo(record.save(records_dir()))
