"""The tracker against arithmetic on small models, and against PyTorch's own account of real CPU tensors."""

from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lora_demo.memory.tracing.known_results import KnownResults
from lora_demo.memory.tracing.trace import replay
from lora_demo.memory.tracing.tracker import StorageTracker, watch_model


def trace_once(model: nn.Module, inputs: torch.Tensor) -> StorageTracker:
    tracker = StorageTracker()
    watch_model(tracker, model)
    with tracker:
        tracker.note(inputs)
        with tracker.during("forward"):
            loss = model(inputs).sum()
        with tracker.during("backward"):
            torch.autograd.backward(loss)
    return tracker


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("width", [256, 512])
def test_a_stack_of_linears_matches_the_closed_form(depth: int, width: int) -> None:
    """Peak of the first backward: weights, inputs of every layer, then the gradients as they come."""
    rows = 1024
    with torch.device("meta"):
        model = nn.Sequential(*[nn.Linear(width, width, bias=False) for _ in range(depth)])
        inputs = torch.empty(rows, width)
    result = replay(trace_once(model, inputs).trace)
    layer, weight = rows * width * 4, width * width * 4
    # At its peak the backward of layer i holds: all weights, the kept inputs of layers <= i, the gradient coming in,
    # the gradient going out (none below the first layer), and the weight gradients of the layers above and of i.
    # `sum` hands down a broadcast scalar, so the gradient that enters the last layer takes no memory of a layer.
    candidates = [
        depth * weight
        + (i + 1) * layer  # input and the outputs kept for layers 1..i
        + (layer if i < depth - 1 else 0)
        + (layer if i > 0 else 0)
        + (depth - i) * weight
        for i in range(depth)
    ]
    forward = depth * weight + (depth + 1) * layer
    assert result.peak_allocated == pytest.approx(max([forward, *candidates]), rel=0.01)


def test_parts_add_up_to_the_peak() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
        inputs = torch.empty(32, 64)
    result = replay(trace_once(model, inputs).trace, workspace=4096)
    assert sum(result.parts.values()) == result.peak_allocated


def test_kinds_are_what_became_of_each_storage() -> None:
    with torch.device("meta"):
        frozen, trained = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)
        frozen.requires_grad_(False)
        model = nn.Sequential(trained, frozen)
        inputs = torch.empty(32, 64)
    kinds = {storage.kind: 0 for storage in trace_once(model, inputs).trace.storages}
    for storage in trace_once(model, inputs).trace.storages:
        kinds[storage.kind] += storage.nbytes
    assert kinds["weights_frozen"] == kinds["weights_trainable"] == 64 * 64 * 4
    assert kinds["gradients"] == 64 * 64 * 4


@given(
    widths=st.lists(st.integers(40, 400), min_size=2, max_size=5),
    rows=st.integers(100, 600),
    between=st.lists(st.sampled_from([nn.Tanh, nn.GELU, nn.Sigmoid, nn.Identity]), min_size=4, max_size=4),
    frozen=st.booleans(),
)
@settings(deadline=None, max_examples=12)
def test_live_bytes_equal_pytorchs_account_of_real_tensors(
    widths: list[int], rows: int, between: list[type[nn.Module]], frozen: bool
) -> None:
    """The same model on the CPU under PyTorch's profiler: allocations and releases of real memory."""

    def build() -> nn.Module:
        layers = [
            [nn.Linear(wide, narrow), kind()] for (wide, narrow), kind in zip(pairwise(widths), between, strict=False)
        ]
        # Tanh last: the gradient of a sum is a broadcast scalar, which the CPU's GELU would copy out within its kernel.
        model = nn.Sequential(*[module for pair in layers for module in pair], nn.Tanh())
        layers[0][0].requires_grad_(not frozen or len(layers) == 1)
        return model

    with torch.device("meta"):
        shadow, shadow_inputs = build(), torch.empty(rows, widths[0])
    tracker = trace_once(shadow, shadow_inputs)
    live = peak = 0
    for event in tracker.trace.events:
        live += tracker.trace[event].nbytes if event > 0 else -tracker.trace[-event].nbytes
        peak = max(peak, live)
    assert peak == pytest.approx(_profiled_peak(build(), torch.randn(rows, widths[0])), rel=0.02)


def test_a_remembered_result_is_the_operators_own() -> None:
    """A trace with and without memory of earlier results: the same storages live and die in the same order."""

    def model() -> nn.Module:
        with torch.device("meta"):
            return nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU()) for _ in range(3)])

    def asked_every_time(self: KnownResults, func: Any, args: Any, kwargs: Any) -> Any:
        return func(*args, **kwargs)

    inputs = torch.empty(32, 64, device="meta")
    remembered = trace_once(model(), inputs).trace
    with mock.patch.object(KnownResults, "run", asked_every_time):
        asked = trace_once(model(), inputs).trace
    assert remembered.events == asked.events
    assert remembered.storages == asked.storages


def _profiled_peak(model: nn.Module, inputs: torch.Tensor) -> int:
    held = inputs.nbytes + sum(parameter.nbytes for parameter in model.parameters())
    with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        model(inputs).sum().backward()
    results: Any = profile.profiler
    changes = [event.nbytes() for event in results.kineto_results.events() if event.name() == "[memory]"]
    live = peak = held
    for change in changes:
        live += change
        peak = max(peak, live)
    return peak
