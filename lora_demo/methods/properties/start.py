"""The first step: what starts as the base, which factor moves, how large A is."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor, nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import DTYPES, SEEDS, LayerCase, layer_cases, lora_layer, randomise
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close, require_equal, require_within, unit


def _gradients(layer: Any, case: LayerCase) -> tuple[Float[Tensor, "r d_in"], Float[Tensor, "d_out r"]]:
    """Of A and B for the loss Σ G ∘ y with a random G, so that no gradient is zero by symmetry."""
    upstream = torch.randn(5, case.d_out, generator=torch.Generator().manual_seed(case.seed + 9), dtype=torch.float64)
    layer.zero_grad()
    (layer(case.inputs()) * upstream).sum().backward()
    require(layer.lora_A.grad is not None and layer.lora_B.grad is not None, "A or B takes no part in the output")
    return cast(Tensor, layer.lora_A.grad), cast(Tensor, layer.lora_B.grad)


@claim(
    "刚挂上的 LoRA、rsLoRA、AdaLoRA、IA3 和 Adapter，输出和原模型逐位相同。",
    "Freshly attached LoRA, rsLoRA, AdaLoRA, IA3 and Adapter give the base's output bit for bit.",
    case=layer_cases(),
    dtype=DTYPES,
)
def starts_as_the_base(implementation: Implementation, case: LayerCase, dtype: torch.dtype) -> None:
    x, lora, ia3 = case.inputs(dtype=dtype), implementation.lora.LoRALinear, implementation.ia3.IA3Linear
    expected = case.base(dtype)(x)
    layers = {
        "LoRA": lora(case.base(dtype), case.r, case.alpha),
        "rsLoRA": lora(case.base(dtype), case.r, case.alpha, rslora=True),
        "AdaLoRA": implementation.adalora.AdaLoRALinear(case.base(dtype), case.r, case.alpha),
        "IA3": ia3(case.base(dtype)),
        "IA3 on the input": ia3(case.base(dtype), feedforward=True),
        "Adapter": implementation.adapter.BottleneckAdapter(case.base(dtype), 1),
    }
    for method, layer in layers.items():
        output = layer(x)
        require(output.dtype == dtype, f"{method} turns {dtype} into {output.dtype}")
        require_equal(output, expected, f"{method}'s first output against the base's")


@claim(
    "第一步只有 B 有梯度：B 为零时 A 的梯度恒为零。",
    "At step 0 only B has a gradient: while B is zero, A's is zero.",
    case=layer_cases(),
)
def first_step_moves_b_not_a(implementation: Implementation, case: LayerCase) -> None:
    of_a, of_b = _gradients(lora_layer(implementation, case, trained=False), case)
    require(not of_a.any(), f"A has a gradient of up to {of_a.abs().max():.3g} although B is zero")
    require(bool(of_b.any()), "B has no gradient at step 0: nothing would ever move")


@claim(
    "反过来初始化（A 为零、B 随机）也能学：第一步动的是 A。",
    "The mirrored start (A zero, B random) learns as well: step 0 moves A.",
    case=layer_cases(),
)
def mirrored_start_moves_a_not_b(implementation: Implementation, case: LayerCase) -> None:
    layer = lora_layer(implementation, case)
    nn.init.zeros_(layer.lora_A)
    of_a, of_b = _gradients(layer, case)
    require(bool(of_a.any()), "A has no gradient although B is random")
    require(not of_b.any(), f"B has a gradient of up to {of_b.abs().max():.3g} although A is zero")


@claim(
    "A、B 都从零开始，走多少步都不会动。",
    "With A and B both zero no number of steps moves anything.",
    case=layer_cases(),
    adam=st.booleans(),
)
def both_zero_never_moves(implementation: Implementation, case: LayerCase, adam: bool) -> None:
    layer = lora_layer(implementation, case, trained=False)
    nn.init.zeros_(layer.lora_A)
    factors = [layer.lora_A, layer.lora_B]
    optimizer = torch.optim.Adam(factors, lr=0.1) if adam else torch.optim.SGD(factors, lr=0.1)
    for _ in range(3):
        _gradients(layer, case)
        optimizer.step()
    require(not any(factor.any() for factor in factors), "A = B = 0 has moved")


@claim(
    "A、B 都随机时，还没训练输出就变了。",
    "With A and B both random the output changes before any training.",
    case=layer_cases(),
)
def both_random_changes_the_output(implementation: Implementation, case: LayerCase) -> None:
    layer, x = lora_layer(implementation, case), case.inputs()
    moved = (layer(x) - layer.base(x)).abs().max()
    require(bool(moved > 1e-9), "random A and B leave the output as it was")


@claim(
    "梯度就是链式法则写出来的那两个：∂L/∂A = s·BᵀGᵀx，∂L/∂B = s·Gᵀ(Ax)ᵀ，A、B 都在学。",
    "The gradients are the chain rule's: ∂L/∂A = s·Bᵀ(Gᵀx) and ∂L/∂B = s·(Gᵀx)Aᵀ, so A and B both learn.",
    case=layer_cases(),
)
def gradients_follow_the_chain_rule(implementation: Implementation, case: LayerCase) -> None:
    layer = lora_layer(implementation, case)
    of_a, of_b = _gradients(layer, case)
    upstream = torch.randn(5, case.d_out, generator=torch.Generator().manual_seed(case.seed + 9), dtype=torch.float64)
    of_w = upstream.T @ case.inputs() * (case.alpha / case.r)
    require_close(of_a, layer.lora_B.detach().T @ of_w, "gradient of A")
    require_close(of_b, of_w @ layer.lora_A.detach().T, "gradient of B")
    require(all(p.grad is None for p in layer.base.parameters()), "the frozen base received a gradient")


@claim(
    "A 的初始散布只由 d_in 决定，和 r、α 无关：在 ±1/√d_in 之间均匀。",
    "A's initial spread follows d_in alone, whatever r and α: uniform within ±1/√d_in.",
    d_in=st.integers(64, 256),
    r=st.integers(4, 32),
    alpha=st.sampled_from([1, 64]),
    seed=SEEDS,
    kind=st.sampled_from(["lora", "dora", "bank"]),
)
def spread_of_a_follows_d_in(
    implementation: Implementation, d_in: int, r: int, alpha: int, seed: int, kind: str
) -> None:
    torch.manual_seed(seed)
    base = nn.Linear(d_in, 64)
    if kind == "bank":
        bank = implementation.bank.LoRABank(base)
        bank.add("one", r, alpha)
        a = bank.lora_A["one"].detach()
    else:
        wrapper = implementation.lora.LoRALinear if kind == "lora" else implementation.dora.DoRALinear
        a = wrapper(base, r, alpha).lora_A.detach()
    limit = 1 / math.sqrt(d_in)
    require(
        bool(a.abs().max() <= limit * (1 + unit(a.dtype))), f"|A| reaches {a.abs().max():.3g}, over 1/√d_in {limit:.3g}"
    )
    # variance of the mean of n squares of a uniform variable on ±l: l⁴ · 4/45 / n; six of its deviations
    slack = 6 * limit**2 * math.sqrt(4 / 45 / a.numel())
    require_within(a.double().square().mean(), torch.tensor(limit**2 / 3), slack, "variance of A against 1/(3 d_in)")


@claim(
    "α 只缩放 BA 的输出，不改变 A、B 的初始值。",
    "α scales the output of BA, not the initial values of A and B.",
    case=layer_cases(),
)
def alpha_leaves_the_start_alone(implementation: Implementation, case: LayerCase) -> None:
    one = implementation.lora.LoRALinear(case.base(), case.r, case.alpha)
    two = implementation.lora.LoRALinear(case.base(), case.r, 4 * case.alpha)
    require_equal(two.lora_A, one.lora_A, "A's start with four times the α")
    require_equal(two.lora_B, one.lora_B, "B's start with four times the α")


@claim(
    "PiSSA 起点的输出还是原模型的，A、B 是 W 的前 r 个奇异方向。",
    "PiSSA starts with the base's output, and with W's first r singular directions in A and B.",
    case=layer_cases(),
    rslora=st.booleans(),
)
def pissa_starts_as_the_base(implementation: Implementation, case: LayerCase, rslora: bool) -> None:
    weight = case.base().weight.detach().clone()
    layer = implementation.pissa.pissa_(implementation.lora.LoRALinear(case.base(), case.r, case.alpha, rslora=rslora))
    require_close(layer(case.inputs()), case.base()(case.inputs()), "PiSSA's first output", roundings=5_000)
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    require_close(felt_of(layer), u[:, : case.r] * s[: case.r] @ vt[: case.r], "PiSSA's BA", roundings=5_000)


def felt_of(layer: Any) -> Float[Tensor, "d_out d_in"]:
    """s · B A as the merge would add it."""
    return layer.delta()


@claim(
    "参数没有意义就拒绝：r 不在 1..min(d,k)、α 不为正、dropout 不在 [0,1)。",
    "Settings without meaning are refused: r outside 1..min(d,k), α not positive, dropout outside [0, 1).",
    case=layer_cases(),
    which=st.sampled_from(
        ["zero rank", "rank too high", "zero alpha", "negative alpha", "dropout one", "dropout negative"]
    ),
)
def meaningless_settings_are_refused(implementation: Implementation, case: LayerCase, which: str) -> None:
    settings = {
        "zero rank": (0, case.alpha, 0.0),
        "rank too high": (min(case.d_in, case.d_out) + 1, case.alpha, 0.0),
        "zero alpha": (case.r, 0, 0.0),
        "negative alpha": (case.r, -case.alpha, 0.0),
        "dropout one": (case.r, case.alpha, 1.0),
        "dropout negative": (case.r, case.alpha, -0.1),
    }[which]
    try:
        implementation.lora.LoRALinear(case.base(), *settings)
    except implementation.errors.MethodError:
        return
    raise AssertionError(f"{which}: r, alpha, dropout = {settings} was accepted")


@claim(
    "A 先随机、B 后动：几步以后两个都离开了起点，原权重没动。",
    "After a few steps both A and B have left their start, and W has not.",
    case=layer_cases(),
    seed=SEEDS,
)
def both_factors_learn(implementation: Implementation, case: LayerCase, seed: int) -> None:
    layer = lora_layer(implementation, case, trained=False)
    start = {name: p.detach().clone() for name, p in layer.named_parameters()}
    target = torch.empty(5, case.d_out, dtype=torch.float64)
    randomise(target, seed)
    optimizer = torch.optim.SGD([p for p in layer.parameters() if p.requires_grad], lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(case.inputs()) - target).square().mean().backward()
        optimizer.step()
    for name, parameter in layer.named_parameters():
        moved = not torch.equal(parameter, start[name])
        require(moved == name.startswith("lora_"), f"{name} {'moved' if moved else 'did not move'} in three steps")
