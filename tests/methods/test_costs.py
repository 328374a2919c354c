"""Our LoRA layer against PEFT's at MGM-2B's layer shapes: counted, so that it does not wobble."""

from __future__ import annotations

import peft
import pytest
import torch
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import nn

from lora_demo.methods.costs import Costs, count_costs
from lora_demo.methods.lora import LoRALinear

POSITIONS, RANK = 704, 16
SHAPES = [(2048, 2048), (2048, 256), (2048, 16384), (16384, 2048)]
DTYPES = [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.bfloat16, torch.float32)]


def _costs(shape: tuple[int, int], dtypes: tuple[torch.dtype, torch.dtype], dropout: float, ours: bool) -> Costs:
    (d_in, d_out), (base_dtype, adapter_dtype) = shape, dtypes
    with torch.device("meta"):
        base = nn.Linear(d_in, d_out, bias=False, dtype=base_dtype).requires_grad_(False)
        x = torch.empty(1, POSITIONS, d_in, dtype=base_dtype, requires_grad=True)
        if ours:
            layer = LoRALinear(base, RANK, RANK, dropout, dtype=adapter_dtype)
        else:
            config = peft.LoraConfig(r=RANK, lora_alpha=RANK, lora_dropout=dropout)
            layer = PeftLinear(base, "default", config, r=RANK, lora_alpha=RANK)
            for adapter in (layer.lora_A, layer.lora_B):
                adapter.to(adapter_dtype)
    return count_costs(lambda: layer.train()(x), [x, *layer.parameters()])


@pytest.mark.parametrize("dropout", [0.0, 0.05])
@pytest.mark.parametrize("dtypes", DTYPES, ids=["float32", "bfloat16", "mixed"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_more_work_than_peft(shape, dtypes, dropout):
    ours, theirs = _costs(shape, dtypes, dropout, True), _costs(shape, dtypes, dropout, False)
    assert ours.flops <= theirs.flops
    assert ours.written <= theirs.written
    assert ours.saved <= theirs.saved


def test_the_counts_are_what_the_formulas_say():
    costs = _costs((2048, 256), DTYPES[0], 0.0, ours=True)
    base = 2 * 2 * POSITIONS * 2048 * 256  # forward, and the gradient of x; none for the frozen weight
    adapter = 3 * 2 * POSITIONS * RANK * (2048 + 256)
    assert costs.flops == base + adapter
    assert costs.saved == POSITIONS * RANK * 4, "A x, and nothing else that is not there anyway"
