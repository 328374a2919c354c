"""Several adapters on one layer: sums, rows, merging the mixture."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import LayerCase, layer_cases, randomise
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close, require_equal, unit

NAMES = ("zh", "en", "code")
WEIGHTS = st.tuples(*[st.sampled_from([-1.5, 0.25, 0.5, 2.0])] * 3)
ROWS = st.lists(st.sampled_from([*NAMES, None]), min_size=2, max_size=6)


def _bank(implementation: Implementation, case: LayerCase) -> Any:
    """Three random adapters of ranks r, 1, r and different α."""
    bank = implementation.bank.LoRABank(case.base())
    for place, (name, r) in enumerate(zip(NAMES, (case.r, 1, case.r), strict=True)):
        bank.add(name, r, case.alpha + place)
        randomise(bank.lora_B[name], case.seed + place)
    return bank


def _alone(implementation: Implementation, case: LayerCase, bank: Any, name: str) -> Any:
    """A plain LoRA layer that holds one of the bank's adapters."""
    place = NAMES.index(name)
    layer = implementation.lora.LoRALinear(case.base(), len(bank.lora_A[name]), case.alpha + place)
    layer.lora_A, layer.lora_B = bank.lora_A[name], bank.lora_B[name]
    return layer


@claim(
    "一个批次里混用适配器，每一行都等于它单独跑。",
    "In a mixed batch every row equals that row alone with its adapter.",
    case=layer_cases(),
    rows=ROWS,
)
def mixed_batch_is_each_row_alone(implementation: Implementation, case: LayerCase, rows: list[str | None]) -> None:
    bank, x = _bank(implementation, case), case.inputs(rows=len(rows))
    bank.rows = rows
    mixed = bank(x)
    for i, name in enumerate(rows):
        layer = bank.base if name is None else _alone(implementation, case, bank, name)
        require_close(mixed[i], layer(x[i : i + 1])[0], f"row {i} of {rows}")


@claim(
    "带权重的多适配器输出，等于各自更新的加权和，与次序无关。",
    "The weighted sum of adapters gives the weighted sum of their updates, in whatever order.",
    case=layer_cases(),
    weights=WEIGHTS,
)
def weighted_sum_adds_the_updates(implementation: Implementation, case: LayerCase, weights: tuple[float, ...]) -> None:
    bank, x = _bank(implementation, case), case.inputs()
    chosen = dict(zip(NAMES, weights, strict=True))
    expected = case.base()(x)
    for name, weight in chosen.items():
        expected = expected + weight * (_alone(implementation, case, bank, name)(x) - bank.base(x))
    for order in (chosen, dict(reversed(chosen.items()))):
        bank.weights = order
        require_close(bank(x), expected, f"weighted sum in the order {list(order)}")


@claim(
    "k 个秩 r 的适配器之和，秩不超过 kr，并且等于拼起来的一个适配器。",
    "The sum of k adapters of rank r has rank at most kr and equals one concatenated adapter.",
    case=layer_cases(ranks=3),
    weights=WEIGHTS,
)
def sum_is_one_concatenated_adapter(
    implementation: Implementation, case: LayerCase, weights: tuple[float, ...]
) -> None:
    bank, x = _bank(implementation, case), case.inputs()
    bank.weights = dict(zip(NAMES, weights, strict=True))
    left, right = bank.concatenated(bank.weights)
    ranks = 2 * case.r + 1
    require(left.shape[1] == right.shape[0] == ranks, f"concatenated rank {left.shape[1]}, the ranks add up to {ranks}")
    require_close(bank.base(x) + x @ (left @ right).T, bank(x), "one concatenated adapter against the sum")
    unit_vectors = torch.eye(case.d_in, dtype=torch.float64)
    values = torch.linalg.svdvals((bank(unit_vectors) - bank.base(unit_vectors)).detach())
    allowed = 100 * unit(torch.float64) * (values[0] + 1) * max(case.d_in, case.d_out)
    require(bool((values[ranks:] <= allowed).all()), f"the sum has a rank above kr = {ranks}")


@claim(
    "多适配器合并的是当前这组权重，取消时拿掉的也是同一组，哪怕中间改过权重。",
    "Merging folds the active mixture, and unmerging takes out the same one, even if the weights changed in between.",
    case=layer_cases(),
    weights=WEIGHTS,
)
def merged_mixture_comes_out_again(implementation: Implementation, case: LayerCase, weights: tuple[float, ...]) -> None:
    bank, x = _bank(implementation, case), case.inputs()
    bank.weights = dict(zip(NAMES, weights, strict=True))
    apart = bank(x)
    bank.merge()
    require_close(bank(x), apart, "merged mixture")
    bank.weights = {"zh": 1.0}
    bank.unmerge()
    require_close(bank.base.weight, case.base().weight, "base after unmerging")


@claim(
    "混批训练时，每个适配器只从自己那几行得到梯度。",
    "Training on a mixed batch, each adapter gets gradients from its own rows only.",
    case=layer_cases(),
    rows=ROWS,
)
def mixed_batch_trains_each_on_its_rows(
    implementation: Implementation, case: LayerCase, rows: list[str | None]
) -> None:
    bank, x = _bank(implementation, case), case.inputs(rows=len(rows))
    bank.rows = rows
    if all(name is None for name in rows):
        require_equal(bank(x), bank.base(x), "a batch for the base alone")
        return
    bank(x).square().sum().backward()
    for name in NAMES:
        own = [i for i, row in enumerate(rows) if row == name]
        gradient = bank.lora_B[name].grad
        if not own:
            require(gradient is None or not gradient.any(), f"{name} has a gradient without a row in {rows}")
            continue
        alone = _alone(implementation, case, bank, name)
        copy: Any = nn.Parameter(alone.lora_B.detach().clone())
        alone.lora_B = copy
        alone(x[own]).square().sum().backward()
        require_close(gradient, copy.grad, f"gradient of {name}'s B in {rows}", roundings=10_000)
