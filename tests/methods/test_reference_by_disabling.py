"""The reference model of preference optimisation is the policy with its adapter off, as long as the base is the start.

L = -log σ(β [(log π(y⁺) - log π_ref(y⁺)) - (log π(y⁻) - log π_ref(y⁻))])      the loss of DPO
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lora_demo.methods import merging
from lora_demo.methods.lora import apply_lora

BETA = 0.5


def _log_probabilities(model, tokens):
    every = model(tokens).logits[:, :-1].log_softmax(-1)
    return every.gather(-1, tokens[:, 1:, None]).sum((1, 2))


def _reference(model, tokens):
    with merging.disabled(model), torch.no_grad():
        return _log_probabilities(model, tokens)


def _loss(model, tokens, reference):
    """Row 0 is the answer preferred over row 1."""
    ratio = _log_probabilities(model, tokens) - reference
    return -F.logsigmoid(BETA * (ratio[0] - ratio[1]))


@pytest.fixture
def pair(tokens):
    return tokens[:2]


@pytest.fixture
def policy(tiny):
    torch.manual_seed(0)
    model = tiny("gemma")
    apply_lora(model, ["q_proj", "v_proj"], r=2, alpha=2)
    return model


def test_one_set_of_weights_gives_both(tiny, policy, pair, perturb):
    perturb(policy)
    with torch.no_grad():
        assert torch.equal(_reference(policy, pair), _log_probabilities(tiny("gemma"), pair))
        assert not torch.equal(_reference(policy, pair), _log_probabilities(policy, pair))


def test_a_fresh_adapter_starts_at_log_two_and_learns(policy, pair):
    loss = _loss(policy, pair, _reference(policy, pair))
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    factors = [p.grad for name, p in policy.named_parameters() if name.endswith("lora_B")]
    assert len(factors) == 2 * len(policy.model.layers)
    assert all(bool(grad.any()) for grad in factors)


def test_dropout_on_the_side_path_does_not_show_at_a_fresh_start(tiny, pair, perturb):
    """B is zero, so whatever is dropped the side path adds nothing; once B has moved, the same dropout does show."""
    model = tiny("gemma")
    apply_lora(model, ["q_proj", "v_proj"], r=2, alpha=2, dropout=0.5)
    model.train()
    assert _loss(model, pair, _reference(model, pair)).item() == pytest.approx(math.log(2))
    perturb(model)
    first, second = (_loss(model, pair, _reference(model, pair)).item() for _ in range(2))
    assert first != pytest.approx(second, abs=1e-4)


def test_after_sft_in_the_same_adapter_the_base_is_the_wrong_reference(policy, pair, perturb):
    """Off means back to the base, not to the fine-tuned start: the first loss is no longer log 2."""
    perturb(policy)
    assert _loss(policy, pair, _reference(policy, pair)).item() != pytest.approx(math.log(2), abs=1e-3)
    with torch.no_grad():
        start = _log_probabilities(policy, pair)
    assert _loss(policy, pair, start).item() == pytest.approx(math.log(2))


def test_merging_sft_first_makes_off_mean_the_start(policy, pair, perturb):
    perturb(policy)
    merging.merge(policy)
    merging.unload(policy)
    apply_lora(policy, ["q_proj", "v_proj"], r=2, alpha=2)
    assert _loss(policy, pair, _reference(policy, pair)).item() == pytest.approx(math.log(2))
