"""What is said about a training step without running it, as the command line spells it: predict, plan."""

from __future__ import annotations

from typing import Annotated

import typer

paper_app = typer.Typer()


@paper_app.command("predict")
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


@paper_app.command()
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
