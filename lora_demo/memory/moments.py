"""The moments of a step at which memory peaks, and what is alive at each: the bridge from a trace to a formula.

    inputs                 before the first layer: embedding, vision towers
    attention, feedforward          of the last layer, forward: all kept activations and one layer's temporaries
    loss, loss_backward    from the last layer's end to the gradient of the logits
    head                   the output head's backward
    last_feedforward, last_attention      the last layer's backward (with its recomputation): all activations
    first_feedforward, first_attention    the first layer's backward: all gradients
    embedding              what comes after it
    clip, update           gradient norm, optimizer

Each layer's backward frees as much as the next one's, so the extremes of the layers lie at the ends. Within one moment
the sum of parts is linear in the model's dimensions, rows, positions and rank; over the step it is the maximum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from lora_demo.memory.trace import KINDS, Kind, Trace

Moment = Literal[
    "inputs",
    "attention",
    "feedforward",
    "loss",
    "loss_backward",
    "head",
    "last_feedforward",
    "last_attention",
    "first_feedforward",
    "first_attention",
    "embedding",
    "clip",
    "update",
]
MOMENTS: tuple[Moment, ...] = get_args(Moment)
Parts = dict[Kind, int]


def moments(trace: Trace) -> dict[Moment, Parts]:
    """Requested bytes by kind at the highest point of each moment, over all steps of the trace; needs its marks."""
    live: Parts = dict.fromkeys(KINDS, 0)
    highest: dict[Moment, tuple[int, Parts]] = {}
    last = max((layer for _, _, layer in trace.marks), default=0)
    for event, mark, layer in _with_marks(trace):
        storage = trace[abs(event)]
        live[storage.kind] += storage.nbytes if event > 0 else -storage.nbytes
        moment = _moment(storage.phase, mark, layer, last) if event > 0 else None
        if moment is not None and sum(live.values()) > highest.get(moment, (0, live))[0]:
            highest[moment] = sum(live.values()), dict(live)
    return {moment: highest[moment][1] for moment in MOMENTS if moment in highest}


def _moment(phase: str, mark: str, layer: int, last: int) -> Moment | None:
    if phase == "clip":
        return "clip"
    if phase == "optimizer":
        return "update"
    if phase == "forward":
        return _forward(mark, layer, last)
    return _backward(mark, layer, last) if phase == "backward" else None


def _forward(mark: str, layer: int, last: int) -> Moment | None:
    if mark == "loss":
        return "loss"
    if mark in ("attention", "feedforward"):
        here: Moment = "attention" if mark == "attention" else "feedforward"
        return here if layer == last else None
    return "inputs"


def _backward(mark: str, layer: int, last: int) -> Moment | None:
    if mark in ("loss", "head", "embedding"):
        found: dict[str, Moment] = {"loss": "loss_backward", "head": "head", "embedding": "embedding"}
        return found[mark]
    feedforward = mark == "backward_feedforward"
    if layer == last:
        return "last_feedforward" if feedforward else "last_attention"
    if layer == 0:
        return "first_feedforward" if feedforward else "first_attention"
    return None


def _with_marks(trace: Trace) -> Iterator[tuple[int, str, int]]:
    """Each birth or death with the mark it stands under; a new step's forward stands under none until its first."""
    marks = iter([*trace.marks, (len(trace.events) + 1, "", 0)])
    ahead = next(marks)
    mark, layer = "", 0
    for position, event in enumerate(trace.events):
        while ahead[0] <= position:
            (_, mark, layer), ahead = ahead, next(marks)
        if event > 0 and trace[event].phase == "forward" and mark.startswith(("backward", "embedding", "head")):
            mark, layer = "", 0
        if event:
            yield event, mark, layer
