"""What counting must give: models of known sizes, counted by plain arithmetic on those sizes."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lora_demo.methods.whiteboard.linear import LoRALinear

SIZES = st.integers(1, 6)


def compare(counted, trainable, total):
    assert counted == (trainable, total), f"counted {counted!r}, (trainable, total) is {trainable, total}"


@given(layers=st.lists(st.tuples(SIZES, SIZES, st.booleans()), min_size=1, max_size=4))
def check_counts_values_trainable_first(answer, layers):
    """layers: (rows, columns, whether it trains), each one level deeper than the one before."""
    outermost = inner = nn.Module()
    for rows, columns, trains in layers:
        inner.weight = nn.Parameter(torch.zeros(rows, columns), requires_grad=trains)
        inner.inside = nn.Module()
        inner = inner.inside
    sizes = [(rows * columns, trains) for rows, columns, trains in layers]
    compare(answer.count(outermost), sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes))


@given(vocabulary=SIZES, width=SIZES, trains=st.booleans())
def check_a_tied_weight_counts_once(answer, vocabulary, width, trains):
    model = nn.ModuleDict({"embed": nn.Embedding(vocabulary, width), "head": nn.Linear(width, vocabulary, bias=False)})
    model["head"].weight = model["embed"].weight.requires_grad_(trains)
    compare(answer.count(model), vocabulary * width * trains, vocabulary * width)


@given(rows=SIZES, columns=SIZES, storage=st.sampled_from([torch.uint8, torch.bfloat16]))
def check_a_packed_weight_counts_its_values(answer, rows, columns, storage):
    model, per_cell = nn.Linear(columns, rows), 2 * storage.itemsize
    cells = torch.zeros(-(-rows * columns // per_cell), 1, dtype=storage)
    model.weight = nn.Parameter(cells, requires_grad=False)
    model.weight.quant_state = SimpleNamespace(shape=torch.Size([rows, columns]))
    compare(answer.count(model), rows, rows * columns + rows)


@given(rows=SIZES, columns=SIZES)
def check_a_weight_not_yet_packed_counts_as_it_is(answer, rows, columns):
    model = nn.Linear(columns, rows, bias=False)
    model.weight.quant_state = None
    compare(answer.count(model), rows * columns, rows * columns)


@given(d_in=SIZES, d_out=SIZES, r=st.integers(1, 3))
def check_the_total_includes_the_adapter(answer, d_in, d_out, r):
    layer = LoRALinear(nn.Linear(d_in, d_out), r, 8.0)
    adapter = r * (d_in + d_out)
    compare(answer.count(layer), adapter, d_in * d_out + d_out + adapter)


@given(width=SIZES)
def check_buffers_do_not_count(answer, width):
    compare(answer.count(nn.BatchNorm1d(width)), 2 * width, 2 * width)
