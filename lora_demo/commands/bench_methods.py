"""Step and inference time of the methods at MGM-2B's layer shapes, as ratios measured side by side.

Every round times each variant once, in an order that alternates; a ratio is formed within its round, so that a machine
that slows down slows both sides. Reported: the median of the ratios and its 95 % bootstrap interval. PEFT against
itself (`peft-again / peft`) shows how far the machine wobbles. Wall time is what the bar is about; the process's own
CPU time stands beside it, which other programs on the machine disturb less.
"""

from __future__ import annotations

import copy
import random
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import peft
import torch
from torch import Tensor, nn
from transformers import GemmaConfig, GemmaModel

from lora_demo.methods import merging
from lora_demo.methods.adapter import apply_adapter
from lora_demo.methods.errors import MethodError
from lora_demo.methods.lora import LoRALinear, apply_lora
from lora_demo.methods.prefix import apply_prefix
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, installed_versions, today

RANK, BOTTLENECK, PREFIX = 16, 64, 20
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WIDTH = 2048
BAR = 1.03
"""Upper 95 % bound of ours / PEFT's step time."""
JUDGED = re.compile(r"step-\d+ lora/peft wall")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Readings = dict[str, dict[str, list[float]]]
PAIRS = {
    "step": [("lora", "peft"), ("peft-again", "peft"), ("lora", "base"), ("adapter", "base"), ("prefix", "base")],
    "inference": [
        *[("lora", "peft"), ("peft-again", "peft"), ("lora", "base"), ("merged", "base")],
        *[("adapter", "base"), ("prefix", "base")],
    ],
}


@dataclass(frozen=True)
class Plan:
    """layers: decoder layers of the real width; positions per row; batches: rows per step, each measured apart."""

    layers: int = 2
    positions: int = 64
    batches: tuple[int, ...] = (1, 4)
    rounds: int = 30
    seed: int = 0
    threads: int = 2


def run(plan: Plan) -> Record:
    """Measure everything; needs about 3 GiB of memory."""
    if hasattr(LoRALinear.forward, "__wrapped__"):
        raise MethodError("shape checking is on in this process, it would be timed too: run it without the import hook")
    torch.manual_seed(plan.seed)
    torch.set_num_threads(plan.threads)
    models = variants(plan)
    samples: dict[str, Any] = {}
    for batch in plan.batches:
        x = torch.randn(batch, plan.positions, WIDTH)
        for kind, make in (("step", _step), ("inference", _inference)):
            names = [name for name in models if kind == "inference" or name != "merged"]
            calls = {name: make(models[name], x) for name in names}
            samples[f"{kind}-{batch}"] = paired(calls, plan.rounds)
    return Record(
        name="bench-methods",
        configuration=vars(plan) | {"r": RANK, "targets": TARGETS, "bottleneck": BOTTLENECK, "prefix": PREFIX},
        samples=samples,
        seed=plan.seed,
        device=f"cpu, {plan.threads} threads",
        versions=installed_versions(),
        date=today(),
        notes={
            "base": "step of the base: forward and the gradient of its input, no weight gradients",
            "unit": "seconds per call, one entry per round; float32; a step includes AdamW on the adapter",
        },
    )


def variants(plan: Plan) -> dict[str, nn.Module]:
    """All variants around the same frozen weights (only the merged one has its own)."""
    base = GemmaModel(
        GemmaConfig(
            vocab_size=8,
            hidden_size=WIDTH,
            intermediate_size=8 * WIDTH,
            num_hidden_layers=plan.layers,
            num_attention_heads=8,
            num_key_value_heads=1,
            head_dim=256,
        )
    ).requires_grad_(False)

    def twin() -> GemmaModel:
        return copy.deepcopy(base, {id(p): p for p in base.parameters()})

    models: dict[str, nn.Module] = {"base": base, "lora": twin(), "adapter": twin(), "prefix": twin()}
    models["merged"] = copy.deepcopy(base)
    for name in ("lora", "merged"):
        apply_lora(models[name], TARGETS, r=RANK, alpha=RANK)
    merging.merge(models["merged"])
    merging.unload(models["merged"])
    apply_adapter(models["adapter"], bottleneck=BOTTLENECK)
    apply_prefix(models["prefix"], count=PREFIX)
    for name in ("peft", "peft-again"):
        config = peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS)
        models[name] = peft.get_peft_model(twin(), config)
    return models


def paired(calls: dict[str, Callable[[], None]], rounds: int) -> Readings:
    """Seconds per clock, call and round; forwards and backwards in turn, after one round that is thrown away."""
    readings: Readings = {clock: {name: [] for name in calls} for clock in CLOCKS}
    for turn in range(rounds + 1):
        for name in list(calls) if turn % 2 else list(calls)[::-1]:
            before = {clock: read() for clock, read in CLOCKS.items()}
            calls[name]()
            for clock, read in CLOCKS.items() if turn else ():
                readings[clock][name].append(read() - before[clock])
    return readings


def ratios(record: Record) -> dict[str, tuple[float, float, float]]:
    """ "step-1 lora/peft wall" -> (median, lower and upper 95 % bound) of the ratios within each round."""
    found = {}
    for case, readings in record.samples.items():
        for over, under in PAIRS[case.partition("-")[0]]:
            for clock, seconds in readings.items():
                within = [a / b for a, b in zip(seconds[over], seconds[under], strict=True)]
                found[f"{case} {over}/{under} {clock}"] = (statistics.median(within), *bootstrap(within))
    return found


def bootstrap(values: list[float], draws: int = 2000) -> tuple[float, float]:
    """95 % interval of the median, by resampling with a fixed seed."""
    source = random.Random(0)
    medians = sorted(statistics.median(source.choices(values, k=len(values))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def within_bar(record: Record) -> bool:
    """Whether our step is at most 3 % slower than PEFT's, by the upper bound of wall time, at every batch size."""
    judged = [high for name, (_, _, high) in ratios(record).items() if JUDGED.fullmatch(name)]
    return bool(judged) and max(judged) <= BAR


def save(record: Record) -> None:
    record.save(records_dir())


def _step(model: nn.Module, x: Tensor) -> Callable[[], None]:
    trained = [p for p in model.parameters() if p.requires_grad]
    # the base has nothing to train: its input takes the gradient, so that the same backward pass runs
    inputs = x.clone().requires_grad_(not trained)
    optimizer = torch.optim.AdamW(trained or [inputs], lr=1e-4)

    def call() -> None:
        model.train()
        model(inputs_embeds=inputs).last_hidden_state.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return call


def _inference(model: nn.Module, x: Tensor) -> Callable[[], None]:
    @torch.no_grad()
    def call() -> None:
        model.eval()
        model(inputs_embeds=x)

    return call
