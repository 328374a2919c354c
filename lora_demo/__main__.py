"""The command line. Commands import what they need when they run, so that the site's commands never load torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lora_demo.commands.bench import bench_app
from lora_demo.commands.memory_records import memory_app

app = typer.Typer(
    name="lora-demo",
    help="Verified interview preparation for LoRA and parameter-efficient fine-tuning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Training data: what is wrong with it.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")
app.add_typer(memory_app, name="memory")


@app.callback()
def main() -> None:
    """Exit codes: 0 fine, 1 a check failed, 2 bad input."""


@data_app.command("check")
def data_check(
    file: Annotated[Path, typer.Argument(help="JSON list of items: id, image, conversations.")],
    images: Annotated[Path, typer.Option("--images", help="Folder that the image paths start from.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    headers_only: Annotated[
        bool, typer.Option("--headers-only", help="Read only the headers of pictures: fast, misses cut-off files.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="Kind of problem that only warns, e.g. duplicate-id; repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Preset whose length limit is checked: mgm-nano or mgm-2b.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="Folder with the model's tokenizer (mgm-nano has one built in).")
    ] = None,
) -> None:
    """List every problem of a data file: item, field, path. Exit 0: none, 1: errors found, 2: not readable as JSON."""
    from lora_demo.commands import data_check as command

    raise typer.Exit(
        command.run(
            file,
            images,
            as_json=as_json,
            decode=not headers_only,
            allow=allow or (),
            model=model,
            tokenizer_dir=tokenizer,
        )
    )


@app.command("notebook")
def notebook(
    names: Annotated[list[str] | None, typer.Argument(help="Sources in docs/notebooks without .py; none: all.")] = None,
) -> None:
    """Run the notebooks' sources and write the Chinese and the English notebook with their outputs."""
    from lora_demo.commands import notebook as command

    try:
        paths = command.write(names or [])
    except command.BadSource as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for path in paths:
        typer.echo(path)


@app.command()
def figures(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or patterns such as 'mgm2b.lora.*'; none: all.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with what comes out now; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Recompute the named results and write qa/figures.json, or check it."""
    from rich.console import Console

    from lora_demo.figures.command import run
    from lora_demo.results.paths import figures_file

    code = run(
        figures_file(), names or [], check=check, as_json=as_json, console=Console(), errors=Console(stderr=True)
    )
    raise typer.Exit(code)


pages_app = typer.Typer(help="The question bank and the pages made from it.", no_args_is_help=True)
app.add_typer(pages_app, name="pages")


@pages_app.command("check")
def pages_check(as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False) -> None:
    """Check questions, figures in text, links, ledger and coverage without building the site."""
    from lora_demo.pages.report import report
    from lora_demo.results.paths import project_root

    text, count = report(project_root(), as_json)
    typer.echo(text)
    raise typer.Exit(1 if count else 0)


@pages_app.command("index")
def pages_index() -> None:
    """Write the README's index of questions afresh. Exit 2: the README has no place for it."""
    from lora_demo.pages import content, readme
    from lora_demo.results.paths import project_root

    try:
        changed = readme.write_index(project_root() / "README.md", content.load(project_root()))
    except readme.NoMarkers as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo("README.md: index written" if changed else "README.md: index is current")


@app.command("new-question")
def new_question_command(
    question_id: Annotated[str, typer.Argument(metavar="TOPIC.SLUG", help="for example memory.what-lora-saves")],
) -> None:
    """Write a new question file with every field and section, ready to fill in."""
    from lora_demo.pages.content import load
    from lora_demo.pages.new_question import RefusedQuestion, new_question
    from lora_demo.results.paths import project_root

    root = project_root()
    try:
        file = new_question(root, load(root).topics, question_id)
    except RefusedQuestion as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{file.relative_to(root)}: fill it in, then run `lora-demo pages check`")


@app.command()
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


@app.command()
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

    Exit 0: ran, 1: out of memory (a record as well), 2: bad recipe, sizes or card. --matrix goes on where it stopped.
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


@app.command()
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


@app.command()
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


@app.command()
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
            as_json=as_json,
        )
    )


@app.command()
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


