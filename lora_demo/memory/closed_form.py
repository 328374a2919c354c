"""The peak of a training step as a formula: no trace, no torch, and the same few lines in a browser.

    peak = workspace + max over moments of the sum over kinds of  sum_i coefficient_i * monomial_i

`closed_form.json` (package data, `schema` 1) holds everything; `version` changes with any coefficient:

    models      name -> dimensions: family, layers L, hidden h, intermediate f, heads, kv_heads, head_dim, vocabulary V,
                tied; `image` for vision-language models: `positions` that an image takes of a row, `trained` parameters
                outside the language model that full fine-tuning trains, `frozen` ones, and
                method -> moment -> kind -> bytes that one row's image adds
    targets     linear layer -> [input width, output width] in variables, and which input it shares
    variants    "family/method/dtype/keep|recompute/whole|selected" -> moment -> kind -> {monomial: bytes}
    optimizers  name -> {"state": bytes per trainable value, by its size; "update": {monomial: values}}
    bases       how a frozen base's linear weights may be stored: bytes per value, and the copy made to use one
    sharding    how FSDP divides a part among N cards

A monomial is a product of variables, "L*B*T*h" or "P/L" (one division at most). The variables:

    L h f V d heads    dimensions; q = heads*d, k = kv_heads*d
    B T S              rows, positions per row (image positions included), rows of logits: B*supervised, or all text
                       positions that have a next one
    r                  rank
    na ina outa uina   targets in the attention of a layer, sums of their input and output widths, sum of their distinct
                       inputs; nf inf outf uinf in its feed-forward
    P big              trainable values, the largest trainable tensor
    E                  V*h where output head and embedding are one tensor, else 0

The kinds are those of `trace.Kind`. weights_frozen, weights_trainable and optimizer follow from counts (`variables`,
`optimizers`), the others from `variants`. The coefficients are solved from traces (`closed_form_fit`), and a test holds
the peaks against the trace on the presets. Blocks are counted at their requested size: what the allocator adds by
rounding and by unsplit remainders is not in the formula.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Terms = dict[str, dict[str, float]]
FILE = Path(__file__).with_name("closed_form.json")
SCHEMA = 1
TARGETS = {
    "q_proj": ("h", "q", "attention"),
    "k_proj": ("h", "k", "attention"),
    "v_proj": ("h", "k", "attention"),
    "o_proj": ("q", "h", "output"),
    "gate_proj": ("h", "f", "feedforward"),
    "up_proj": ("h", "f", "feedforward"),
    "down_proj": ("f", "h", "down"),
}
ALL = tuple(TARGETS)
ATTENTION = ALL[:4]


class OutOfForm(ValueError):
    """A request that the closed form does not know; the message names the field and what there is."""


@dataclass(frozen=True)
class Dimensions:
    """A decoder with gated feed-forward; `image` as in the file, for vision-language models."""

    family: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool = True
    biases: int = 0
    image: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What is trained and how; `supervised` None means whole logits."""

    method: str = "lora"
    rank: int = 16
    targets: tuple[str, ...] = ALL
    batch: int = 1
    length: int = 1024
    supervised: int | None = None
    checkpointing: bool = False
    adapter_fp32: bool = True
    optimizer: str = "foreach"
    base: str = "bf16"
    chunks: int = 1
    shards: int = 1


@dataclass(frozen=True)
class Estimate:
    """Bytes at the highest moment; `parts` add up to `peak`."""

    moment: str
    peak: int
    parts: dict[str, int]


def variables(model: Dimensions, request: Request) -> dict[str, float]:
    """Value of every variable."""
    values: dict[str, float] = {
        "1": 1,
        "L": model.layers,
        "h": model.hidden,
        "f": model.intermediate,
        "V": model.vocabulary,
        "d": model.head_dim,
        "heads": model.heads,
        "q": model.heads * model.head_dim,
        "k": model.kv_heads * model.head_dim,
        "B": request.batch,
        "T": request.length,
        "S": request.batch * (request.supervised or request.length - 1 - model.image.get("positions", 0)),
        "r": request.rank,
        "E": model.vocabulary * model.hidden if model.tied else 0,
    }
    return values | _adapter_variables(model, request, values)


def _adapter_variables(model: Dimensions, request: Request, values: Mapping[str, float]) -> dict[str, float]:
    widths = {name: (values[TARGETS[name][0]], values[TARGETS[name][1]]) for name in request.targets}
    if request.method == "full":
        trainable = base_parameters(model) + model.image.get("trained", 0)
        largest = values["V"] * values["h"]
    else:
        trainable = model.layers * request.rank * sum(wide + tall for wide, tall in widths.values())
        largest = request.rank * max((max(pair) for pair in widths.values()), default=0)
    attention = _group("a", [name for name in widths if name in ATTENTION], widths)
    feedforward = _group("f", [name for name in widths if name not in ATTENTION], widths)
    return {"P": trainable, "big": largest, **attention, **feedforward}


