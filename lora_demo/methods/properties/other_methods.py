"""DoRA, AdaLoRA, IA3 and the bottleneck adapter: each is what its paper's formula says."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import SEEDS, LayerCase, layer_cases, randomise, randomise_adapter
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close


def _dora(implementation: Implementation, case: LayerCase) -> Any:
    layer = implementation.dora.DoRALinear(case.base(), case.r, case.alpha)
    randomise(layer.lora_B, case.seed + 2)
    return layer


@claim(
    "DoRA 合并后的权重，每个输出方向的范数正好是 m。",
    "The merged weight of DoRA has exactly the norm m for each output.",
    case=layer_cases(),
)
def dora_norms_equal_m(implementation: Implementation, case: LayerCase) -> None:
    layer = _dora(implementation, case)
    rows = case.base().weight.norm(dim=1)
    require(
        layer.magnitude.shape == rows.shape,
        f"m has shape {tuple(layer.magnitude.shape)}, one per output is {tuple(rows.shape)}",
    )
    require_close(layer.magnitude, rows, "m at the start, against the norms of W")
    randomise(layer.magnitude, case.seed)
    magnitude = layer.magnitude.detach().clone()
    layer.merge()
    require_close(layer.base.weight.norm(dim=1), magnitude.abs(), "norms of the merged weight")


@claim(
    "DoRA 的输出是 m·V/‖V‖ 作用在 x 上再加偏置，V = W + s·BA；合并前后一致，取消合并回到 W。",
    "DoRA's output is m·V/‖V‖ applied to x, plus the bias, with V = W + s·BA; merging keeps it, unmerging restores W.",
    case=layer_cases(),
)
def dora_follows_its_formula(implementation: Implementation, case: LayerCase) -> None:
    layer, x = _dora(implementation, case), case.inputs()
    randomise(layer.magnitude, case.seed)
    direction = layer.base.weight + layer.lora_B @ layer.lora_A * (case.alpha / case.r)
    weight = layer.magnitude[:, None] * direction / direction.norm(dim=1, keepdim=True)
    expected = F.linear(x, weight, layer.base.bias)
    require_close(layer(x), expected, "DoRA's output", roundings=5_000)
    layer.merge()
    require_close(layer(x), expected, "DoRA's merged output", roundings=5_000)
    layer.unmerge()
    # dividing by a small m amplifies the rounding of the merged row
    stretch = (direction.norm(dim=1) / layer.magnitude.abs()).max().item()
    require_close(layer.base.weight, case.base().weight, "W after unmerging", roundings=int(5_000 * (1 + stretch)))


@claim(
    "DoRA 反向传播时把 ‖V‖ 当常数，和论文一致。",
    "DoRA's backward pass holds ‖V‖ constant, as the paper does.",
    case=layer_cases(),
)
def dora_holds_the_norm_constant(implementation: Implementation, case: LayerCase) -> None:
    layer, x = _dora(implementation, case), case.inputs()
    factors = [layer.lora_A, layer.lora_B, layer.magnitude]
    got = torch.autograd.grad(layer(x).square().sum(), factors)
    direction = layer.base.weight + layer.lora_B @ layer.lora_A * (case.alpha / case.r)
    weight = layer.magnitude[:, None] * direction / direction.norm(dim=1, keepdim=True).detach()
    want = torch.autograd.grad(F.linear(x, weight, layer.base.bias).square().sum(), factors)
    for name, one, two in zip(("A", "B", "m"), got, want, strict=True):
        require_close(one, two, f"gradient of {name}", roundings=50_000)


@claim(
    "AdaLoRA 的更新是 s·PΛQ；去掉一个奇异值，秩就少一。",
    "AdaLoRA's update is s·PΛQ; dropping one singular value lowers the rank by one.",
    case=layer_cases(),
)
def adalora_is_an_svd_form(implementation: Implementation, case: LayerCase) -> None:
    layer, x = implementation.adalora.AdaLoRALinear(case.base(), case.r, case.alpha), case.inputs()
    for offset, parameter in enumerate((layer.left, layer.values, layer.right)):
        randomise(parameter, case.seed + offset)
    with torch.no_grad():
        layer.values[0] = 0
    update = layer.left @ torch.diag(layer.values) @ layer.right * (case.alpha / case.r)
    expected = F.linear(x, layer.base.weight + update, layer.base.bias)
    require_close(layer(x), expected, "AdaLoRA's output", roundings=2_000)
    values = torch.linalg.svdvals(layer.delta())
    require(bool(values[case.r - 1] <= 1e-12 * (1 + values[0])), "a zero λ leaves the rank as it was")
    layer.merge()
    require_close(layer(x), expected, "AdaLoRA's merged output", roundings=2_000)
    layer.unmerge()
    require_close(layer.base.weight, case.base().weight, "W after unmerging", roundings=2_000)


@claim(
    "AdaLoRA 的预算从初始值按三次曲线降到最终值，两头各有一段不变。",
    "AdaLoRA's budget falls from its start to its end along a cubic, constant at both ends.",
    r=st.integers(2, 8),
    warmup=st.integers(0, 5),
    settle=st.integers(0, 5),
    pruning=st.integers(1, 20),
)
def adalora_budget_is_cubic(implementation: Implementation, r: int, warmup: int, settle: int, pruning: int) -> None:
    layers = [implementation.adalora.AdaLoRALinear(nn.Linear(8, 8), r, r) for _ in range(3)]
    total = warmup + pruning + settle
    allocator = implementation.adalora.RankAllocator(layers, final_rank=1, warmup=warmup, settle=settle, total=total)
    budgets = [allocator.budget(step) for step in range(total + 1)]
    require(budgets[: warmup + 1] == [3 * r] * (warmup + 1), f"the budget is not whole during the warm-up: {budgets}")
    require(budgets[warmup + pruning :] == [3] * (settle + 1), f"the budget does not end at its target: {budgets}")
    for step in range(pruning + 1):
        want = 3 + (3 * r - 3) * (1 - step / pruning) ** 3
        require(
            abs(budgets[warmup + step] - want) <= 0.5,
            f"b({warmup + step}) = {budgets[warmup + step]}, cubic {want:.2f}",
        )


@claim(
    "IA3 是逐维相乘：键、值乘输出，前馈乘输入；合并后输出不变。",
    "IA3 multiplies feature by feature: outputs for keys and values, inputs in the feed-forward part; "
    "merging keeps it.",
    case=layer_cases(),
    feedforward=st.booleans(),
)
def ia3_multiplies(implementation: Implementation, case: LayerCase, feedforward: bool) -> None:
    base, x = case.base(), case.inputs()
    layer = implementation.ia3.IA3Linear(case.base(), feedforward=feedforward)
    randomise(layer.factors, case.seed)
    with torch.no_grad():
        layer.factors.add_(layer.factors.sign())  # unmerging divides by the factors: keep them away from zero
    factors = layer.factors.detach()
    expected = base(factors * x) if feedforward else factors * base(x)
    require_close(layer(x), expected, "IA3's output")
    layer.merge()
    require_close(layer(x), expected, "IA3's merged output")
    layer.unmerge()
    require_close(layer.base.weight, base.weight, "W after unmerging")
    if base.bias is not None:
        require_close(layer.base.bias, base.bias, "b after unmerging")


@claim(
    "Adapter 是 h + W_up σ(W_down h)：先降维、过激活、再升维，最后加残差。",
    "An adapter is h + W_up σ(W_down h): down, activation, up, then the residual.",
    case=layer_cases(),
    seed=SEEDS,
)
def adapter_goes_down_then_up(implementation: Implementation, case: LayerCase, seed: int) -> None:
    model = nn.Sequential(case.base())
    width = 1 + seed % (case.d_out - 1)
    implementation.adapter.apply_adapter(model, ["0"], bottleneck=width)
    layer: Any = model[0]
    x = case.inputs()
    require(tuple(layer.down.weight.shape) == (width, case.d_out), f"W_down has shape {tuple(layer.down.weight.shape)}")
    randomise_adapter(implementation, model, seed, size=1.0)
    h = case.base()(x)
    expected = h + F.linear(F.gelu(F.linear(h, layer.down.weight, layer.down.bias)), layer.up.weight, layer.up.bias)
    require_close(layer(x), expected, "the adapter's output", roundings=2_000)
