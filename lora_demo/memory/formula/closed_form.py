"""The peak of a training step as a formula: no trace, no torch, and the same few lines in a browser.

    peak = workspace + max over points of the sum over kinds of  sum_i coefficient_i * monomial_i

`closed_form.json` (package data, `schema` 2) holds everything; `version` changes with any coefficient:

    models      name -> dimensions: family, layers L, hidden h, intermediate f, heads, kv_heads, head_dim, vocabulary V,
                tied; `image` for vision-language models: `positions` that an image takes of a row, `trained` parameters
                outside the language model that full fine-tuning trains, `frozen` ones, and
                variant -> point -> kind -> bytes that one row's image adds
    targets     linear layer -> input and output width in variables
    groups      the indicators "t" + first letters: 1 if any of these layers is targeted
    variants    "family/method/dtype/keep|recompute/whole|selected" -> point -> kind -> {monomial: bytes}
    optimizers  name -> {"state": bytes per trainable value, by its size; "update": {monomial: values}}
    bases       how a frozen base's linear weights may be stored: bytes per value, and how many bytes per value of the
                largest one the copy takes that is made to use it
    slack       "keep|recompute/whole|selected" -> the most that the allocator was seen to reserve over the peak
    sharding    how FSDP divides a part among N cards

A point is an allocation of the step: "backward/last/mlp.up_proj.adapter#1/0" is made in the last layer's backward by
the adapter of up_proj; "update" is the optimizer's. A monomial is a product of variables, "L*B*T*h". The variables:

    L h f V d heads    dimensions; q = heads*d, k = kv_heads*d
    B T S              rows, positions per row (image positions included), rows of logits: B*supervised, or all text
                       positions that have a next one
    r                  rank
    tq tk ... tqkv     1 if that layer, or any of the group, is targeted, else 0
    tie                1 if output head and embedding are one tensor, else 0
    P big              trainable values, the largest trainable tensor

The kinds are those of `trace.Kind`. weights_frozen, weights_trainable and optimizer follow from counts (`variables`,
`optimizers`), the others from `variants`, read off traced steps (`points`, `closed_form_fit`); tests hold the peaks
against the trace. Blocks are counted at their requested size: what the allocator adds by rounding and by unsplit
remainders is not in the formula.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Number = int | float
Terms = dict[str, dict[str, Number]]
FILE = Path(__file__).with_name("closed_form.json")
SCHEMA = 2
TARGETS = {
    "q_proj": ("h", "q"),
    "k_proj": ("h", "k"),
    "v_proj": ("h", "k"),
    "o_proj": ("q", "h"),
    "gate_proj": ("h", "f"),
    "up_proj": ("h", "f"),
    "down_proj": ("f", "h"),
}
ALL = tuple(TARGETS)
OUTSIDE = ("update", "forward/picture", "backward/picture")
"""Points at which no layer of the decoder is at work."""
COUNTED = ("gradients", "activations", "logits", "temporaries")
GROUPS = ("tqkv", "tgu", "tqkvo", "tqkvog", "tqkvou", "tqkvogu")
"""Layers that read one input, and what a first layer has at or before a place of its own."""


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
    shards: int = 1


@dataclass(frozen=True)
class Estimate:
    """Bytes at the highest point; `parts` add up to `peak`."""

    point: str
    peak: int
    parts: dict[str, int]


def variables(model: Dimensions, request: Request) -> dict[str, Number]:
    """Value of every variable. Raises OutOfForm for rows too short to hold a picture and a word after it."""
    picture = model.image.get("positions", 0)
    rows = request.supervised or request.length - 1 - picture
    if rows < 1 or request.length <= picture:
        raise OutOfForm(
            f"length={request.length}: the picture takes {picture} positions of it; use {picture + 2} or more"
        )
    values: dict[str, Number] = {
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
        "S": request.batch * rows,
        "r": request.rank,
    }
    return values | indicators(request.targets, model.tied) | _trainable(model, request, values)


def indicators(targets: Sequence[str], tied: bool) -> dict[str, int]:
    """The variables that are 0 or 1; "1" is always 1."""
    letters = {name[0] for name in targets}
    return {
        "1": 1,
        "tie": int(tied),
        **{f"t{name[0]}": int(name[0] in letters) for name in TARGETS},
        **{group: int(not letters.isdisjoint(group[1:])) for group in GROUPS},
    }


def _trainable(model: Dimensions, request: Request, values: Mapping[str, Number]) -> dict[str, Number]:
    if request.method == "full":
        return {
            "P": base_parameters(model) + model.image.get("trained", 0),
            "big": values["V"] * values["h"],
        }
    widths = [(values[wide], values[tall]) for wide, tall in (TARGETS[name] for name in request.targets)]
    return {
        "P": model.layers * request.rank * sum(wide + tall for wide, tall in widths),
        "big": request.rank * max((max(pair) for pair in widths), default=0),
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


def value(monomial: str, values: Mapping[str, Number]) -> Number:
    """A product of variables."""
    return math.prod(values[name] for name in monomial.split("*"))


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
    """The highest point of a step and its parts."""
    found = every_point(model, request)
    highest = max(found, key=lambda point: sum(found[point].values()))
    return Estimate(highest, sum(found[highest].values()), found[highest])


def every_point(model: Dimensions, request: Request) -> dict[str, dict[str, int]]:
    """The parts at each point."""
    name, values, always = variant_name(model, request), variables(model, request), counted(model, request)
    images = model.image.get("variants", {}).get(name, {})
    found = {}
    for point, terms in _chosen("variants", name).items():
        parts = at(point, terms, request, values)
        for kind, bytes_ in images.get(point, {}).items():
            parts[kind] += request.batch * bytes_
        if point not in OUTSIDE:
            parts["temporaries"] += _unpacked(model, request)
        parts = _sharded(parts | always, request, model)
        found[point] = _balanced({kind: round(bytes_) for kind, bytes_ in parts.items()})
    return found


def _balanced(parts: dict[str, int]) -> dict[str, int]:
    """A picture's share of a part is a round figure, so many pictures can take one below nothing: the largest pays."""
    largest = max(COUNTED, key=lambda kind: parts[kind])
    owed = sum(min(0, parts[kind]) for kind in COUNTED)
    return {kind: max(0, bytes_) + (owed if kind == largest else 0) for kind, bytes_ in parts.items()}


