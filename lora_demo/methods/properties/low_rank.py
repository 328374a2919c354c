"""What a product of two thin matrices can and cannot be."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import SEEDS, LayerCase, felt, layer_cases, lora_layer, randomise
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close, unit


@claim("ΔW = s·BA 的秩不超过 r。", "The rank of ΔW = s·BA is at most r.", case=layer_cases())
def rank_is_at_most_r(implementation: Implementation, case: LayerCase) -> None:
    values = torch.linalg.svdvals(felt(lora_layer(implementation, case)))
    tail = values[case.r :]
    # what rounding leaves behind: unit vectors go through d_in + r products, and W x is subtracted again
    allowed = 100 * unit(torch.float64) * (values[0] + 1) * max(case.d_in, case.d_out)
    require(
        bool((tail <= allowed).all()), f"singular value {case.r + 1} of the update is {tail[:1].tolist()}, not zero"
    )
    require(bool(values[case.r - 1] > allowed), f"random A and B of rank {case.r} give an update of lower rank")


@claim(
    "LoRA 给一个 d×k 的线性层加 r(d+k) 个可训练参数，不多不少。",
    "LoRA adds exactly r(d+k) trainable parameters to a d-by-k linear layer.",
    cases=st.lists(layer_cases(), min_size=1, max_size=3),
    r=st.integers(1, 2),
)
def count_is_r_times_d_plus_k(implementation: Implementation, cases: list[LayerCase], r: int) -> None:
    model = nn.Sequential(*[case.base() for case in cases])
    before = sum(p.numel() for p in model.parameters())
    implementation.lora.apply_lora(model, "all", r=r, alpha=r)
    counted = implementation.counting.count_parameters(model)
    expected = sum(r * (case.d_in + case.d_out) for case in cases)
    require(counted.trainable == expected, f"counted {counted.trainable} trainable parameters, r(d+k) is {expected}")
    require(
        counted.total == before + expected, f"counted {counted.total} in all, base and adapter have {before + expected}"
    )


@claim(
    "r 小于 dk/(d+k) 时 LoRA 才比全量省参数；方阵的分界点是 d/2。",
    "LoRA saves parameters only for r below dk/(d+k); for a square matrix that is d/2.",
    case=layer_cases(),
)
def break_even_rank(implementation: Implementation, case: LayerCase) -> None:
    model = nn.Sequential(case.base())
    implementation.lora.apply_lora(model, "all", r=case.r, alpha=1)
    trainable, full = implementation.counting.count_parameters(model).trainable, case.d_in * case.d_out
    limit = full / (case.d_in + case.d_out)
    require(
        (trainable < full) == (case.r < limit), f"r={case.r}: {trainable} against {full}, break-even at {limit:.2f}"
    )
    square = nn.Sequential(nn.Linear(2 * case.r, 2 * case.r, bias=False))
    implementation.lora.apply_lora(square, "all", r=case.r, alpha=1)
    count = implementation.counting.count_parameters(square).trainable
    require(count == (2 * case.r) ** 2, f"r = d/2 = {case.r}: {count} trainable, as many as W's {(2 * case.r) ** 2}")


@claim(
    "没有任何秩 r 的更新比截断 SVD 更接近目标，差距正好是被截掉的奇异值的平方和。",
    "No rank-r update comes closer to a target than its truncated SVD, and the gap is the sum of the squared singular "
    "values cut off.",
    case=layer_cases(largest=12),
    moves=st.lists(st.tuples(SEEDS, st.sampled_from([1e-3, 0.1, 1.0])), min_size=1, max_size=5),
)
def truncated_svd_is_the_best_update(
    implementation: Implementation, case: LayerCase, moves: list[tuple[int, float]]
) -> None:
    target = torch.randn(case.d_out, case.d_in, dtype=torch.float64, generator=torch.Generator().manual_seed(case.seed))
    u, s, vt = torch.linalg.svd(target, full_matrices=False)
    layer, r = lora_layer(implementation, case), case.r
    with torch.no_grad():
        layer.lora_B.copy_(u[:, :r] * s[:r] / (case.alpha / r))
        layer.lora_A.copy_(vt[:r])
    tail, scale = s[r:].square().sum(), s.square().sum()
    best = (target - felt(layer)).square().sum()
    require(bool((best - tail).abs() <= 1e-12 * scale), f"the truncated SVD leaves {best:.6g}, its tail is {tail:.6g}")
    for seed, size in moves:
        moved = lora_layer(implementation, case)
        with torch.no_grad():
            randomise(moved.lora_A, seed, size)
            randomise(moved.lora_B, seed + 1, size)
            moved.lora_A.add_(layer.lora_A)
            moved.lora_B.add_(layer.lora_B)
        other = (target - felt(moved)).square().sum()
        require(bool(other >= tail - 1e-12 * scale), f"another update of rank {r} leaves {other:.6g} < {tail:.6g}")


@claim(
    "A、B 不唯一：换成 BR 和 R⁻¹A，输出一点不变。",
    "A and B are not unique: BR and R⁻¹A give the same output for any invertible R.",
    case=layer_cases(),
    seed=SEEDS,
)
def factors_are_not_unique(implementation: Implementation, case: LayerCase, seed: int) -> None:
    layer, x = lora_layer(implementation, case), case.inputs()
    before = layer(x)
    turn = _well_conditioned(case.r, seed)
    with torch.no_grad():
        layer.lora_B.copy_(layer.lora_B @ turn)
        layer.lora_A.copy_(torch.linalg.solve(turn, layer.lora_A))
    require_close(layer(x), before, "output after B -> BR, A -> R⁻¹A", roundings=10_000)


def _well_conditioned(r: int, seed: int) -> Float[Tensor, "r r"]:
    """Two rotations around stretches between 1/2 and 2: inverting it costs few digits."""
    generator = torch.Generator().manual_seed(seed)
    one, two = torch.linalg.qr(torch.randn(2, r, r, generator=generator, dtype=torch.float64)).Q
    return one * (0.5 + 1.5 * torch.rand(r, generator=generator, dtype=torch.float64)) @ two


@claim(
    "子空间相似度落在 0 到 1 之间，和自己比是 1，前 i 个方向包含在前 j 个里时也是 1。",
    "Subspace similarity lies in [0, 1]; it is 1 on itself and wherever one subspace contains the other.",
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(6, 16)),
    seed=SEEDS,
)
def subspace_similarity_is_a_share(implementation: Implementation, shape: tuple[int, int, int], seed: int) -> None:
    r, s, d = shape
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(r, d, generator=generator, dtype=torch.float64)
    b = torch.randn(s, d, generator=generator, dtype=torch.float64)
    similarity, slack = implementation.subspace.similarity, 1e-12
    for i in range(1, r + 1):
        for j in range(1, s + 1):
            value = similarity(a, b, i, j)
            require(-slack <= value <= 1 + slack, f"φ(i={i}, j={j}) = {value}, outside [0, 1]")
            require(abs(value - similarity(b, a, j, i)) <= slack, f"φ(i={i}, j={j}) is not symmetric")
        require(
            abs(similarity(a, a, i, r) - 1) <= slack, f"the first {i} directions lie inside all of their own matrix"
        )
    turned = _well_conditioned(r, seed) @ a
    require(abs(similarity(turned, a, r, r) - 1) <= 1e-9, "RA spans what A spans, so φ is 1")
