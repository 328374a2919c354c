"""What is said about a training step without running it, as the command line spells it: predict, plan."""

from __future__ import annotations

from typing import Annotated

import typer

from lora_demo.memory.cards import CARDS
from lora_demo.models.presets import PRESETS

LARGER = ("llama-2-7b", "llama-3.1-8b", "mistral-7b", "qwen2.5-7b")
"""What only the closed form has; its file is not read for the sake of the help."""
POSITIONS = "Positions per row, image tokens included; 1024 if not given, or what the model takes if that is less."

paper_app = typer.Typer()


@paper_app.command("predict")
def predict_command(
    model: Annotated[str, typer.Option(help=f"{', '.join(PRESETS)}, or a folder with config.json.")],
    peft: Annotated[
        str, typer.Option(help="full, one of our methods (lora:r=16,targets=all), or a PEFT adapter folder.")
    ],
    batch: Annotated[int | None, typer.Option(help="Rows; 1 if not given.", show_default=False)] = None,
    seq: Annotated[int | None, typer.Option(help=POSITIONS, show_default=False)] = None,
    loop: Annotated[
        str, typer.Option(help="ours, plain, or published (PEFT's comparison, with sizes of its own).")
    ] = "ours",
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
    accumulation: Annotated[int, typer.Option(help="Micro-batches per update, 256 at most.")] = 1,
    base: Annotated[str, typer.Option(help="Frozen base: bf16, or bitsandbytes' nf4 or int8.")] = "bf16",
    loss_chunk: Annotated[
        int | None, typer.Option(help="Form the loss at so many supervised positions at a time, without logits.")
    ] = None,
    feedforward_tile: Annotated[
        int | None, typer.Option(help="Run each feed-forward so many positions at a time, recomputing each tile.")
    ] = None,
    shards: Annotated[int, typer.Option(help="Devices that share weights and state under FSDP, on paper.")] = 1,
    gpu: Annotated[str, typer.Option(help=f"Card whose budget is compared: {', '.join(CARDS)}.")] = "rtx4090",
    as_json: Annotated[bool, typer.Option("--json", help="Bytes, as JSON.")] = False,
) -> None:
    """Peak memory of a training step on a GPU, without one. Exit 0: predicted, 2: bad input."""
    from lora_demo.commands import predict as command
    from lora_demo.memory.predict import Setting

    rows, length = command.sizes(model, loop, batch, seq)
    setting = Setting(
        model=model,
        method=peft,
        batch=rows,
        length=length,
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
    model: Annotated[
        str,
        typer.Option(help=f"{', '.join((*PRESETS, *LARGER))}, or a folder with config.json of a gated decoder."),
    ],
    gpu: Annotated[str, typer.Option(help=f"Card: {', '.join(CARDS)}.")] = "rtx4090",
    seq: Annotated[int | None, typer.Option(min=1, max=1 << 20, help=POSITIONS, show_default=False)] = None,
    supervised: Annotated[
        int,
        typer.Option(min=1, max=1 << 20, help="Supervised positions per row, where logits are computed only there."),
    ] = 128,
    trace: Annotated[bool, typer.Option("--trace/--no-trace", help="Confirm the first proposal by a trace.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Bytes, as JSON.")] = False,
) -> None:
    """Which configurations fit a card, cheapest savers first. Exit 0: one fits, 1: none does, 2: bad input."""
    from lora_demo.commands import plan as command

    raise typer.Exit(command.run(model, gpu, seq, supervised, trace=trace, as_json=as_json))