def variant_name(model: Dimensions, request: Request) -> str:
    """Which formulas a request takes."""
    dtype = "fp32" if request.adapter_fp32 and request.method != "full" else "bf16"
    return f"{model.family}/{request.method}/{dtype}/{slack_key(request)}"


def slack_key(request: Request) -> str:
    """What the allocator's allowance goes by: recomputation and whole logits decide how large the cache's holes are."""
    recompute = "recompute" if request.checkpointing else "keep"
    return f"{recompute}/{'whole' if request.supervised is None else 'selected'}"


def _chosen(table: str, name: str) -> Any:
    """An entry of one of the file's tables: variants, optimizers, bases. Raises OutOfForm with those there are."""
    entries = data()[table]
    if name not in entries:
        raise OutOfForm(f"{name!r} is not among the {table} of the closed form: {', '.join(sorted(entries))}")
    return entries[name]


def at(point: str, terms: Terms, request: Request, values: Mapping[str, Number]) -> dict[str, Number]:
    parts = {
        kind: sum(bytes_ * value(name, values) for name, bytes_ in terms.get(kind, {}).items()) for kind in COUNTED
    }
    if point == "update":
        update = _chosen("optimizers", request.optimizer)["update"]
        parts["temporaries"] = trained_width(request) * sum(n * value(name, values) for name, n in update.items())
    parts["temporaries"] += data()["workspace"]
    return parts


def counted(model: Dimensions, request: Request) -> dict[str, Number]:
    """Weights and the optimizer's state, which are there at every point."""
    width, trainable = trained_width(request), variables(model, request)["P"]
    total = base_parameters(model) + model.image.get("trained", 0) + model.image.get("frozen", 0)
    packed = 0 if request.method == "full" else linear_parameters(model)
    frozen = total - trainable if request.method == "full" else total - packed
    return {
        "weights_frozen": 2 * frozen + _chosen("bases", request.base)["bytes"] * packed,
        "weights_trainable": width * trainable,
        "optimizer": trainable * _chosen("optimizers", request.optimizer)["state"][str(width)],
    }


def trained_width(request: Request) -> int:
    """Bytes of a trainable value."""
    return 4 if request.adapter_fp32 and request.method != "full" else 2


def _unpacked(model: Dimensions, request: Request) -> Number:
    """The copy that is made of a packed layer's weight to multiply by it; the largest layer's."""
    widest = max(model.intermediate, model.heads * model.head_dim)
    return 0 if request.method == "full" else _chosen("bases", request.base)["copy"] * model.hidden * widest


def _sharded(parts: dict[str, Number], request: Request, model: Dimensions) -> dict[str, Number]:
    """FSDP on paper: weights, gradients and optimizer state divided by N, two layers gathered at a time."""
    if request.shards == 1:
        return parts
    sharding = data()["sharding"]
    found = {kind: bytes_ / (request.shards if kind in sharding["divided"] else 1) for kind, bytes_ in parts.items()}
    found["temporaries"] += sharding["gathered"] * 2 * linear_parameters(model) / model.layers
    return found
