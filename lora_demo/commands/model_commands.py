"""What is done with a model, as the command line spells it: train, measure, ask, evaluate, tune, merge, lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

model_app = typer.Typer()


@model_app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, a path to a .yaml file, or `list`.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field, e.g. optimizer.lr=1e-3; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/RECIPE if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest sound checkpoint.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove a run that the folder holds.")] = False,
    as_gpu: Annotated[
        str | None, typer.Option("--as-gpu", help="Cut a larger GPU down to this card's memory, e.g. rtx4090.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train by a recipe. Exit 0: done, 1: the run had to stop, 2: bad recipe, data or weights."""
    from lora_demo.commands import train as command

    if recipe == "list":
        typer.echo(command.listing())
        return
    raise typer.Exit(
        command.start(
            recipe, settings or (), out=out, resume=resume, overwrite=overwrite, as_json=as_json, as_gpu=as_gpu
        )
    )


@model_app.command()
def measure(
    recipe: Annotated[
        str | None, typer.Argument(help="Name of a shipped recipe, or a path to a .yaml file; none with --matrix.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field, e.g. checkpointing=true; repeatable.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps; the first also makes optimizer state.")] = 3,
    length: Annotated[int | None, typer.Option("--length", min=1, help="Positions per row, image included.")] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows of one forward.")] = 1,
    supervised: Annotated[
        int | None, typer.Option("--supervised", min=0, help="Positions per row in the loss; 0: every text position.")
    ] = None,
    as_gpu: Annotated[
        str | None, typer.Option("--as-gpu", help="Cut a larger GPU down to this card's memory, e.g. rtx4090.")
    ] = None,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="The recipe's own weights and data instead of random ones.")
    ] = False,
    matrix: Annotated[
        str | None, typer.Option("--matrix", help="mgm-2b or a .yaml file: measure all of it, each in its own process.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="With --matrix: only list what would run.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Write the record to qa/records.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Take a few real training steps: peak memory, tokens per second, loss. Random weights and data by default.

    Exit 0: ran, 1: stopped early (out of memory is a record as well), 2: bad recipe, sizes or card.
    --matrix goes on where it stopped.
    """
    if (recipe is None) == (matrix is None):
        typer.echo("name a recipe, or a matrix with --matrix; not both", err=True)
        raise typer.Exit(2)
    if matrix is not None:
        from lora_demo.commands import measure_matrix

        raise typer.Exit(measure_matrix.run(matrix, dry=dry))
    from lora_demo.commands import measure as command

    request = command.Request(
        recipe=recipe or "",
        settings=tuple(settings or ()),
        steps=steps,
        length=length,
        batch=batch,
        supervised=supervised,
        as_gpu=as_gpu,
        as_written=as_written,
    )
    raise typer.Exit(command.run(request, record=record, as_json=as_json))


@model_app.command()
def ask(
    question: Annotated[str, typer.Option("--question", help="What to ask.")] = "",
    image: Annotated[
        Path | None, typer.Option("--image", help="The picture; without it the question stands alone.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="nano, a run's folder, or a checkpoint folder.")] = "nano",
    tokenizer: Annotated[Path | None, typer.Option("--tokenizer", help="Folder with the model's tokenizer.")] = None,
    sample: Annotated[Path | None, typer.Option("--sample", help="Write a sample picture for nano and stop.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Ask a model about a picture. Exit 0: answered, 2: bad picture, question or model."""
    from lora_demo.commands import ask as command

    raise typer.Exit(command.run(image, question, model, tokenizer, sample, as_json=as_json))


@model_app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="JSON list of items: id, image, conversations.")],
    images: Annotated[Path, typer.Option("--images", help="Folder that the image paths start from.")],
    model: Annotated[str, typer.Option("--model", help="nano, a run's folder, or a checkpoint folder.")] = "nano",
    tokenizer: Annotated[Path | None, typer.Option("--tokenizer", help="Folder with the model's tokenizer.")] = None,
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Only the first items; all if not given.")] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Items per forward.")] = 1,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="An earlier evaluation (--json) to compare with.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """How many answers of a file a model gives exactly, token by token. Exit 0: done, 1: no memory, 2: bad input."""
    from lora_demo.commands import evaluate as command

    asked = command.Question(file, images, model, tokenizer, rows, batch, baseline)
    raise typer.Exit(command.start(asked, as_json=as_json))


@model_app.command()
def tune(
    search: Annotated[str, typer.Argument(help="Name of a shipped search, a path to a .yaml file, or `list`.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field of the recipe, e.g. steps=100; repeatable.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=0, help="Trials of the study in all; 0 only reports.")
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0, help="Begin no trial after this time.")] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Database URL that machines share; a SQLite file in --out if none.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", help="Name in the storage; the search's if none.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report; runs/tune-SEARCH if none.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Write the finished study to qa/records.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Search methods, ranks, targets, alpha and learning rates; report quality against memory.

    The same command goes on where an earlier one stopped, and on any number of machines that share the storage.
    Exit 0: done, 1: stopped with a reason, 2: bad search, recipe, data or storage.
    """
    from lora_demo.commands import tune as command

    if search == "list":
        typer.echo(command.listing())
        return
    raise typer.Exit(
        command.start(
            search,
            settings or (),
            out=out,
            storage=storage,
            study=study,
            trials=trials,
            minutes=minutes,
            record=record,
            as_json=as_json,
        )
    )


@model_app.command()
def merge(
    adapter: Annotated[Path, typer.Argument(help="A run's folder, a PEFT adapter folder, or one in our own format.")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the merged checkpoint.")],
    base: Annotated[
        str | None, typer.Option("--base", help="Checkpoint folder, or nano; what the run was trained on if not given.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", help="float32, bfloat16 or float16; as the base stores it if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Merge an adapter into its base, check the logits against the unmerged model, then write the checkpoint.

    Exit 0: written, 1: the check failed or there is no room, 2: adapter and base do not fit. Only 0 writes anything.
    """
    from lora_demo.commands import merge as command

    raise typer.Exit(command.start(adapter, base, out, dtype, as_json=as_json))


@model_app.command()
def lab(
    experiments: Annotated[
        list[str] | None, typer.Argument(metavar="[EXPERIMENT]...", help="Which to run; none: list them.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field of every recipe, e.g. steps=20; repeatable.")
    ] = None,
    images: Annotated[int, typer.Option("--images", min=1, max=100_000, help="Held-out pictures per family.")] = 400,
    record: Annotated[bool, typer.Option("--record", help="Write what was measured to qa/records.")] = False,
) -> None:
    """Experiments on mgm-nano, as JSON. Exit 0: measured, 1: a run had to stop, 2: no such experiment, bad setting."""
    from lora_demo.commands import lab as command

    if not experiments:
        typer.echo(command.listing())
        return
    raise typer.Exit(command.start(experiments, settings or (), images, record=record))
