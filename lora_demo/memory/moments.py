"""The moments of a step at which memory peaks, and what is alive at each: the bridge from a trace to a formula.

    forward         before any logits exist
    loss            while logits, their float32 copy or their gradient are alive
    backward_start  first half of the backward after that: all activations, few gradients
    backward_end    second half: all gradients, few activations
    clip, update    gradient norm, optimizer

Within one moment the sum of parts is linear in the model's dimensions, rows, positions and rank (each layer's backward
frees as much as the next one's, so the extremes lie at the ends); over the step it is the maximum of the moments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from lora_demo.memory.trace import KINDS, Kind, Trace

Moment = Literal["forward", "loss", "backward_start", "backward_end", "clip", "update"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)
Parts = dict[Kind, int]


def moments(trace: Trace) -> dict[Moment, Parts]:
    """Requested bytes by kind at the highest point of each moment, over all steps of the trace."""
    live: Parts = dict.fromkeys(KINDS, 0)
    highest: dict[Moment, tuple[int, Parts]] = {}
    for event, second_half in _with_halves(trace):
        storage = trace[abs(event)]
        live[storage.kind] += storage.nbytes if event > 0 else -storage.nbytes
        moment = _moment(storage.phase, live["logits"] > 0, second_half) if event > 0 else None
        if moment is not None and sum(live.values()) > highest.get(moment, (0, live))[0]:
            highest[moment] = sum(live.values()), dict(live)
    return {moment: parts for moment, (_, parts) in highest.items()}


def _moment(phase: str, logits: bool, second_half: bool) -> Moment | None:
    if phase in ("forward", "backward") and logits:
        return "loss"
    if phase == "backward":
        return "backward_end" if second_half else "backward_start"
    if phase == "optimizer":
        return "update"
    return "forward" if phase == "forward" else "clip" if phase == "clip" else None


def _with_halves(trace: Trace) -> Iterator[tuple[int, bool]]:
    """Each birth or death, and whether it lies in the second half of its backward's births."""
    births = [event for event in trace.events if event > 0]
    second = set()
    start = 0
    while start < len(births):
        phase = trace[births[start]].phase
        end = start
        while end < len(births) and trace[births[end]].phase == phase:
            end += 1
        if phase == "backward":
            second.update(births[(start + end) // 2 : end])
        start = end
    for event in trace.events:
        if event:
            yield event, event in second