def _group(suffix: str, names: Sequence[str], widths: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    distinct = {TARGETS[name][2]: widths[name][0] for name in names}
    return {
        f"n{suffix}": len(names),
        f"in{suffix}": sum(widths[name][0] for name in names),
        f"out{suffix}": sum(widths[name][1] for name in names),
        f"uin{suffix}": sum(distinct.values()),
    }


def base_parameters(model: Dimensions) -> int:
    """V h (twice if untied) + L (2 h q + 2 h k + 3 h f + 2 h) + h, and biases."""
    h, q, k = model.hidden, model.heads * model.head_dim, model.kv_heads * model.head_dim
    layer = 2 * h * q + 2 * h * k + 3 * h * model.intermediate + 2 * h
    return model.vocabulary * h * (1 if model.tied else 2) + model.layers * layer + h + model.biases


def linear_parameters(model: Dimensions) -> int:
    """Values in the seven linear layers of every decoder layer: what a quantised base stores in few bits."""
    h, q, k = model.hidden, model.heads * model.head_dim, model.kv_heads * model.head_dim
    return model.layers * (2 * h * q + 2 * h * k + 3 * h * model.intermediate)


def value(monomial: str, values: Mapping[str, float]) -> float:
    """A product of variables, divided by one more if it has a slash."""
    product, _, divisor = monomial.partition("/")
    found = math.prod(values[name] for name in product.split("*"))
    return found / values[divisor] if divisor else found


@cache
def data() -> dict[str, Any]:
    """The file."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    if found["schema"] != SCHEMA:
        raise OutOfForm(f"{FILE.name}: schema {found['schema']} where this code reads {SCHEMA}")
    return found


def model_dimensions(name: str) -> Dimensions:
    """The named preset's dimensions."""
    models = data()["models"]
    if name not in models:
        raise OutOfForm(f"model {name!r}: the closed form has {', '.join(models)}")
    return Dimensions(**models[name])


def estimate(model: Dimensions, request: Request) -> Estimate:
    """The highest moment of a step and its parts."""
    found = every_moment(model, request)
    highest = max(found, key=lambda moment: sum(found[moment].values()))
    return Estimate(highest, sum(found[highest].values()), found[highest])


def every_moment(model: Dimensions, request: Request) -> dict[str, dict[str, int]]:
    """The parts at each moment."""
    values = variables(model, request)
    moments = _variant(model, request)
    return {moment: _parts(moment, terms, model, request, values) for moment, terms in moments.items()}


def _variant(model: Dimensions, request: Request) -> Mapping[str, Terms]:
    dtype = "fp32" if request.adapter_fp32 and request.method != "full" else "bf16"
    recompute = "recompute" if request.checkpointing else "keep"
    logits = "whole" if request.supervised is None else "selected"
    name = f"{model.family}/{request.method}/{dtype}/{recompute}/{logits}"
    variants = data()["variants"]
    if name not in variants:
        raise OutOfForm(f"{name}: the closed form has {', '.join(sorted(variants))}")
    return variants[name]


def _parts(
    moment: str, terms: Terms, model: Dimensions, request: Request, values: Mapping[str, float]
) -> dict[str, int]:
    parts = {kind: sum(bytes_ * value(name, values) for name, bytes_ in some.items()) for kind, some in terms.items()}
    optimizer = data()["optimizers"].get(request.optimizer)
    if optimizer is None:
        raise OutOfForm(f"optimizer {request.optimizer!r}: the closed form has {', '.join(data()['optimizers'])}")
    width = 4 if request.adapter_fp32 and request.method != "full" else 2
    parts["optimizer"] = values["P"] * optimizer["state"][str(width)]
    if moment == "update":
        update = sum(count * value(name, values) for name, count in optimizer["update"].items())
        parts["temporaries"] = width * update
    parts["logits"] = parts.get("logits", 0) / request.chunks
    parts |= _weights(model, request, values["P"], width)
    for kind, bytes_ in model.image.get(request.method, {}).get(moment, {}).items():
        parts[kind] = parts.get(kind, 0) + request.batch * bytes_
    parts["temporaries"] = parts.get("temporaries", 0) + data()["workspace"]
    return {kind: round(bytes_) for kind, bytes_ in _sharded(parts, request, model).items()}


def _weights(model: Dimensions, request: Request, trainable: float, width: int) -> dict[str, float]:
    total = base_parameters(model) + model.image.get("trained", 0) + model.image.get("frozen", 0)
    if request.method == "full":
        return {"weights_trainable": 2 * trainable, "weights_frozen": 2 * (total - trainable)}
    if request.base not in data()["bases"]:
        raise OutOfForm(f"base {request.base!r}: the closed form has {', '.join(data()['bases'])}")
    packed = linear_parameters(model)
    base = 2 * (total - packed) + data()["bases"][request.base]["bytes"] * packed
    return {"weights_trainable": width * trainable, "weights_frozen": base}


def _sharded(parts: dict[str, float], request: Request, model: Dimensions) -> dict[str, float]:
    """FSDP on paper: weights, gradients and optimizer state divided by N, two layers gathered at a time."""
    if request.shards == 1:
        return parts
    layer = linear_parameters(model) / model.layers
    divided = ("weights_frozen", "weights_trainable", "gradients", "optimizer")
    found = {kind: bytes_ / (request.shards if kind in divided else 1) for kind, bytes_ in parts.items()}
    found["temporaries"] += 2 * 2 * layer
    return found
