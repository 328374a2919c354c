"""What PEFT's `add_weighted_adapter` makes of two adapters, against the sum that its weights promise."""

from __future__ import annotations

import math

import peft
import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from torch import Tensor

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The density 1.0 is greater than or equal to 1:UserWarning"),
]
WEIGHTS = {"style": 0.7, "skill": 0.5}
RANKS = {"style": 2, "skill": 3}


def with_two(model: torch.nn.Module, ranks: dict[str, int], *, rslora: bool = False) -> peft.PeftModel:
    """A model with two adapters that both do something."""
    torch.manual_seed(0)
    settings = {"target_modules": ["q_proj", "v_proj"], "lora_alpha": 6, "use_rslora": rslora}
    configs = {name: LoraConfig(r=r, init_lora_weights=False, **settings) for name, r in ranks.items()}
    adapted = peft.get_peft_model(model, configs["style"], adapter_name="style")
    adapted.add_adapter("skill", configs["skill"])
    return adapted


def updates(model: peft.PeftModel, name: str) -> list[Tensor]:
    return [layer.get_delta_weight(name).detach() for layer in model.modules() if isinstance(layer, LoraLayer)]


def promised(model: peft.PeftModel) -> list[Tensor]:
    """The weighted sum of the two updates, layer by layer."""
    pairs = zip(*(updates(model, name) for name in WEIGHTS), strict=True)
    return [sum(w * update for w, update in zip(WEIGHTS.values(), pair, strict=True)) for pair in pairs]


def combined(model: peft.PeftModel, kind: str, **more: object) -> list[Tensor]:
    model.add_weighted_adapter(list(WEIGHTS), list(WEIGHTS.values()), "both", combination_type=kind, **more)
    return updates(model, "both")


def distance(found: list[Tensor], wanted: list[Tensor]) -> float:
    """Largest relative Frobenius distance of a layer."""
    return max(float((a - b).norm() / b.norm()) for a, b in zip(found, wanted, strict=True))


def test_cat_is_the_weighted_sum_and_its_ranks_add(tiny):
    model = with_two(tiny("llama"), RANKS)
    assert distance(combined(model, "cat"), promised(model)) < 1e-5
    ranks = {layer.r["both"] for layer in model.modules() if isinstance(layer, LoraLayer)}
    assert ranks == {sum(RANKS.values())}


def test_svd_is_the_weighted_sum_when_its_rank_suffices_and_its_best_piece_otherwise(tiny):
    model = with_two(tiny("llama"), RANKS)
    wanted = promised(model)
    assert distance(combined(model, "svd", svd_rank=5), wanted) < 1e-4
    model.delete_adapter("both")
    cut = combined(model, "svd", svd_rank=2)
    for found, whole in zip(cut, wanted, strict=True):
        tail = torch.linalg.svdvals(whole)[2:].norm()
        assert float((found - whole).norm()) == pytest.approx(float(tail), rel=1e-3)


WHOLE = {"density": 1.0}


@pytest.mark.parametrize(("kind", "more"), [("linear", {}), ("ties", WHOLE), ("dare_linear", WHOLE)])
def test_what_adds_the_factors_brings_cross_terms(tiny, kind, more):
    """Even with nothing trimmed: (B1 + B2)(A1 + A2) is not B1 A1 + B2 A2."""
    model = with_two(tiny("llama"), {"style": 2, "skill": 2})
    assert distance(combined(model, kind, **more), promised(model)) > 0.1
    with pytest.raises(ValueError, match="same r"):
        combined(with_two(tiny("llama"), RANKS), kind, **more)


@pytest.mark.parametrize(("kind", "more"), [("cat", {}), ("svd", {"svd_rank": 5})])
def test_with_rslora_the_sum_comes_out_too_large_by_the_root_of_the_new_rank(tiny, kind, more):
    """As PEFT 0.21.2 does it: alpha is set to r as for plain LoRA, the switch is inherited, so r / sqrt(r) remains."""
    model = with_two(tiny("llama"), RANKS, rslora=True)
    factor = math.sqrt(sum(RANKS.values()))
    assert distance(combined(model, kind, **more), [factor * one for one in promised(model)]) < 1e-4
