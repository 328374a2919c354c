"""What Python's closed form says about the calculator's settings."""

from __future__ import annotations

from typing import Any

from lora_demo.memory.formula.closed_form import Dimensions, OutOfForm, Request, data, estimate, model_dimensions
from tests.practice.calculator_settings import Dims, Settings


def expected_memory(settings: Settings) -> dict[str, Any] | None:
    """What the closed form says about the calculator's settings; None where it says nothing."""
    dims = settings["dims"]
    if dims.get("normed"):
        return None
    name, method = settings["model"], settings["method"]
    try:
        found = estimate(
            model_dimensions(name) if name in data()["models"] else shape(dims),
            Request(
                method="lora" if method == "qlora" else method,
                rank=settings["size"],
                targets=tuple(settings["targets"]),
                batch=settings["batch"],
                length=settings["length"],
                supervised=settings["logits"] or None,
                checkpointing=settings["checkpointing"],
                adapter_fp32=settings["adapter"] == "float32",
                optimizer=settings["optimizer"],
                base="nf4" if method == "qlora" else "bf16",
            ),
        )
    except OutOfForm:
        return None
    return {"point": found.point, "peak": found.peak, "parts": found.parts}


def shape(dims: Dims) -> Dimensions:
    return Dimensions(
        family="llama",
        layers=dims["layers"],
        hidden=dims["hidden"],
        intermediate=dims["intermediate"],
        heads=dims["heads"],
        kv_heads=dims["kvHeads"],
        head_dim=dims["headDim"],
        vocabulary=dims["vocab"],
        tied=dims["tied"],
        biases=dims["layers"] * (dims["heads"] + 2 * dims["kvHeads"]) * dims["headDim"] if dims.get("biased") else 0,
    )
