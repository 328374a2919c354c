"""Autocast on the meta device: the types, the casts and the bytes that the real one brings."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM

from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.memory.tracing.autocast import Autocast
from lora_demo.training.recipes import recipe_files
from tests.unchecked import unchecked

LAYERS = 2
CONFIG = LlamaConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=LAYERS,
    num_attention_heads=4,
    num_key_value_heads=2,
)


class Casts(TorchDispatchMode):
    """Counts casts to bfloat16 by the shape of what is cast."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[int, ...]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._to_copy.default and (kwargs or {}).get("dtype") == torch.bfloat16:
            self.seen[tuple(args[0].shape)] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(CONFIG)


def loss_under(model: nn.Module, autocast: Any) -> torch.Tensor:
    tokens = torch.arange(24).reshape(2, 12)
    with autocast:
        return model(input_ids=tokens, labels=tokens).loss


def test_loss_and_gradients_are_those_of_the_real_autocast(model):
    """On a CPU, whose table agrees with CUDA's for what a decoder calls but for the loss, which is float32 in both."""
    found = []
    for autocast in (Autocast(), torch.autocast("cpu", torch.bfloat16)):
        model.zero_grad()
        loss = loss_under(model, autocast)
        loss.backward()
        found.append((loss.detach(), [p.grad.clone() for p in model.parameters()]))
    (ours, ours_gradients), (real, real_gradients) = found
    assert ours.dtype == real.dtype == torch.float32
    assert torch.allclose(ours, real, rtol=1e-3)
    for mine, theirs in zip(ours_gradients, real_gradients, strict=True):
        assert mine.dtype == theirs.dtype == torch.float32
        assert (mine - theirs).norm() <= 0.02 * theirs.norm()
    assert not torch.equal(ours, loss_under(model, torch.no_grad())), "without autocast it is another number"


def test_a_trained_weight_is_cast_once_and_a_frozen_one_at_every_use():
    linear, x = nn.Linear(8, 8, bias=False), torch.randn(3, 8)
    for trained, casts in ((True, 1), (False, 3)):
        linear.requires_grad_(trained)
        with Casts() as counted, Autocast():
            for _ in range(3):
                linear(x)
        assert counted.seen[8, 8] == casts
        with Casts() as real, torch.autocast("cpu", torch.bfloat16):
            for _ in range(3):
                linear(x)
        assert real.seen[8, 8] == casts


def test_float64_and_integers_stay_as_they_are():
    wide, whole = torch.randn(3, 3, dtype=torch.float64), torch.ones(3, 3, dtype=torch.int64)
    for autocast in (Autocast(), torch.autocast("cpu", torch.bfloat16)):
        with autocast:
            assert (wide @ wide).dtype == torch.float64
            assert (whole @ whole).dtype == torch.int64


def test_while_a_backward_pass_recomputes_it_acts_and_keeps_nothing():
    linear, x = nn.Linear(8, 8), torch.randn(3, 8)
    with Autocast(recomputing=True), torch.no_grad():
        assert linear(x).dtype == torch.float32
    with Autocast(recomputing=True), torch.enable_grad(), Casts() as counted:
        assert linear(x).dtype == linear(x).dtype == torch.bfloat16
    assert counted.seen[8, 8] == 2


def test_mixed_precision_holds_its_weights_gradients_and_moments_in_float32():
    data = "data={kind: synthetic, length: 704, supervised: 64}"
    recipe = recipe_files.load("mgm-2b-full-mixed", [data, "model.weights=random", "batch=1", "micro_batch=null"])
    found = unchecked(predict_recipe, recipe)
    trained = 2_519_431_424
    # Parts count the allocator's blocks, whose ends may be unused.
    assert found.parts["weights_trainable"] == pytest.approx(4 * trained, rel=1e-3)
    assert found.parts["gradients"] >= 3.9 * trained
    assert found.parts["optimizer"] >= 8 * trained
    assert found.peak_allocated >= 16 * trained + found.parts["weights_frozen"]
