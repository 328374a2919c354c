"""Writes `closed_form.json`: dimensions of the presets, coefficients from traces, constants of packed bases."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from lora_demo.memory import closed_form
from lora_demo.memory.closed_form import FILE, SCHEMA, TARGETS, Dimensions, Request
from lora_demo.memory.closed_form_fit import dimensions, fit, variants
from lora_demo.memory.cuda_kernels import WORKSPACE
from lora_demo.memory.moments import moments
from lora_demo.memory.paper_optimizers import BLOCK
from lora_demo.memory.build import build_subject
from lora_demo.memory.predict import Setting, trace_subject
from lora_demo.models.config import LLMConfig, MGMConfig
from lora_demo.models.presets import PRESETS
from lora_demo.results.record import installed_versions
from lora_demo.results.store import write_atomically

VERSION = 1
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Four bits, one byte per block of 64, one fp32 number per 256 such bytes (double quantisation)."""
INT8_BYTES = 1.0
"""One byte per value; the fp32 scale of each row is below a thousandth of that."""
IMAGE_PROBE = 1024
OTHERS = {
    "llama-2-7b": Dimensions("llama", 32, 4096, 11_008, 32, 32, 128, 32_000, tied=False),
    "llama-3.1-8b": Dimensions("llama", 32, 4096, 14_336, 32, 8, 128, 128_256, tied=False),
    "mistral-7b": Dimensions("llama", 32, 4096, 14_336, 32, 8, 128, 32_000, tied=False),
    "qwen2.5-7b": Dimensions("llama", 28, 3584, 18_944, 28, 4, 128, 152_064, tied=False, biases=129_024),
}
OPTIMIZERS = {
    "foreach": {"state": {"2": 4, "4": 8}, "update": {"P": 1}},
    "for-loop": {"state": {"2": 4, "4": 8}, "update": {"big": 1}},
    "fused": {"state": {"2": 4, "4": 8}, "update": {}},
    "adamw8bit": {"state": {"2": 2 + 8 / BLOCK, "4": 2 + 8 / BLOCK}, "update": {}},
}


def write(report: Callable[[str], None]) -> None:
    """Fit every variant and write the file; `report` hears of each."""
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "made_with": installed_versions(),
        "workspace": WORKSPACE,
        "targets": {name: {"in": wide, "out": tall, "input": shared} for name, (wide, tall, shared) in TARGETS.items()},
        "optimizers": OPTIMIZERS,
        "bases": {"bf16": {"bytes": 2}, "nf4": {"bytes": NF4_BYTES}, "int8": {"bytes": INT8_BYTES}},
        "sharding": {"divided": ["weights_frozen", "weights_trainable", "gradients", "optimizer"], "gathered": 2},
        "models": {name: asdict(one) for name, one in _models().items()},
        "variants": {},
    }
    for variant in variants():
        content["variants"][variant.name] = _rounded(fit(variant))
        report(variant.name)
    _save(content)
    for name, config in PRESETS.items():
        if isinstance(config, MGMConfig):
            content["models"][name]["image"] |= _image(name, content)
            report(f"{name}: image")
    _save(content)


def _save(content: dict[str, Any]) -> None:
    write_atomically(FILE, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    closed_form.data.cache_clear()


def _models() -> dict[str, Dimensions]:
    return {name: _preset(config) for name, config in PRESETS.items()} | OTHERS


def _preset(config: LLMConfig | MGMConfig) -> Dimensions:
    if isinstance(config, LLMConfig):
        return dimensions(config)
    return replace(dimensions(config.llm), image=_vision_sizes(config))


def _vision_sizes(config: MGMConfig) -> dict[str, int]:
    import torch

    from lora_demo.memory.build import TRAINED_PROJECTORS
    from lora_demo.models.mgm import MGM

    with torch.device("meta"):
        model = MGM(config)
    trained = sum(p.numel() for name in TRAINED_PROJECTORS for p in model.get_submodule(name).parameters())
    whole = sum(p.numel() for p in model.parameters())
    decoder = sum(p.numel() for p in model.language_model.parameters())
    return {"positions": config.image_tokens, "trained": trained, "frozen": whole - trained - decoder}


def _rounded(found: Any) -> Any:
    """Whole bytes where the solution is as good as whole."""
    return {
        moment: {
            kind: {
                name: round(number) if abs(number - round(number)) < 0.02 else round(number, 4)
                for name, number in some.items()
            }
            for kind, some in terms.items()
            if some
        }
        for moment, terms in found.items()
    }


def _image(name: str, content: dict[str, Any]) -> dict[str, dict[str, dict[str, int]]]:
    """Bytes that one image adds to each moment: the trace less the formula of the language model."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    held = {"temporaries": WORKSPACE}
    for method, spelt in (("full", "full"), ("lora", "lora:r=16,targets=all")):
        length = min(IMAGE_PROBE, PRESETS[name].splice.max_length)  # type: ignore[union-attr]
        setting = Setting(name, spelt, length=length)
        seen = moments(trace_subject(build_subject(name), setting, landmarks=True)[0])
        request = Request(method=method, length=length)
        formula = closed_form.every_moment(Dimensions(**content["models"][name]), request)
        found[method] = {
            moment: {
                kind: round(seen[moment][kind] - formula[moment].get(kind, 0) + held.get(kind, 0))
                for kind in ("activations", "temporaries")
            }
            for moment in seen
        }
    return found
