"""MGM-2B at full size on this machine's CPU: loading a checkpoint, and one LoRA training step.

The weights are random, written to a temporary folder as a released checkpoint would be (bfloat16, about 6 GB of disk,
removed afterwards). They stay in bfloat16; a CPU without bfloat16 units takes each product in float32 and rounds it
(`models.wide_products`). Needs about 10 GiB of free memory.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lora_demo.methods.lora import apply_lora
from lora_demo.models import names, weights
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_2B
from lora_demo.models.projectors import PROJECTORS
from lora_demo.models.resident import PeakResident
from lora_demo.models.wide_products import has_bfloat16_units, wide_where_needed
from lora_demo.results.record import Record, installed_versions, today
from lora_demo.training.measurement.machine import device_name

SHARD_BYTES = 2**30
TARGETS = ("q_proj", "v_proj")
RANK = 16
PROMPT, ANSWER = 48, 16


@dataclass(frozen=True)
class Loading:
    """Bytes and seconds; `peak` counts the whole process, interpreter and libraries included."""

    dtype: str
    model: int
    before: int
    peak: int
    seconds: float

    @property
    def ratio(self) -> float:
        return self.peak / self.model


@dataclass(frozen=True)
class Step:
    """One optimizer step. `without_gradient` names trainable tensors that got none."""

    before: int
    peak: int
    seconds: float
    loss: float
    positions: int
    trainable: int
    without_gradient: tuple[str, ...]


def run(*, train_projectors: bool, seed: int) -> tuple[Loading, Step]:
    """Write, load, take one step."""
    with tempfile.TemporaryDirectory(prefix="mgm-2b-") as folder:
        write_random_checkpoint(Path(folder), seed)
        model, loading = measure_loading(Path(folder), torch.bfloat16)
    return loading, measure_step(model, train_projectors=train_projectors, seed=seed)


def write_random_checkpoint(folder: Path, seed: int) -> None:
    """bfloat16 shards of at most about 1 GiB, with index and geometry; one shard in memory at a time."""
    with torch.device("meta"):
        shapes = {names.released_from_ours(name): value.shape for name, value in MGM(MGM_2B).named_parameters()}
    generator = torch.Generator().manual_seed(seed)
    weight_map: dict[str, str] = {}
    for number, keys in enumerate(_shards(shapes)):
        name = f"model-{number + 1:05}.safetensors"
        save_file({key: _random(key, shapes[key], generator) for key in keys}, folder / name)
        weight_map |= dict.fromkeys(keys, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    (folder / "geometry.json").write_text(json.dumps(MGM_2B.to_dict()), encoding="utf-8")


def measure_loading(folder: Path, dtype: torch.dtype) -> tuple[MGM, Loading]:
    """Load and convert to `dtype`."""
    start = time.perf_counter()
    with PeakResident() as memory:
        model = weights.load(folder, dtype=dtype)
    size = sum(value.numel() * value.element_size() for value in model.parameters())
    name = str(dtype).removeprefix("torch.")
    return model, Loading(name, size, memory.before, memory.peak, time.perf_counter() - start)


def measure_step(model: MGM, *, train_projectors: bool, seed: int) -> Step:
    """LoRA on the language model, batch 1, one image, AdamW; logits only where they are supervised.

    `seconds` covers forward, backward and update.
    """
    trainable = prepare(model, train_projectors=train_projectors)
    optimizer = torch.optim.AdamW(trainable.values(), lr=1e-4)
    batch = example(seed)
    start = time.perf_counter()
    with PeakResident() as memory, wide_where_needed(torch.device("cpu"), bfloat16=True):
        output = model(**batch, supervised_only=True)
        assert output.loss is not None
        output.loss.backward()
        without = tuple(name for name, value in trainable.items() if value.grad is None)
        optimizer.step()
    return Step(
        before=memory.before,
        peak=memory.peak,
        seconds=time.perf_counter() - start,
        loss=output.loss.item(),
        positions=output.plan.length,
        trainable=sum(value.numel() for value in trainable.values()),
        without_gradient=without,
    )


def prepare(model: MGM, *, train_projectors: bool) -> dict[str, Tensor]:
    """Freeze all but the adapters, and the projectors if they train too."""
    model.train()
    dtype = next(model.language_model.parameters()).dtype
    apply_lora(model.language_model, TARGETS, r=RANK, alpha=2 * RANK, dtype=dtype)
    for name in PROJECTORS:
        getattr(model, name).requires_grad_(train_projectors)
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def example(seed: int) -> dict[str, Tensor]:
    """One conversation of random words about one random image."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, MGM_2B.llm.vocab_size, (1, PROMPT + ANSWER), generator=generator)
    ids[0, 5] = MGM_2B.splice.image_token_index
    labels = ids.clone()
    labels[0, :PROMPT] = MGM_2B.splice.ignore_index
    small, large = MGM_2B.clip.image_size, MGM_2B.aux.image_size
    return {
        "input_ids": ids,
        "labels": labels,
        "images": torch.randn(1, 3, small, small, generator=generator),
        "images_aux": torch.randn(1, 3, large, large, generator=generator),
    }


def record(loading: Loading, step: Step, *, train_projectors: bool, seed: int) -> Record:
    """Everything needed to run it again, and what came out."""
    trained = "lora-projectors" if train_projectors else "lora"
    configuration: dict[str, Any] = {
        "model": "mgm-2b",
        "weights": "random",
        "dtype": loading.dtype,
        "products": "bfloat16 units" if has_bfloat16_units() else "float32, rounded to bfloat16",
        "batch": 1,
        "targets": list(TARGETS),
        "rank": RANK,
        "train_projectors": train_projectors,
        "optimizer": "AdamW",
        "logits": "supervised positions only",
        "activation_checkpointing": False,
        "threads": torch.get_num_threads(),
    }
    return Record(
        name=f"mgm-2b-cpu-step-{trained}",
        configuration=configuration,
        samples={"loading": asdict(loading), "step": asdict(step)},
        seed=seed,
        device=device_name(torch.device("cpu")),
        versions=installed_versions(),
        date=today(),
    )


def _shards(shapes: dict[str, torch.Size]) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    size = 0
    for key, shape in shapes.items():
        size += 2 * shape.numel()
        if size > SHARD_BYTES and shards[-1]:
            shards.append([])
            size = 2 * shape.numel()
        shards[-1].append(key)
    return shards


def _random(key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Matrices N(0, 0.02); gains of LayerNorms 1 (Gemma stores its own minus 1, so 0); other vectors 0."""
    if len(shape) > 1:
        return torch.empty(shape, dtype=torch.bfloat16).normal_(0, 0.02, generator=generator)
    gemma = key.startswith(("model.layers.", "model.norm."))
    gain = key.endswith((".weight", ".gamma")) and not gemma
    return torch.full(shape, float(gain), dtype=torch.bfloat16)
