"""Said of variants that this repository does not implement: VeRA as PEFT builds it, GaLore's rank by algebra."""

from __future__ import annotations

import peft
import pytest
import torch

RANK = 2
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def test_vera_trains_an_output_width_and_r_per_layer_and_shares_the_rest(tiny):
    model = peft.get_peft_model(tiny("gemma"), peft.VeraConfig(r=RANK, target_modules=["q_proj", "v_proj"]))
    layers = [one for one in model.modules() if isinstance(one, peft.tuners.vera.layer.VeraLayer)]
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == sum(layer.out_features + RANK for layer in layers)
    assert len({id(factors["default"]) for layer in layers if (factors := layer.vera_A) is not None}) == 1


def galore_step(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """One step without moments: the gradient seen only through its own top RANK left singular directions."""
    projection = torch.linalg.svd(gradient).U[:, :RANK]
    return weight - 0.1 * projection @ (projection.T @ gradient)


def test_projected_steps_accumulate_to_full_rank_and_lora_never_does():
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(8, 6, generator=generator, dtype=torch.float64)
    galore = start.clone()
    a = torch.randn(RANK, 6, generator=generator, dtype=torch.float64)
    b = torch.zeros(8, RANK, dtype=torch.float64)
    for _ in range(6):
        gradient = torch.randn(8, 6, generator=generator, dtype=torch.float64)
        galore = galore_step(galore, gradient)
        a, b = a - 0.1 * b.T @ gradient, b - 0.1 * gradient @ a.T
    assert torch.linalg.matrix_rank(galore - start) == 6
    assert torch.linalg.matrix_rank(b @ a) == RANK
