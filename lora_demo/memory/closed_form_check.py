"""The closed form against the trace, on settings drawn at random over the presets."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from lora_demo.memory.closed_form import ALL, Request, estimate, model_dimensions
from lora_demo.memory.predict import Setting, predict

LIMIT = 0.02
DRAWS = 24
SEED = 20
MODELS = ("mgm-2b", "gemma-2b", "llama-3.2-3b")
TARGETS = (ALL, ("q_proj", "v_proj"), ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj"))


def draw(source: random.Random) -> tuple[str, Request]:
    """A model and a request: both methods, all optimizers, with and without savers."""
    method = source.choice(("full", "lora", "lora"))
    return source.choice(MODELS), Request(
        method=method,
        rank=source.choice((4, 8, 16, 32, 64)),
        targets=source.choice(TARGETS),
        batch=source.randint(1, 4),
        length=source.randint(600, 2048),
        supervised=source.choice((None, source.randint(16, 256))),
        checkpointing=source.random() < 0.5,
        adapter_fp32=source.random() < 0.6,
        optimizer=source.choice(("foreach", "for-loop", "fused", "adamw8bit")),
    )


def setting_of(model: str, request: Request) -> Setting:
    """The same as a setting of the trace."""
    lora = f"lora:r={request.rank},targets={'+'.join(request.targets)}"
    return Setting(
        model,
        "full" if request.method == "full" else lora,
        batch=request.batch,
        length=request.length,
        optimizer=request.optimizer,  # type: ignore[arg-type]  # the form's optimizers are the trace's
        checkpointing=request.checkpointing,
        supervised=request.supervised,
        adapter_fp32=request.adapter_fp32,
    )


def compare(model: str, request: Request) -> dict[str, Any]:
    """Both peaks and the formula's relative error."""
    formula, trace = estimate(model_dimensions(model), request), predict(setting_of(model, request))
    return {
        "model": model,
        "request": asdict(request),
        "formula": formula.peak,
        "moment": formula.moment,
        "trace": trace.peak_allocated,
        "error": formula.peak / trace.peak_allocated - 1,
        "reserved": trace.peak_reserved,
    }


def compare_drawn(report: Callable[[str], None], draws: int = DRAWS) -> dict[str, Any]:
    """`draws` comparisons from a fixed seed."""
    source = random.Random(SEED)
    found = []
    for _ in range(draws):
        found.append(compare(*draw(source)))
        report(f"{found[-1]['model']} {found[-1]['request']['method']}: {found[-1]['error']:+.2%}")
    return {"seed": SEED, "drawn": found}
