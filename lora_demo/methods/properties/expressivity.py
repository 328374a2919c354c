"""What a method can express at all: shown by search and by least squares, not assumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import LayerCase, layer_cases, lora_layer, randomise, randomise_adapter
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close, require_equal

TRIALS = 100


def counterexample_to_linearity(
    function: Callable[[Tensor], Tensor], width: int, seed: int
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]] | None:
    """Two inputs x, z with f(x + z) - f(x) - f(z) + f(0) != 0, found by drawing; None if all draws pass.

    A linear layer with bias has none, so whatever has one cannot be folded into a linear layer.
    """
    generator = torch.Generator().manual_seed(seed)
    x, z = torch.randn(2, TRIALS, width, generator=generator, dtype=torch.float64)
    bend = function(x + z) - function(x) - function(z) + function(torch.zeros_like(x))
    bent = (bend.abs().amax(dim=1) > 1e-9).nonzero()
    return (x[bent[0, 0]], z[bent[0, 0]]) if len(bent) else None


@claim(
    "Adapter 合不进线性层：随机搜索就能找到它违反线性的一对输入；同样的搜索对 LoRA 一个也找不到。",
    "An adapter cannot be folded into a linear layer: a random search finds inputs where it is not "
    "linear; for LoRA the "
    "same search finds none.",
    case=layer_cases(),
)
def adapter_cannot_be_merged_lora_can(implementation: Implementation, case: LayerCase) -> None:
    model = nn.Sequential(case.base())
    implementation.adapter.apply_adapter(model, ["0"], bottleneck=1)
    randomise_adapter(implementation, model, case.seed, size=1.0)
    found = counterexample_to_linearity(model, case.d_in, case.seed)
    require(found is not None, f"in {TRIALS} draws the adapter behaved like a linear layer")
    lora = lora_layer(implementation, case)
    against = counterexample_to_linearity(lora, case.d_in, case.seed)
    require(against is None, f"LoRA is not linear at {against}")
    try:
        implementation.merging.merge(model)
    except implementation.errors.MergeRefused:
        return
    raise AssertionError("merging the adapter was accepted")


def _least_bias_gap(residual: Float[Tensor, "rows d_out"]) -> Tensor:
    """min over b of ‖residual - 1 bᵀ‖²: the best bias is the mean."""
    return (residual - residual.mean(dim=0)).square().sum()


@claim(
    "BitFit 连一个秩 1 的改动都做不到：最好的偏置仍留下正的最小二乘差距；r=1 的 LoRA 正好做到。",
    "BitFit cannot realise a given rank-1 change: the best bias leaves a positive least-squares gap; "
    "LoRA with r=1 leaves "
    "none.",
    case=layer_cases(),
)
def bitfit_cannot_do_rank_one_lora_can(implementation: Implementation, case: LayerCase) -> None:
    x = case.inputs(rows=10)
    u, v = torch.empty(case.d_out, dtype=torch.float64), torch.empty(case.d_in, dtype=torch.float64)
    randomise(u, case.seed + 5)
    randomise(v, case.seed + 6)
    wanted = x @ torch.outer(u, v).T
    torch.manual_seed(case.seed)
    model: Any = nn.Sequential(nn.Linear(case.d_in, case.d_out).double())
    before = model(x).detach()
    trained = implementation.bitfit.apply_bitfit(model)
    require(trained == ["0.bias"], f"BitFit trains {trained}")
    gap = _least_bias_gap(wanted)
    along = x @ v
    require_close(
        gap, (along - along.mean()).square().sum() * u.square().sum(), "the gap in closed form", roundings=5_000
    )
    require(bool(gap > 1e-9), "the drawn change is a mere shift")
    with torch.no_grad():
        model[0].bias.add_(wanted.mean(dim=0))
    require_close((before + wanted - model(x)).square().sum(), gap, "what the best bias leaves", roundings=10_000)
    layer = implementation.lora.LoRALinear(case.base(), 1, case.alpha)
    with torch.no_grad():
        layer.lora_A.copy_(v[None])
        layer.lora_B.copy_(u[:, None] / case.alpha)
    require_close(layer(x) - layer.base(x), wanted, "LoRA of rank 1 on the same change", roundings=2_000)


@claim(
    "没有偏置的模型用 BitFit 是“没有可训练的东西”，直接报错，权重不动。",
    "BitFit on a model without biases is refused (nothing to train), with the weights untouched.",
    case=layer_cases(),
)
def bitfit_needs_biases(implementation: Implementation, case: LayerCase) -> None:
    torch.manual_seed(case.seed)
    linear = nn.Linear(case.d_in, case.d_out, bias=False)
    model = nn.Sequential(linear)
    before = linear.weight.detach().clone()
    try:
        implementation.bitfit.apply_bitfit(model)
    except implementation.errors.MethodError as error:
        require("nothing to train" in str(error), f"the refusal does not say why: {error}")
        require_equal(linear.weight, before, "weight after the refusal")
        return
    raise AssertionError("BitFit was applied to a model without biases")
