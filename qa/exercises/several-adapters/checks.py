"""What serving several adapters in one batch must do; sizes are primes, so that a shape tells what a tensor is.

`which` is drawn as a list, one adapter per row.
"""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

ADAPTERS, RANK, D_IN, D_OUT = 3, 2, 13, 11
SLOTS = st.integers(0, ADAPTERS - 1)
CHOICES = st.lists(st.integers(-1, ADAPTERS - 1), min_size=1, max_size=4)
TIMES = st.integers(1, 3)


def inputs(which, time=2):
    """Base, a, b, scale, x, which, in the order of the arguments."""
    a, b = torch.randn(ADAPTERS, RANK, D_IN), torch.randn(ADAPTERS, D_OUT, RANK)
    x = torch.randn(len(which), time, D_IN)
    return nn.Linear(D_IN, D_OUT), a, b, torch.ones(ADAPTERS), x, torch.tensor(which)


def formula(base, a, b, scale, x, which):
    """Row by row, each with the weight of its own."""
    rows = []
    for row, k in zip(x, which.tolist(), strict=True):
        weight = base.weight if k < 0 else base.weight + scale[k] * (b[k] @ a[k])
        rows.append(row @ weight.T + base.bias)
    return torch.stack(rows)


def compared(found, expected, which):
    assert found.shape == expected.shape, f"the result has the shape {tuple(found.shape)}, not {tuple(expected.shape)}"
    for row, k in enumerate(which):
        close = torch.allclose(found[row], expected[row], rtol=1e-3, atol=1e-4)
        wanted = "W x + b" if k < 0 else f"W x + b + s_{k} B_{k} A_{k} x"
        assert close, f"row {row} (from 0), which[{row}] = {k}, is not {wanted}"


class Watched(TorchFunctionMode):
    """Counts PyTorch calls and keeps the shapes of results that are as large as the weight."""

    def __init__(self, base):
        super().__init__()
        self.calls, self.full, self.weight = 0, [], base.weight.data_ptr()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.calls += 1
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and sorted(tensor.shape[-2:]) == sorted((D_IN, D_OUT)):
                self.full += [tuple(tensor.shape)] if tensor.data_ptr() != self.weight else []
        return out


@given(which=st.lists(SLOTS, min_size=1, max_size=4), time=TIMES)
def check_each_row_takes_its_own_adapter(answer, which, time):
    arguments = inputs(which, time)
    expected = formula(*arguments)
    compared(answer.serve(*arguments), expected, which)


@given(which=st.lists(SLOTS, min_size=1, max_size=3))
def check_each_adapter_keeps_its_scale(answer, which):
    base, a, b, _, x, rows = inputs(which)
    scale = torch.tensor([1.0, 2.0, 0.25])
    expected = formula(base, a, b, scale, x, rows)
    compared(answer.serve(base, a, b, scale, x, rows), expected, which)


@given(which=CHOICES)
def check_minus_one_is_the_base_alone(answer, which):
    arguments = inputs(which)
    expected = formula(*arguments)
    compared(answer.serve(*arguments), expected, which)


@given(which=CHOICES, empty=SLOTS)
def check_an_empty_slot_reaches_no_other_row(answer, which, empty):
    base, a, b, scale, x, rows = inputs(which)
    expected = formula(base, a, b, scale, x, rows)
    a[empty], b[empty] = float("nan"), float("nan")
    found = answer.serve(base, a, b, scale, x, rows)
    for row, k in enumerate(which):
        clean = k == empty or torch.allclose(found[row], expected[row], rtol=1e-3, atol=1e-4)
        assert clean, f"slot {empty} holds NaN, and row {row} (from 0) suffers, though which[{row}] = {k}"


@given(which=CHOICES)
def check_arguments_stay_as_they_are(answer, which):
    _, *tensors = arguments = inputs(which)
    before = [tensor.clone() for tensor in tensors]
    answer.serve(*arguments)
    for name, old, new in zip(("a", "b", "scale", "x", "which"), before, tensors, strict=True):
        assert torch.equal(old, new), f"`{name}` was changed in place; the next layer needs it too"


@given(which=CHOICES)
def check_base_runs_once_for_all(answer, which):
    arguments, calls = inputs(which), []
    arguments[0].register_forward_hook(lambda *_: calls.append(1))
    answer.serve(*arguments)
    assert len(calls) <= 1, f"a batch of {len(which)} runs the base {len(calls)} times"


@given(which=CHOICES)
def check_no_update_of_full_size_is_formed(answer, which):
    arguments = inputs(which)
    with Watched(arguments[0]) as watched:
        answer.serve(*arguments)
    assert not watched.full, f"a tensor of shape {watched.full[0]} came up: BA, as large as the weight"


@given(pattern=st.lists(SLOTS, min_size=1, max_size=2))
def check_no_loop_over_rows(answer, pattern):
    counts = []
    for which in (pattern, pattern * 8):
        arguments = inputs(which)
        with Watched(arguments[0]) as watched:
            answer.serve(*arguments)
        counts.append(watched.calls)
    told = f"{len(pattern)} rows take {counts[0]} PyTorch calls, {8 * len(pattern)} of the same adapters {counts[1]}"
    assert counts[1] <= counts[0], f"a loop over rows: {told}"
