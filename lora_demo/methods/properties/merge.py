"""Merging: what it equals, what it restores, and how far rounding reaches, per dtype and with the bound derived.

Write u for the unit roundoff of the weight's dtype, v = min(u, 2⁻²⁴) for that of the sums, which are formed in float32
or wider, D = s|B||A| >= |ΔW| and γ_n as in `rounding`.

    one merge    W' = fl(W + s·BA): the sums lose γ_(r+3)(v) (|W| + D), the weight's dtype u |W'|. Per merge or unmerge:
                 |error| <= (u + γ_(r+4)(v)) (|W| + D + what has gathered so far) =: ρ (…)
    outputs      merged or not, no product passes more than d_in + r + 6 roundings in u, so both lie within
                 γ_(d_in+r+6)(u) (|W||x| + D|x| + |b|) of the exact output, and within twice that of each other

Numbers below the normal range add an absolute error of half the smallest one each; the bounds contain it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import (
    DTYPES,
    SEEDS,
    LayerCase,
    layer_cases,
    lora_layer,
    randomise,
    randomise_adapter,
    toy,
)
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import gamma, require, require_close, require_equal, require_within, unit


def _reach(layer: Any, case: LayerCase) -> Float[Tensor, "d_out d_in"]:
    """D = s|B||A|, with the scale from the settings, not from the layer."""
    return layer.lora_B.detach().double().abs() @ layer.lora_A.detach().double().abs() * (case.alpha / case.r)


def _per_merge(dtype: torch.dtype, r: int) -> float:
    """ρ, relative error of one merge or unmerge."""
    return unit(dtype) + gamma(r + 4, torch.promote_types(dtype, torch.float32))


def _subnormal(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps


@claim(
    "合并后权重就是 W + (α/r)·BA，误差不超过一次舍入。",
    "The merged weight is W + (α/r)·BA, up to one rounding.",
    case=layer_cases(),
    dtype=DTYPES,
)
def merged_weight_is_base_plus_update(implementation: Implementation, case: LayerCase, dtype: torch.dtype) -> None:
    layer = lora_layer(implementation, case, dtype)
    weight = layer.base.weight.detach().double()
    exact = weight + layer.lora_B.detach().double() @ layer.lora_A.detach().double() * (case.alpha / case.r)
    bound = _per_merge(dtype, case.r) * (weight.abs() + _reach(layer, case)) + _subnormal(dtype)
    layer.merge()
    require_within(layer.base.weight, exact, bound, f"merged weight in {dtype}")


@claim(
    "合并前后输出一致，差别不超过按数据类型推出来的舍入上界。",
    "Merged and unmerged outputs agree, within the rounding bound derived for the dtype.",
    case=layer_cases(),
    dtype=DTYPES,
    examples=40,
)
def merged_equals_unmerged(implementation: Implementation, case: LayerCase, dtype: torch.dtype) -> None:
    layer, x = lora_layer(implementation, case, dtype), case.inputs(dtype=dtype)
    reach = layer.base.weight.detach().double().abs() + _reach(layer, case)
    size = x.double().abs() @ reach.T + (0 if layer.base.bias is None else layer.base.bias.double().abs())
    roundings = case.d_in + case.r + 6
    bound = 2 * gamma(roundings, dtype) * size + roundings * _subnormal(dtype) * (1 + size)
    apart = layer(x)
    layer.merge()
    require_within(layer(x), apart, bound.detach(), f"merged against unmerged output in {dtype}")


@claim(
    "模型级合并：一次合并所有层，输出不变；卸掉外壳后就是普通的线性层。",
    "Merging a whole model keeps its output; unloading leaves ordinary linear layers.",
    case=layer_cases(),
    method=st.sampled_from(["lora", "dora", "adalora"]),
    examples=10,
)
def merging_a_model_keeps_its_output(implementation: Implementation, case: LayerCase, method: str) -> None:
    model, x = toy(case), case.inputs()
    implementation.registry.apply(model, method, targets=["q_proj", "down_proj"], r=case.r, alpha=case.alpha)
    randomise_adapter(implementation, model, case.seed)
    apart = model(x)
    implementation.merging.merge(model)
    require_close(model(x), apart, "merged model", roundings=10**6)
    implementation.merging.unload(model)
    require(type(model.q_proj) is nn.Linear, f"unloading left a {type(model.q_proj).__name__}")
    require_close(model(x), apart, "merged and unloaded model", roundings=10**6)


@claim(
    "合并再取消 n 次，权重的漂移至多随 n 线性增长，每一趟不超过两次舍入。",
    "Over n merge-unmerge round trips the weight drifts at most linearly in n, by no more than two roundings each.",
    case=layer_cases(),
    dtype=DTYPES,
    trips=st.integers(1, 8),
    examples=40,
)
def round_trips_drift_at_most_linearly(
    implementation: Implementation, case: LayerCase, dtype: torch.dtype, trips: int
) -> None:
    layer = lora_layer(implementation, case, dtype)
    before = layer.base.weight.detach().double()
    rho = _per_merge(dtype, case.r)
    # each trip rounds twice; the weight it starts from has grown by what gathered so far, hence the last factor
    bound = 2 * trips * (rho * (before.abs() + 2 * _reach(layer, case)) + _subnormal(dtype)) * (1 + rho) ** (2 * trips)
    for _ in range(trips):
        layer.merge()
        layer.unmerge()
    require_within(layer.base.weight, before, bound, f"weight after {trips} round trips in {dtype}")


@claim(
    "W 和更新都能精确表示时，来回合并逐位还原，任何数据类型都一样。",
    "Where W and the update are representable, a round trip restores every bit, in any dtype.",
    case=layer_cases(largest=8, ranks=4),
    dtype=DTYPES,
    trips=st.integers(1, 4),
)
def round_trip_is_exact_when_nothing_rounds(
    implementation: Implementation, case: LayerCase, dtype: torch.dtype, trips: int
) -> None:
    layer = implementation.lora.LoRALinear(case.base(dtype), case.r, 2 * case.r)
    generator = torch.Generator().manual_seed(case.seed)
    with torch.no_grad():
        # W up to 4, |2BA| up to 2·4·2·2 = 32: sums below 64 need six bits, bfloat16 has eight
        for tensor, limit in ((layer.base.weight, 4), (layer.lora_A, 2), (layer.lora_B, 2)):
            tensor.copy_(torch.randint(-limit, limit + 1, tensor.shape, generator=generator))
    before = layer.base.weight.detach().clone()
    for _ in range(trips):
        layer.merge()
        layer.unmerge()
    require_equal(layer.base.weight, before, f"small integers after {trips} round trips in {dtype}")


@claim(
    "bf16 里合并再取消不是无损的：总有元素回不到原值；B 为零时才逐位不变。",
    "In bf16 a merge-unmerge round trip is not lossless: some entries do not come back; with B zero all do.",
    seed=SEEDS,
)
def bfloat16_round_trip_loses_bits(implementation: Implementation, seed: int) -> None:
    case = LayerCase(64, 64, 8, 16, False, seed)
    for trained in (True, False):
        layer = lora_layer(implementation, case, torch.bfloat16, trained=trained)
        before = layer.base.weight.detach().clone()
        layer.merge()
        layer.unmerge()
        changed = int((layer.base.weight != before).sum())
        require(
            (changed > 0) == trained,
            f"{changed} of {before.numel()} entries changed, B {'random' if trained else 'zero'}",
        )


@claim(
    "合并两次会被拒绝，取消没合并过的也会，权重一个比特都不动。",
    "A second merge is refused, and so is unmerging what was not merged; no bit of the weight moves.",
    case=layer_cases(),
    dtype=DTYPES,
)
def merging_twice_is_refused(implementation: Implementation, case: LayerCase, dtype: torch.dtype) -> None:
    layer = lora_layer(implementation, case, dtype)
    _require_refused(implementation, layer.unmerge, layer, "unmerging before any merge")
    layer.merge()
    _require_refused(implementation, layer.merge, layer, "merging a second time")
    layer.unmerge()
    _require_refused(implementation, layer.unmerge, layer, "unmerging a second time")


def _require_refused(implementation: Implementation, call: Callable[[], None], layer: Any, what: str) -> None:
    before = layer.base.weight.detach().clone()
    try:
        call()
    except implementation.errors.MergeRefused:
        require_equal(layer.base.weight, before, f"{what} was refused, the weight")
        return
    raise AssertionError(f"{what} was accepted")


@claim(
    "带 NaN 或溢出的适配器不许合并，原权重不动。",
    "An adapter with NaN or overflow is not merged; the base stays untouched.",
    case=layer_cases(),
    broken=st.sampled_from([float("nan"), float("inf"), 1e30]),
)
def broken_adapter_is_not_merged(implementation: Implementation, case: LayerCase, broken: float) -> None:
    layer = lora_layer(implementation, case, torch.float32)
    layer.lora_A.data.fill_(broken)
    layer.lora_B.data.fill_(1e30)
    model = nn.Sequential(layer)
    _require_refused(implementation, lambda: implementation.merging.merge(model), layer, f"merging A full of {broken}")
    require(not layer.merged, "the refused adapter calls itself merged")


@claim(
    "两个适配器先后合并，顺序只影响舍入：结果之差不超过各两次舍入。",
    "The order in which two adapters are merged matters to rounding only: by no more than two roundings each.",
    case=layer_cases(),
    dtype=DTYPES,
)
def order_of_merging_is_rounding_only(implementation: Implementation, case: LayerCase, dtype: torch.dtype) -> None:
    one = lora_layer(implementation, case, dtype)
    two = lora_layer(implementation, case, dtype)
    randomise(two.lora_A, case.seed + 50)
    size = one.base.weight.detach().double().abs() + _reach(one, case) + _reach(two, case)
    rho = _per_merge(dtype, case.r)
    results = []
    for order in ((one, two), (two, one)):
        base = case.base(dtype)
        for adapter in order:
            layer = implementation.lora.LoRALinear(base, case.r, case.alpha)
            layer.lora_A, layer.lora_B = adapter.lora_A, adapter.lora_B
            layer.merge()
        results.append(base.weight.detach())
    bound = 4 * rho * (1 + rho) * size + 4 * _subnormal(dtype)
    require_within(results[0], results[1], bound, f"merged in either order, in {dtype}")
