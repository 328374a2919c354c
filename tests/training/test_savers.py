"""Memory savers: same loss and gradients as the naive step, and fewer bytes, both by a second count."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lora_demo.methods.lora import LoRALinear
from lora_demo.models.chunked_loss import has_torch_kernel
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_NANO
from lora_demo.training.engine.optimizers import OptimizerUnavailable, build, require
from lora_demo.training.loop import forward_options
from lora_demo.training.preparation.packed_base import pack
from lora_demo.training.preparation.prepare import apply_method, model_of
from lora_demo.training.preparation.sources import micro_batch
from lora_demo.training.preparation.synthetic import SyntheticSource
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.step import MicroBatch, StepOptions, step

SYNTHETIC = ["cache_features=false", "data={kind: synthetic, length: 120, supervised: 24}", "threads=1"]
NEEDS_TORCHS_OWN = pytest.mark.skipif(not has_torch_kernel(), reason="torch before 2.13")
EXACT = 1e-5
"""Of a gradient's largest value: float32, sums in another order."""


def recipe_with(*settings: str, name: str = "nano-lora-b") -> Recipe:
    return recipe_files.load(name, [*SYNTHETIC, *settings])


def prepared(recipe: Recipe, *, start: bool = False) -> tuple[MGM, MicroBatch]:
    """Model and batch; without `start` as after some training: B is zero at the start, which leaves A no gradient."""
    model = model_of(recipe.model, 0)
    torch.manual_seed(0)
    apply_method(model, recipe)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not start and name.endswith("lora_B"):
                parameter.normal_(0, 0.1)
    model.train()
    return model, micro_batch(SyntheticSource(recipe.data, model.config).inputs([0, 1, 2]), model)


class PeakBytes(TorchDispatchMode):
    """Most bytes alive at once among the storages made inside."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self.known: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and id(leaf.untyped_storage()) not in given:
                self.note(leaf.untyped_storage())
        return result

    def note(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self.known and self.known[key]() is storage:
            return

        def gone(_: object) -> None:
            self.alive -= size

        self.known[key] = weakref.ref(storage, gone)
        self.alive += size
        self.peak = max(self.peak, self.alive)


def gradients(recipe: Recipe, *, start: bool = False) -> tuple[Tensor, dict[str, Tensor], int]:
    """Loss, gradients, and the peak of what forward and backward pass made."""
    model, micro = prepared(recipe, start=start)
    torch.manual_seed(1)
    with PeakBytes() as watch:
        loss = model(**micro.inputs, **forward_options(recipe), denominator=micro.terms).loss
        loss.backward()
    return loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, watch.peak


@pytest.fixture(scope="module")
def naive() -> Callable[..., tuple[Tensor, dict[str, Tensor], int]]:
    cache: dict[tuple[str, ...], tuple[Tensor, dict[str, Tensor], int]] = {}

    def of(*settings: str) -> tuple[Tensor, dict[str, Tensor], int]:
        if settings not in cache:
            cache[settings] = gradients(recipe_with("supervised_only=false", *settings))
        return cache[settings]

    return of


SAVERS = {
    "selected logits": (["supervised_only=true"], [], 0.94),
    "chunked loss": (["loss_chunk=7"], [], 0.94),
    "chunked loss by torch": (["loss_chunk=7", "loss_kernel=torch"], [], 0.94),
    "checkpointing": (["supervised_only=true", "checkpointing=true"], [], 0.36),
    "checkpointing with dropout": (["checkpointing=true"], ["method.dropout=0.3"], 0.35),
    "feed-forward tiles": (["feedforward_tile=32"], [], 0.5),
    "tiles inside checkpointing": (["checkpointing=true", "feedforward_tile=32", "loss_chunk=5"], [], 0.23),
    "folded mining": (["mining=folded"], ["method.projectors=true"], 0.9),
}
"""Switches, settings of both sides, and the share of the naive step's peak that may be left.

