"""The closed form against the trace, on settings drawn at random over the presets.

The formulas come from models of other dimensions with few layers; the presets are new to them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from lora_demo.memory.formula.closed_form import ALL, Request, estimate, model_dimensions, slack_key
from lora_demo.memory.predict import Setting, predict

LIMIT = 0.02
DRAWS = 32
SEED = 2026
MODELS = ("mgm-2b", "gemma-2b", "llama-3.2-3b")
TARGETS = (ALL, ALL, ALL[:4], ("q_proj", "v_proj"), ALL[4:], ("q_proj", "v_proj", "o_proj", "gate_proj"), ALL[1::2])


def draw(source: random.Random) -> tuple[str, Request]:
    """A model and a request: both methods, a packed base, all optimizers, with and without savers."""
    method = source.choice(("full", "lora", "lora", "lora"))
    return source.choice(MODELS), Request(
        method=method,
        rank=source.choice((4, 8, 16, 32, 64, 128)),
        targets=source.choice(TARGETS) if method == "lora" else ALL,
        batch=source.randint(1, 6),
        # Long enough for a picture and the most supervised positions after it.
        length=source.randint(900, 2048),
        supervised=source.choice((None, source.randint(16, 256))),
        checkpointing=source.random() < 0.5,
        adapter_fp32=source.random() < 0.7,
        optimizer=source.choice(("foreach", "for-loop", "fused", "adamw8bit")),
        base="nf4" if method == "lora" and source.random() < 0.25 else "bf16",
    )


def setting_of(model: str, request: Request) -> Setting:
    """The same as a setting of the trace."""
    name = "qlora" if request.base == "nf4" else "lora"
    lora = f"{name}:r={request.rank},targets={'+'.join(request.targets)}"
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
        "point": formula.point,
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


def slack(drawn: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The most that a step reserves over the formula's peak, rounded up to a percent: by `slack_key`."""
    found: dict[str, list[float]] = {}
    for one in drawn:
        request = Request(**{**one["request"], "targets": tuple(one["request"]["targets"])})
        found.setdefault(slack_key(request), []).append(one["reserved"] / one["formula"])
    return {key: math.ceil(100 * max(ratios)) / 100 for key, ratios in sorted(found.items())}
