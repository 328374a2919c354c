"""The command line. Commands import what they need when they run, so that the site's commands never load torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="lora-demo",
    help="Verified interview preparation for LoRA and parameter-efficient fine-tuning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Training data: what is wrong with it.", no_args_is_help=True)
app.add_typer(data_app, name="data")
bench_app = typer.Typer(help="Paired benchmarks.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")


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


@bench_app.command("data")
def bench_data(
    items: Annotated[int, typer.Option("--items", min=1, help="Length of the generated file.")] = 665_000,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Readings per way.")] = 3,
    record: Annotated[bool, typer.Option("--record", help="Write the readings to qa/records.")] = False,
) -> None:
    """Open a long conversation file lazily, beside json.load: seconds and peak memory, printed as JSON."""
    import json

    from lora_demo.commands import bench_data as command

    done = command.run(items, repeats)
    if record:
        command.save(done)
    typer.echo(json.dumps(command.summary(done), indent=1))


@bench_app.command("methods")
def bench_methods(
    rounds: Annotated[int, typer.Option("--rounds", min=5, help="Rounds; each times every variant once.")] = 30,
    layers: Annotated[int, typer.Option("--layers", min=1, help="Decoder layers of MGM-2B's width.")] = 2,
    positions: Annotated[int, typer.Option("--positions", min=1, help="Tokens per row.")] = 64,
    batch: Annotated[
        list[int] | None, typer.Option("--batch", min=1, help="Rows; repeatable. Default: 1 and 4.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 2,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if our step is over 3 % slower than PEFT's.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Write the readings to qa/records.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ratios as JSON.")] = False,
) -> None:
    """Training step and inference: our LoRA against PEFT's and no adapter, merged, Adapter, Prefix; paired ratios."""
    import json

    from lora_demo.commands import bench_methods as command

    done = command.run(command.Plan(layers, positions, tuple(batch or (1, 4)), rounds, threads=threads))
    if record:
        command.save(done)
    for name, (middle, low, high) in (found := command.ratios(done)).items():
        if not as_json:
            typer.echo(f"{name:36} {middle:.3f}  95 %: {low:.3f} - {high:.3f}")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    raise typer.Exit(1 if check and not command.within_bar(done) else 0)


@bench_app.command("mutants")
def bench_mutants(
    record: Annotated[bool, typer.Option("--record", help="Write the table to qa/records.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Which property rejects which deliberately broken implementation; exit 1 if one survives."""
    import json

    from lora_demo.commands import bench_mutants as command

    done = command.run(lambda name, told: None if as_json else typer.echo(f"{name:28} {', '.join(told) or 'SURVIVES'}"))
    if record:
        command.save(done)
    if as_json:
        typer.echo(json.dumps(done.samples, ensure_ascii=False, indent=1))
    raise typer.Exit(1 if command.survivors(done) else 0)


@app.command("notebook")
def notebook() -> None:
    """Run docs/notebooks/lora_from_scratch.py and write the Chinese and the English notebook with its outputs."""
    from lora_demo.commands import notebook as command

    for path in command.write():
        typer.echo(path)


@bench_app.command("mining")
def bench_mining(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds; each times both forms once.")] = 5,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Images.")] = 1,
    grid: Annotated[int, typer.Option("--grid", min=1, help="Queries per side; MGM-2B has 24.")] = 24,
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or bfloat16.")] = "float32",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 2,
    record: Annotated[bool, typer.Option("--record", help="Write the readings to qa/records.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Patch info mining, cheap form against direct form: paired time ratio and ratio of the bytes kept for backward."""
    import json

    from lora_demo.commands import bench_mining as command

    if dtype not in command.DTYPES:
        typer.echo(f"--dtype {dtype}: choose {' or '.join(command.DTYPES)}", err=True)
        raise typer.Exit(2)
    done = command.run(command.Plan(batch=batch, grid=grid, rounds=rounds, dtype=dtype, threads=threads))
    if record:
        command.save(done)
    typer.echo(json.dumps(command.summary(done), indent=1) if as_json else command.describe(done))


@bench_app.command("full-size")
def bench_full_size(
    projectors: Annotated[
        bool, typer.Option("--projectors/--no-projectors", help="Train the projectors beside the adapters.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of weights and batch.")] = 0,
    record: Annotated[bool, typer.Option("--record", help="Write the readings to qa/records.")] = False,
) -> None:
    """MGM-2B on this CPU, random bf16 weights: load a 6 GB checkpoint, take a LoRA step; peak memory as JSON."""
    import json

    from lora_demo.commands import bench_full_size as command
    from lora_demo.results.paths import records_dir

    done = command.run(train_projectors=projectors, seed=seed)
    result = command.record(*done, train_projectors=projectors, seed=seed)
    if record:
        result.save(records_dir())
    typer.echo(json.dumps(result.samples, indent=1))


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


@bench_app.command("nano")
def bench_nano(
    images: Annotated[int, typer.Option("--images", min=1, help="Test pictures per family.")] = 400,
    record_base: Annotated[
        Path | None, typer.Option("--record-base", help="Folder where nano-pretrain ran; writes the base's record.")
    ] = None,
    record_fine_tuning: Annotated[
        Path | None, typer.Option("--record-fine-tuning", help="Folder for the fine-tuning runs; writes their record.")
    ] = None,
) -> None:
    """Accuracy of mgm-nano's shipped base: both families, picture blanked, high-resolution view zeroed; as JSON."""
    import json

    from lora_demo.commands import bench_nano as command

    if record_base is not None:
        typer.echo(command.record_base(record_base))
    if record_fine_tuning is not None:
        typer.echo(command.record_fine_tuning(record_fine_tuning))
    if record_base is None and record_fine_tuning is None:
        typer.echo(json.dumps(command.base(images), indent=1))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, a path to a .yaml file, or `list`.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field, e.g. optimizer.lr=1e-3; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/RECIPE if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest sound checkpoint.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove a run that the folder holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train by a recipe. Exit 0: done, 1: the run had to stop, 2: bad recipe, data or weights."""
    from lora_demo.commands import train as command

    if recipe == "list":
        typer.echo(command.listing())
        return
    raise typer.Exit(
        command.start(recipe, settings or (), out=out, resume=resume, overwrite=overwrite, as_json=as_json)
    )


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


@app.command("predict")
def predict_command(
    model: Annotated[str, typer.Option(help="mgm-2b, gemma-2b, llama-3.2-3b, or a folder with config.json.")],
    peft: Annotated[
        str, typer.Option(help="full, one of our methods (lora:r=16,targets=all), or a PEFT adapter folder.")
    ],
    batch: Annotated[int, typer.Option(help="Rows.")] = 1,
    seq: Annotated[int, typer.Option(help="Positions per row, image tokens included.")] = 1024,
    loop: Annotated[str, typer.Option(help="ours, plain, or published (PEFT's comparison, batch 4).")] = "ours",
    optimizer: Annotated[str, typer.Option(help="AdamW: foreach, fused, for-loop or adamw8bit.")] = "foreach",
    checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Recompute activations.")] = False,
    selected_logits: Annotated[
        int | None, typer.Option(help="Compute logits at this many supervised positions per row only.")
    ] = None,
    no_autocast_adapter: Annotated[
        bool, typer.Option("--no-autocast-adapter", help="Adapters in the base's dtype instead of float32.")
    ] = False,
    accumulation: Annotated[int, typer.Option(min=1, help="Micro-batches per update.")] = 1,
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
    )
    raise typer.Exit(command.run(setting, as_json=as_json))


if __name__ == "__main__":
    app()