Nano's vocabulary is small: whole logits are a fifteenth of its peak, where they are a third of MGM-2B's.
"""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=NEEDS_TORCHS_OWN) if "torch" in name else name for name in SAVERS]
)
def test_a_saver_changes_bytes_and_nothing_else(name, naive):
    switches, common, limit = SAVERS[name]
    if name == "folded mining":
        common = [*common, "mining=direct"]
    loss, grads, size = naive(*common)
    ours, our_grads, our_size = gradients(recipe_with(*common, *switches))
    torch.testing.assert_close(ours, loss, rtol=1e-6, atol=0)
    # the two key biases of mining cancel in the softmax; the folded form leaves them out of the graph
    dead = {f"vlm_uni_aux_projector.{part}.bias" for part in (0, 1)}
    assert set(grads) - set(our_grads) <= dead
    assert len(our_grads) >= 56
    for parameter, grad in our_grads.items():
        assert (grad - grads[parameter]).abs().max() <= EXACT * grads[parameter].abs().max(), parameter
    assert our_size <= limit * size, f"peaks at {our_size:,} instead of {size:,} bytes"


def test_bfloat16_adapters_take_half_the_bytes_and_start_the_same():
    wide, narrow = (prepared(recipe_with(f"method.dtype={dtype}"))[0] for dtype in ("float32", "bfloat16"))
    sizes = [sum(p.numel() * p.element_size() for p in m.parameters() if p.requires_grad) for m in (wide, narrow)]
    assert sizes[0] == 2 * sizes[1]
    recipes = [recipe_with(f"method.dtype={dtype}") for dtype in ("float32", "bfloat16")]
    (loss, grads, _), (ours, our_grads, _) = (gradients(recipe, start=True) for recipe in recipes)
    assert torch.equal(ours, loss), "B is zero, so A's rounding cannot show yet"
    assert {grad.dtype for grad in our_grads.values()} == {torch.bfloat16}
    assert sum(int(grad.count_nonzero() > 0) for grad in our_grads.values()) == 28
    assert set(our_grads) == set(grads)


def test_a_bfloat16_adapter_rounds_its_gradient_and_no_more():
    """On one layer with inputs that do not cancel; through a whole model, sums over positions can amplify it."""
    torch.manual_seed(0)
    base, x, upstream = nn.Linear(256, 128), torch.randn(64, 256), torch.randn(64, 128)
    layers = [LoRALinear(base, 8, 16, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    with torch.no_grad():
        layers[1].lora_B.normal_(0, 0.1)
        for name in ("lora_A", "lora_B"):
            layers[0].get_parameter(name).copy_(layers[1].get_parameter(name))
    for layer in layers:
        layer(x).backward(upstream)
    for name in ("lora_A", "lora_B"):
        exact, rounded = (layer.get_parameter(name).grad.float() for layer in layers)
        assert 0 < (rounded - exact).norm() <= 0.01 * exact.norm()


def test_eight_bit_moments_take_a_quarter_and_step_almost_the_same():
    pytest.importorskip("bitsandbytes")
    parameters = [nn.Parameter(torch.randn(64, 256, generator=torch.Generator().manual_seed(0))) for _ in range(2)]
    settings = {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
    exact = build([parameters[0]], implementation="for-loop", **settings)
    packed = build([parameters[1]], implementation="adamw8bit", **settings)
    start = parameters[0].detach().clone()
    for seed in range(3):
        grad = torch.randn(64, 256, generator=torch.Generator().manual_seed(seed + 1))
        for parameter, optimizer in zip(parameters, (exact, packed), strict=True):
            parameter.grad = grad.clone()
            optimizer.step()
    moved = [parameter.detach() - start for parameter in parameters]
    assert F.cosine_similarity(moved[0].flatten(), moved[1].flatten(), dim=0) > 0.98
    moments = [
        sum(v.nbytes for k, v in optimizer.state[p].items() if isinstance(v, Tensor) and v.numel() > 256)
        for p, optimizer in zip(parameters, (exact, packed), strict=True)
    ]
    assert moments[1] <= 0.26 * moments[0]


def test_paging_without_a_gpu_is_refused():
    pytest.importorskip("bitsandbytes")
    with pytest.raises(OptimizerUnavailable, match="nothing to page; take adamw8bit"):
        require("paged-adamw8bit", cuda=False)


@pytest.mark.parametrize("packing", ["own", "bitsandbytes"])
def test_a_packed_base_computes_what_its_values_compute(packing):
    if packing == "bitsandbytes":
        pytest.importorskip("bitsandbytes")
    recipe = recipe_with(f"model.nf4={packing}")
    loss, grads, _ = gradients(recipe)
    assert torch.isfinite(loss)
    assert len(grads) == 56
    model = model_of(recipe_with().model, 0).language_model
    whole = sum(p.nbytes for p in model.parameters())
    linears = sum(m.weight.nbytes for m in model.modules() if isinstance(m, nn.Linear)) - model.lm_head.weight.nbytes
    names = pack(model, packing)
    assert len(names) == 7 * MGM_NANO.llm.num_hidden_layers
    layers = [model.get_submodule(name) for name in names]
    packed = sum(t.nbytes for layer in layers for t in (*layer.parameters(), *layer.buffers()))
    assert packed <= 0.145 * linears < whole


def test_a_step_with_every_saver_is_the_naive_step():
    """Updates included: two steps, then the same weights."""
    results = []
    for switches in (
        ["supervised_only=false"],
        ["checkpointing=true", "feedforward_tile=40", "loss_chunk=9", "optimizer.implementation=fused"],
    ):
        recipe = recipe_with(*switches)
        model, micro = prepared(recipe)
        optimizer = build(model.parameters(), **recipe.optimizer.model_dump())
        losses = [step(model, [micro], optimizer, StepOptions(forward=forward_options(recipe))).loss for _ in range(2)]
        results.append((losses, {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}))
    torch.testing.assert_close(results[1][0], results[0][0], rtol=1e-5, atol=1e-6)
    for name, value in results[1][1].items():
        # AdamW divides by the gradient's own size: where that is near zero, rounding decides the step
        assert (value - results[0][1][name]).abs().mean() <= 1e-5, name