@app.command()
def lab(
    experiments: Annotated[
        list[str] | None, typer.Argument(metavar="[EXPERIMENT]...", help="Which to run; none: list them.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field of every recipe, e.g. steps=20; repeatable.")
    ] = None,
    images: Annotated[int, typer.Option("--images", min=1, help="Held-out pictures per family.")] = 400,
    record: Annotated[bool, typer.Option("--record", help="Write what was measured to qa/records.")] = False,
) -> None:
    """Experiments on mgm-nano, as JSON. Exit 0: measured, 1: a run had to stop, 2: no such experiment, bad setting."""
    from lora_demo.commands import lab as command

    if not experiments:
        typer.echo(command.listing())
        return
    raise typer.Exit(command.start(experiments, settings or (), images, record=record))


@app.command("predict")
def predict_command(
    model: Annotated[str, typer.Option(help="mgm-2b, gemma-2b, llama-3.2-3b, or a folder with config.json.")],
    peft: Annotated[
        str, typer.Option(help="full, one of our methods (lora:r=16,targets=all), or a PEFT adapter folder.")
    ],
    batch: Annotated[int, typer.Option(help="Rows.")] = 1,
    seq: Annotated[int, typer.Option(help="Positions per row, image tokens included.")] = 1024,
    loop: Annotated[str, typer.Option(help="ours, plain, or published (PEFT's comparison, batch 4).")] = "ours",
    optimizer: Annotated[
        str, typer.Option(help="AdamW: foreach, fused, for-loop, adamw8bit or paged-adamw8bit.")
    ] = "foreach",
    checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Recompute activations.")] = False,
    selected_logits: Annotated[
        int | None, typer.Option(help="Compute logits at this many supervised positions per row only.")
    ] = None,
    no_autocast_adapter: Annotated[
        bool, typer.Option("--no-autocast-adapter", help="Adapters in the base's dtype instead of float32.")
    ] = False,
    accumulation: Annotated[int, typer.Option(min=1, help="Micro-batches per update.")] = 1,
    base: Annotated[str, typer.Option(help="Frozen base: bf16, or bitsandbytes' nf4 or int8.")] = "bf16",
    loss_chunk: Annotated[
        int | None, typer.Option(help="Form the loss at so many supervised positions at a time, without logits.")
    ] = None,
    feedforward_tile: Annotated[
        int | None, typer.Option(help="Run each feed-forward so many positions at a time, recomputing each tile.")
    ] = None,
    shards: Annotated[int, typer.Option(help="Devices that share weights and state under FSDP, on paper.")] = 1,
    gpu: Annotated[str, typer.Option(help="Card whose budget is compared.")] = "rtx4090",
    as_json: Annotated[bool, typer.Option("--json", help="Bytes, as JSON.")] = False,
) -> None:
    """Peak memory of a training step on a GPU, without one. Exit 0: predicted, 2: bad input."""
    from lora_demo.commands import predict as command
    from lora_demo.memory.predict import Setting

    setting = Setting(
        model=model,
        method=peft,
        batch=batch,
        length=seq,
        loop=loop,  # pyright: ignore[reportArgumentType]  checked by the command, which names the choices
        optimizer=optimizer,  # pyright: ignore[reportArgumentType]
        checkpointing=checkpointing,
        supervised=selected_logits,
        adapter_fp32=not no_autocast_adapter,
        accumulation=accumulation,
        gpu=gpu,
        base=base,  # pyright: ignore[reportArgumentType]
        loss_chunk=loss_chunk,
        feedforward_tile=feedforward_tile,
        shards=shards,
    )
    raise typer.Exit(command.run(setting, as_json=as_json))


@app.command()
def plan(
    model: Annotated[str, typer.Option(help="A preset, or a folder with config.json of a gated decoder.")],
    gpu: Annotated[str, typer.Option(help="Card: 8gb, 12gb, 16gb, rtx4090, l40s, a100-40gb, …")] = "rtx4090",
    seq: Annotated[int, typer.Option(min=1, help="Positions per row, image tokens included.")] = 1024,
    supervised: Annotated[
        int, typer.Option(min=1, help="Supervised positions per row, where logits are computed only there.")
    ] = 128,
    trace: Annotated[bool, typer.Option("--trace/--no-trace", help="Confirm the first proposal by a trace.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Bytes, as JSON.")] = False,
) -> None:
    """Which configurations fit a card, cheapest savers first. Exit 0: one fits, 1: none does, 2: bad input."""
    from lora_demo.commands import plan as command

    raise typer.Exit(command.run(model, gpu, seq, supervised, trace=trace, as_json=as_json))


if __name__ == "__main__":
    app()
