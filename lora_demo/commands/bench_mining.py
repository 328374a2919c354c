"""The cheap form of mining against the direct one, forward and backward: time, and bytes kept for backward.

The forms alternate within a round, so that a busy machine slows both; each round gives one ratio, and their median
is reported. Bytes are those of the distinct storages that autograd saves, parameters left out: a property of the
computation, the same on every machine.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from lora_demo.models.mining import mine
from lora_demo.models.mining_direct import mine_direct
from lora_demo.models.presets import MGM_2B
from lora_demo.models.projectors import build_mining_projector
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record, installed_versions, today

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FORMS = {"folded": mine, "direct": mine_direct}

Form = Callable[..., Tensor]


@dataclass(frozen=True)
class Plan:
    """MGM-2B's own sizes by default; a smaller grid keeps the ratio of the work per window."""

    batch: int = 1
    grid: int = MGM_2B.clip.grid
    rounds: int = 5
    dtype: str = "float32"
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Workload:
    """What one image brings: queries, the map they look into (both frozen), and the layers that train."""

    query: Tensor
    map_: Tensor
    projectors: tuple[nn.Sequential, ...]

    def step(self, form: Form) -> None:
        """Forward and backward."""
        for projector in self.projectors:
            projector.zero_grad(set_to_none=True)
        form(self.query, self.map_, *self.projectors).sum().backward()


def workload(plan: Plan) -> Workload:
    """Random inputs of MGM-2B's widths."""
    generator = torch.Generator().manual_seed(plan.seed)
    width, channels = MGM_2B.clip.hidden_size, MGM_2B.aux.channels
    dtype, side = DTYPES[plan.dtype], plan.grid * MGM_2B.window
    projectors = tuple(build_mining_projector(size, width).to(dtype) for size in (width, channels, channels))
    query = torch.randn(plan.batch, plan.grid**2, width, generator=generator).to(dtype)
    return Workload(query, torch.randn(plan.batch, channels, side, side, generator=generator).to(dtype), projectors)


def saved_bytes(work: Workload, form: Form) -> int:
    """Bytes that autograd keeps between forward and backward, each storage once, parameters not counted."""
    parameters = {value.untyped_storage().data_ptr() for p in work.projectors for value in p.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        output = form(work.query, work.map_, *work.projectors)
    output.sum().backward()
    return sum(kept.values())


def run(plan: Plan) -> Record:
    """Warm up, then time both forms in every round, in turn first and second."""
    torch.set_num_threads(plan.threads)
    work = workload(plan)
    seconds: dict[str, list[float]] = {name: [] for name in FORMS}
    for number in range(plan.rounds + 1):
        order = list(FORMS) if number % 2 else list(reversed(FORMS))
        for name in order:
            start = time.perf_counter()
            work.step(FORMS[name])
            if number:
                seconds[name].append(time.perf_counter() - start)
    kept = {name: saved_bytes(work, form) for name, form in FORMS.items()}
    return Record(
        name=f"bench-mining-{plan.dtype}",
        configuration=vars(plan) | {"width": MGM_2B.clip.hidden_size, "channels": MGM_2B.aux.channels},
        samples={"seconds": seconds, "saved_bytes": kept},
        seed=plan.seed,
        device=f"CPU, {os.cpu_count()} cores",
        versions=installed_versions(),
        date=today(),
    )


def summary(record: Record) -> dict[str, Any]:
    """Ratios direct / folded: the median of the rounds' time ratios, and of the saved bytes."""
    seconds, kept = record.samples["seconds"], record.samples["saved_bytes"]
    ratios = [direct / folded for direct, folded in zip(seconds["direct"], seconds["folded"], strict=True)]
    return {
        "speed_ratio": statistics.median(ratios),
        "speed_ratio_low": min(ratios),
        "speed_ratio_high": max(ratios),
        "saved_bytes_ratio": kept["direct"] / kept["folded"],
        "saved_mib": {name: size / 2**20 for name, size in kept.items()},
        "seconds": {name: statistics.median(values) for name, values in seconds.items()},
    }


def describe(record: Record) -> str:
    """The summary in two lines."""
    found = summary(record)
    low, high, kept = found["speed_ratio_low"], found["speed_ratio_high"], found["saved_mib"]
    return (
        f"forward and backward: {found['speed_ratio']:.1f} times as fast (rounds {low:.1f} to {high:.1f})\n"
        f"kept for backward: {kept['direct']:.0f} -> {kept['folded']:.0f} MiB, {found['saved_bytes_ratio']:.2f} to 1"
    )


def save(record: Record) -> None:
    """Into qa/records."""
    record.save(records_dir())
