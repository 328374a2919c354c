"""Where the closed form's coefficients come from: traces of small random models, solved for bytes per monomial.

Meta tensors cost nothing, so dimensions are drawn at the size of real models while only the number of layers is small.
At each moment the bytes of a kind are a sum of monomials (rows x positions x width, per layer or once); enough drawn
traces determine the coefficients. One step is traced: the optimizer's state, which the first step's forward does not
have yet, is a count. `closed_form_check` holds the peaks against whole traces of the presets.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import lsq_linear

from lora_demo.memory.closed_form import Dimensions, Request, Terms, value, variables
from lora_demo.memory.moments import Moment, Parts, moments
from lora_demo.memory.predict import Setting, trace_subject
from lora_demo.memory.subject import TextSubject
from lora_demo.memory.trace import Kind
from lora_demo.models.config import LLMConfig
from lora_demo.models.llm import build_llm

DRAWS_PER_UNKNOWN = 2
FITTED: tuple[Kind, ...] = ("gradients", "activations", "logits", "temporaries")
ACTIVATION_WIDTHS = ("h", "f", "q", "k", "heads")
ADAPTER_WIDTHS = ("ina", "outa", "na*r", "uina", "inf", "outf", "nf*r", "uinf")
NEGLIGIBLE = 2e-4
"""Share of a moment's total below which a monomial is dropped."""
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Variant:
    """What has coefficients of its own."""

    family: str
    method: str
    adapter_fp32: bool
    checkpointing: bool
    selected: bool

    @property
    def name(self) -> str:
        dtype = "fp32" if self.adapter_fp32 else "bf16"
        return "/".join((self.family, self.method, dtype, "recompute" if self.checkpointing else "keep")) + (
            "/selected" if self.selected else "/whole"
        )


def monomials(variant: Variant) -> list[str]:
    """Candidates: rows times positions times a width, per layer and once; logits; weights."""
    widths = list(ACTIVATION_WIDTHS) + (list(ADAPTER_WIDTHS) if variant.method == "lora" else [])
    found = [_product(layers, "B*T", width) for layers, width in itertools.product(("L", ""), widths)]
    found += ["S*V", "P", "P/L"]
    found += ["S*h"] if variant.selected else ["B*T*V"]
    return found + (["V*h", "E", "h*f"] if variant.method == "full" else [])


def _product(*factors: str) -> str:
    return "*".join(factor for factor in factors if factor not in ("", "1")) or "1"


def draw(variant: Variant, source: random.Random) -> tuple[LLMConfig, Request]:
    """One random model and request of the variant; attention about as wide as the model, as real ones are."""
    head_dim = source.choice((64, 128, 256))
    heads = 4 * source.randint(1024 // head_dim // 4, 4096 // head_dim // 4)
    kv_heads = source.choice([count for count in (1, 2, 4, 8) if heads % count == 0])
    hidden = 64 * round(heads * head_dim / 64 * source.uniform(0.7, 1.3))
    config = LLMConfig(
        family="gemma" if variant.family == "gemma" else "llama",
        vocab_size=1000 * source.randint(32, 256),
        hidden_size=hidden,
        intermediate_size=hidden * source.randint(3, 8) + 64 * source.randint(0, 8),
        num_hidden_layers=source.choice((2, 4, 6)),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        hidden_act="gelu_pytorch_tanh" if variant.family == "gemma" else "silu",
        tie_word_embeddings=variant.family == "gemma" or source.random() < 0.5,
        pad_token_id=0,
    )
    rest = [name for name in TARGETS[1:] if source.random() < 0.5]
    length = 128 * source.randint(2, 12)
    request = Request(
        method=variant.method,
        rank=source.choice((4, 8, 16, 32, 64)),
        targets=("q_proj", *rest),
        batch=source.randint(1, 4),
        length=length,
        supervised=source.randint(16, 128) if variant.selected else None,
        checkpointing=variant.checkpointing,
        adapter_fp32=variant.adapter_fp32,
    )
    return config, request


def dimensions(config: LLMConfig) -> Dimensions:
    """The closed form's view of a configuration."""
    return Dimensions(
        family=config.family,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        vocabulary=config.vocab_size,
        tied=config.tie_word_embeddings,
    )


def traced(config: LLMConfig, request: Request) -> dict[Moment, Parts]:
    """The moments of our step on that model."""
    with torch.device("meta"):
        subject = TextSubject(build_llm(config).to(torch.bfloat16).train())
    method = "full"
    if request.method == "lora":
        method = f"lora:r={request.rank},targets={'+'.join(request.targets)}"
    setting = Setting(
        model="",
        method=method,
        batch=request.batch,
        length=request.length,
        optimizer=request.optimizer,
        checkpointing=request.checkpointing,
        supervised=request.supervised,
        adapter_fp32=request.adapter_fp32,
    )
    return moments(trace_subject(subject, setting, steps=1, landmarks=True)[0])


def fit(variant: Variant, *, seed: int = 0) -> dict[Moment, Terms]:
    """Coefficients in bytes per monomial, by moment and kind."""
    names = monomials(variant)
    source = random.Random(f"{seed}/{variant.name}")
    drawn = [draw(variant, source) for _ in range(DRAWS_PER_UNKNOWN * len(names))]
    values = [variables(dimensions(config), request) for config, request in drawn]
    rows = np.array([[value(name, one) for name in names] for one in values])
    seen = [traced(config, request) for config, request in drawn]
    return {
        moment: {kind: _solve(names, rows, [parts[moment] for parts in seen], kind) for kind in FITTED}
        for moment in seen[0]
    }


def _solve(names: Sequence[str], rows: Any, parts: Sequence[Parts], kind: Kind) -> dict[str, float]:
    """Least squares on relative errors; monomials of no consequence are left out.

    Nothing that comes with every layer can be negative. What comes once can: the first layer saves less than the rest.
    """
    totals = np.array([sum(one.values()) for one in parts], dtype=float)
    wanted = np.array([one[kind] for one in parts], dtype=float) / totals
    weighed = rows / totals[:, None]
    scale = weighed.max(axis=0)
    lowest = [-np.inf if name == "E" or (name.startswith("B*T") and name != "B*T*V") else 0.0 for name in names]
    solution = lsq_linear(weighed / scale, wanted, bounds=(lowest, np.inf)).x / scale
    share = np.abs(solution * weighed).max(axis=0)
    return {name: float(bytes_) for name, bytes_, part in zip(names, solution, share, strict=True) if part > NEGLIGIBLE}


def variants() -> Iterator[Variant]:
    """All that the closed form knows."""
    for family, checkpointing, selected in itertools.product(("gemma", "llama"), (False, True), (False, True)):
        base = Variant(family, "full", False, checkpointing, selected)
        yield base
        for fp32 in (True, False):
            yield replace(base, method="lora", adapter_fp32=fp32)
