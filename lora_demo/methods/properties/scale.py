"""α, r and their quotient: what scales the output, and how large one step is as r grows."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import SEEDS, LayerCase, felt, layer_cases, lora_layer
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close


@claim(
    "LoRA 的输出就是 Wx + b + (α/r)·BAx。",
    "LoRA's output is Wx + b + (α/r)·BAx.",
    case=layer_cases(),
)
def output_is_base_plus_scaled_product(implementation: Implementation, case: LayerCase) -> None:
    layer, x = lora_layer(implementation, case), case.inputs()
    update = x @ (layer.lora_B @ layer.lora_A).T * (case.alpha / case.r)
    require_close(layer(x), layer.base(x) + update, "output against Wx + b + (α/r)BAx")


@claim(
    "A、B 固定时，更新量随 α 成正比。",
    "For fixed A and B the update is proportional to α.",
    case=layer_cases(),
    factor=st.sampled_from([2, 3, 10]),
)
def update_is_linear_in_alpha(implementation: Implementation, case: LayerCase, factor: int) -> None:
    one = lora_layer(implementation, case)
    two = implementation.lora.LoRALinear(case.base(), case.r, factor * case.alpha)
    two.load_state_dict(one.state_dict())
    require_close(felt(two), factor * felt(one), f"update at {factor} times the α")


@claim(
    "A、B 的乘积固定时，更新量按 1/r 变小，rsLoRA 按 1/√r。",
    "For a fixed product BA the update falls as 1/r, in rsLoRA as 1/√r.",
    case=layer_cases(largest=8, ranks=3),
    more=st.integers(1, 5),
    rslora=st.booleans(),
)
def update_falls_with_r_for_fixed_factors(
    implementation: Implementation, case: LayerCase, more: int, rslora: bool
) -> None:
    case = LayerCase(case.d_in + 8, case.d_out + 8, case.r, case.alpha, case.bias, case.seed)
    small = lora_layer(implementation, case, rslora=rslora)
    large = implementation.lora.LoRALinear(case.base(), case.r + more, case.alpha, rslora=rslora)
    with torch.no_grad():
        # zero rows and columns keep the product BA while r grows
        large.lora_A.copy_(nn.functional.pad(small.lora_A, (0, 0, 0, more)))
        large.lora_B.copy_(nn.functional.pad(small.lora_B, (0, more)))
    ratio = case.r / (case.r + more)
    expected = felt(small) * (math.sqrt(ratio) if rslora else ratio)
    require_close(felt(large), expected, f"update after r: {case.r} -> {case.r + more} with the same BA")


def _one_step(
    implementation: Implementation,
    r: int,
    rslora: bool,
    seed: int,
    make: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
) -> tuple[float, float]:
    """‖ΔW‖ and the drop of the loss <G, W + ΔW> after one step from the usual start, α = 16."""
    torch.manual_seed(seed)
    # α is the same at each r: only r changes
    layer = implementation.lora.LoRALinear(nn.Linear(512, 64, bias=False).double(), r, 16, rslora=rslora)
    slope = torch.randn(64, 512, dtype=torch.float64)

    def loss() -> Tensor:
        return (layer(torch.eye(512, dtype=torch.float64)).T * slope).sum()

    optimizer, before = make([layer.lora_A, layer.lora_B]), loss()
    before.backward()
    optimizer.step()
    return felt(layer).norm().item(), (before - loss()).item()


def _exponent(small: float, large: float) -> float:
    """p in large = small · r^p for r from 4 to 64."""
    return math.log(large / small) / math.log(64 / 4)


def _require_exponents(got: tuple[float, float], want: tuple[float, float], scaling: str) -> None:
    for name, value, expected in zip(("‖ΔW‖", "the loss drop"), got, want, strict=True):
        message = f"{scaling}: {name} grows as r^{value:.2f}, expected r^{expected}"
        # at 64 of 512 directions the rows of A overlap a little: up to 0.05 in the exponent
        require(abs(value - expected) < 0.1, message)


@claim(
    "一步 Adam：用 α/r，ΔW 的范数按 1/√r 变小而损失降幅不变；"
    "用 α/√r，范数不变而降幅按 √r 变大。两种说法都对，说的不是同一个量。",
    "One Adam step: with α/r the norm of ΔW falls as 1/√r while the loss drop stays; with α/√r the norm "
    "stays while the "
    "drop grows as √r. Both sides of the debate are right, about different quantities.",
    seed=SEEDS,
    examples=4,
)
def one_adam_step_as_r_grows(implementation: Implementation, seed: int) -> None:
    for rslora, want in ((False, (-0.5, 0.0)), (True, (0.0, 0.5))):
        runs = [
            _one_step(implementation, r, rslora, seed, lambda p: torch.optim.Adam(p, lr=1e-4, eps=1e-30))
            for r in (4, 64)
        ]
        got = (_exponent(runs[0][0], runs[1][0]), _exponent(runs[0][1], runs[1][1]))
        _require_exponents(got, want, "α/√r" if rslora else "α/r")


@claim(
    "一步 SGD：用 α/r，ΔW 的范数和损失降幅按 r^-1.5 和 1/r 变小；用 α/√r，范数按 r^-0.5 变小，降幅不变。",
    "One SGD step: with α/r the norm of ΔW and the loss drop fall as r^-1.5 and 1/r; with α/√r the norm "
    "falls as r^-0.5 "
    "and the drop stays.",
    seed=SEEDS,
    examples=4,
)
def one_sgd_step_as_r_grows(implementation: Implementation, seed: int) -> None:
    for rslora, want in ((False, (-1.5, -1.0)), (True, (-0.5, 0.0))):
        runs = [_one_step(implementation, r, rslora, seed, lambda p: torch.optim.SGD(p, lr=1e-4)) for r in (4, 64)]
        got = (_exponent(runs[0][0], runs[1][0]), _exponent(runs[0][1], runs[1][1]))
        _require_exponents(got, want, "α/√r" if rslora else "α/r")
