"""The `lora-demo bench` commands. Like the rest of the command line, they import what they need when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Beyond what any machine here could hold or wait for; without them a slip of the finger ends in a traceback.
MOST_ROUNDS, MOST_THREADS, MOST_ROWS = 100_000, 1024, 4096

bench_app = typer.Typer(help="Paired benchmarks.", no_args_is_help=True)


@bench_app.command("data")
def bench_data(
    items: Annotated[
        int, typer.Option("--items", min=1, max=10_000_000, help="Length of the generated file.")
    ] = 665_000,
    repeats: Annotated[int, typer.Option("--repeats", min=1, max=MOST_ROUNDS, help="Readings per way.")] = 3,
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
    rounds: Annotated[
        int, typer.Option("--rounds", min=5, max=MOST_ROUNDS, help="Rounds; each times every variant once.")
    ] = 30,
    layers: Annotated[int, typer.Option("--layers", min=1, max=128, help="Decoder layers of MGM-2B's width.")] = 2,
    positions: Annotated[int, typer.Option("--positions", min=1, max=8192, help="Tokens per row.")] = 64,
    batch: Annotated[
        list[int] | None, typer.Option("--batch", min=1, max=MOST_ROWS, help="Rows; repeatable. Default: 1 and 4.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, max=MOST_THREADS, help="CPU threads.")] = 2,
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


@bench_app.command("mining")
def bench_mining(
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=MOST_ROUNDS, help="Rounds; each times both forms once.")
    ] = 5,
    batch: Annotated[int, typer.Option("--batch", min=1, max=MOST_ROWS, help="Images.")] = 1,
    grid: Annotated[int, typer.Option("--grid", min=1, max=96, help="Queries per side; MGM-2B has 24.")] = 24,
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or bfloat16.")] = "float32",
    threads: Annotated[int, typer.Option("--threads", min=1, max=MOST_THREADS, help="CPU threads.")] = 2,
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
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Of weights and batch.")] = 0,
    record: Annotated[bool, typer.Option("--record", help="Write the readings to qa/records.")] = False,
) -> None:
    """MGM-2B on this CPU, random weights: load a 6 GB checkpoint, take a LoRA step; peak memory as JSON (minutes)."""
    import json

    from lora_demo.commands import bench_full_size as command
    from lora_demo.results.paths import records_dir

    done = command.run(train_projectors=projectors, seed=seed)
    result = command.record(*done, train_projectors=projectors, seed=seed)
    if record:
        result.save(records_dir())
    typer.echo(json.dumps(result.samples, indent=1))


@bench_app.command("nano")
def bench_nano(
    images: Annotated[int, typer.Option("--images", min=1, max=100_000, help="Test pictures per family.")] = 400,
    record_base: Annotated[
        Path | None, typer.Option("--record-base", help="Folder where nano-pretrain ran; writes the base's record.")
    ] = None,
    record_fine_tuning: Annotated[
        Path | None, typer.Option("--record-fine-tuning", help="Folder for the fine-tuning runs; writes their record.")
    ] = None,
) -> None:
    """Accuracy of mgm-nano's shipped base: both families, picture blanked, high-resolution view zeroed; as JSON.

    Exit 2: no run in the folder of --record-base.
    """
    import json

    from lora_demo.commands import bench_nano as command
    from lora_demo.results.json_file import NoObject

    try:
        if record_base is not None:
            typer.echo(command.record_base(record_base))
    except NoObject as error:
        typer.echo(f"{error}; --record-base names a folder where `lora-demo train nano-pretrain` ran", err=True)
        raise typer.Exit(2) from None
    if record_fine_tuning is not None:
        typer.echo(command.record_fine_tuning(record_fine_tuning))
    if record_base is None and record_fine_tuning is None:
        typer.echo(json.dumps(command.base(images), indent=1))


@bench_app.command("loop")
def bench_loop(
    rounds: Annotated[int, typer.Option("--rounds", min=10, max=MOST_ROUNDS, help="Steps of either side.")] = 120,
    threads: Annotated[int, typer.Option("--threads", min=1, max=MOST_THREADS, help="CPU threads.")] = 2,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if the loop is over 5 % slower.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Write the readings to qa/records.")] = False,
) -> None:
    """The training loop on nano against a bare PyTorch loop of the same steps: paired ratio of throughput, as JSON."""
    import json

    from lora_demo.commands import bench_loop as command

    done = command.run(command.Plan(rounds=rounds, threads=threads))
    if record:
        command.save(done)
    typer.echo(json.dumps(command.summary(done), indent=1))
    raise typer.Exit(1 if check and not command.within_bar(done) else 0)
