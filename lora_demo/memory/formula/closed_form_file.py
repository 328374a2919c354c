"""Writes `closed_form.json`: dimensions of the presets, formulas from traced steps, constants of packed bases."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch

from lora_demo.memory.formula import closed_form
from lora_demo.memory.formula.closed_form import FILE, GROUPS, SCHEMA, TARGETS, Dimensions, OutOfForm
from lora_demo.memory.formula.closed_form_fit import fit, known_points, variants
from lora_demo.memory.formula.closed_form_image import with_images
from lora_demo.memory.formula.points import Variant
from lora_demo.memory.subjects.build import TRAINED_PROJECTORS
from lora_demo.memory.tracing.cuda_kernels import WORKSPACE
from lora_demo.memory.tracing.paper_optimizers import BLOCK
from lora_demo.models.config import LLMConfig, MGMConfig
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import PRESETS
from lora_demo.results.record import installed_versions
from lora_demo.results.store import write_atomically

VERSION = 2
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Four bits, one byte per block of 64, one fp32 number per 256 such bytes (double quantisation)."""
INT8_BYTES = 1.0
"""One byte per value; the fp32 scale of each row is below a thousandth of that."""
OTHERS = {
    "llama-2-7b": Dimensions("llama", 32, 4096, 11_008, 32, 32, 128, 32_000, tied=False),
    "llama-3.1-8b": Dimensions("llama", 32, 4096, 14_336, 32, 8, 128, 128_256, tied=False),
    "mistral-7b": Dimensions("llama", 32, 4096, 14_336, 32, 8, 128, 32_000, tied=False),
    "qwen2.5-7b": Dimensions("llama", 28, 3584, 18_944, 28, 4, 128, 152_064, tied=False, biases=129_024),
}
BASES = {
    "bf16": {"bytes": 2, "copy": 0},
    "nf4": {"bytes": NF4_BYTES, "copy": 2},
    "int8": {"bytes": INT8_BYTES, "copy": 2},
}
"""`copy`: bitsandbytes dequantises the weight in use to 16 bits, for the forward (NF4) or the backward (both)."""
OPTIMIZERS = {
    "foreach": {"state": {"2": 4, "4": 8}, "update": {"P": 1}},
    "for-loop": {"state": {"2": 4, "4": 8}, "update": {"big": 1}},
    "fused": {"state": {"2": 4, "4": 8}, "update": {}},
    "adamw8bit": {"state": {"2": 2 + 8 / BLOCK, "4": 2 + 8 / BLOCK}, "update": {}},
}


def write(report: Callable[[str], None], only: str = "") -> None:
    """Read every variant off its traces and write the file; `report` hears of each.

    only   start of the variants' names, such as "gemma/lora": the others stay as the file has them
    Raises OutOfForm where no variant begins so.
    """
    names = [variant.name for variant in variants()]
    if not any(name.startswith(only) for name in names):
        near = difflib.get_close_matches(only, names, n=3, cutoff=0.0)
        raise OutOfForm(f"no variant begins with {only!r}; near names: {', '.join(near)}")
    content = _constants()
    if only:
        before = closed_form.data()
        content |= {key: before[key] for key in ("slack", "variants")}
        for name, model in before["models"].items():
            content["models"][name]["image"] = model["image"]
    _save(content)
    for variant in variants():
        if variant.name.startswith(only):
            content["variants"][variant.name] = _with_update(variant, fit(variant, known_points(variant)))
            report(f"{variant.name}: {len(content['variants'][variant.name])} points")
            _save(content)
    for name, config in PRESETS.items():
        if isinstance(config, MGMConfig):
            with_images(content, name, config, only)
            report(f"{name}: pictures")
    _save(content)


def _constants() -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "made_with": installed_versions(),
        "workspace": WORKSPACE,
        "targets": {name: {"in": wide, "out": tall} for name, (wide, tall) in TARGETS.items()},
        "groups": GROUPS,
        "optimizers": OPTIMIZERS,
        "bases": BASES,
        "sharding": {"divided": ["weights_frozen", "weights_trainable", "gradients", "optimizer"], "gathered": 2},
        "slack": {f"{kept}/{logits}": 1.0 for kept in ("keep", "recompute") for logits in ("selected", "whole")},
        "models": {name: asdict(one) for name, one in _models().items()},
        "variants": {},
    }


def _with_update(variant: Variant, points: dict[str, Any]) -> dict[str, Any]:
    """All gradients and, as `optimizers` says, the temporaries of the update."""
    return points | {"update": {"gradients": {"P": 4 if variant.adapter_fp32 else 2}}}


def write_slack(slack: dict[str, float]) -> None:
    """What `closed_form_check` found the allocator to reserve beyond the formula."""
    _save({**closed_form.data(), "slack": slack})


def _save(content: dict[str, Any]) -> None:
    write_atomically(FILE, _written(content))
    closed_form.data.cache_clear()


def _written(content: dict[str, Any]) -> str:
    """One point a line: readable in a diff, and small."""
    head = {key: part for key, part in content.items() if key != "variants"}
    lines = [f"  {json.dumps(key)}: {json.dumps(part, separators=(',', ':'))}" for key, part in head.items()]
    blocks = [_block(name, points) for name, points in content["variants"].items()]
    return "{\n" + ",\n".join([*lines, '  "variants": {\n' + ",\n".join(blocks) + "\n  }"]) + "\n}\n"


def _block(name: str, points: dict[str, Any]) -> str:
    rows = [f"      {json.dumps(point)}: {json.dumps(terms, separators=(',', ':'))}" for point, terms in points.items()]
    return f"    {json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n    }"


def _models() -> dict[str, Dimensions]:
    return {name: _preset(config) for name, config in PRESETS.items()} | OTHERS


def _preset(config: LLMConfig | MGMConfig) -> Dimensions:
    if isinstance(config, LLMConfig):
        return dimensions(config, config.family)
    return replace(dimensions(config.llm, config.llm.family), image=_vision_sizes(config))


def dimensions(config: LLMConfig, family: str) -> Dimensions:
    """The closed form's view of a configuration."""
    return Dimensions(
        family=family,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        vocabulary=config.vocab_size,
        tied=config.tie_word_embeddings,
    )


def _vision_sizes(config: MGMConfig) -> dict[str, Any]:
    with torch.device("meta"):
        model = MGM(config)
    trained = sum(p.numel() for name in TRAINED_PROJECTORS for p in model.get_submodule(name).parameters())
    whole = sum(p.numel() for p in model.parameters())
    decoder = sum(p.numel() for p in model.language_model.parameters())
    return {"positions": config.image_tokens, "trained": trained, "frozen": whole - trained - decoder, "variants": {}}
