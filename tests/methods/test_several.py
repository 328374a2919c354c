"""Several adapters in one model: each alone, summed, one per row, merged."""

from __future__ import annotations

import pytest
import torch

from lora_demo.methods import merging, several, surgery
from lora_demo.methods.errors import MergeRefused, MethodError
from lora_demo.methods.lora import apply_lora

SETTINGS = {"zh": {"r": 2, "alpha": 4}, "en": {"r": 3, "alpha": 3}, "code": {"r": 4, "alpha": 8, "rslora": True}}


@pytest.fixture
def model(tiny, perturb):
    torch.manual_seed(0)
    model = tiny("gemma").double()
    several.apply_bank(model, "all", SETTINGS)
    perturb(model)
    return model.eval()


def _alone(model, name, rows):
    several.switch(model, name)
    return model(rows).logits


def test_mixed_batch_equals_each_row_alone(tiny, model, tokens):
    choice = ["en", None, "zh"]
    with several.mixed_batch(model, choice):
        together = model(tokens).logits
    base = tiny("gemma").double()
    for row, name in enumerate(choice):
        one = tokens[row : row + 1]
        alone = base(one).logits if name is None else _alone(model, name, one)
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(together[0], _alone(model, "zh", tokens[:1])[0])


def test_mixed_batch_trains_each_adapter_on_its_rows(model, tokens):
    with several.mixed_batch(model, ["en", None, "zh"]):
        model(tokens).logits.square().sum().backward()
    grads = {name: p.grad for name, p in surgery.adapter_parameters(model).items()}
    assert all((grad is not None) == (name.endswith(("en", "zh"))) for name, grad in grads.items())


def test_switch_equals_a_model_with_that_adapter_only(tiny, model, tokens, perturb):
    single = tiny("gemma").double()
    apply_lora(single, "all", r=2, alpha=4)
    perturb(single)
    several.take(model, "zh", single)
    torch.testing.assert_close(_alone(model, "zh", tokens), single.eval()(tokens).logits, rtol=1e-12, atol=1e-12)


def test_weighted_sum_is_one_concatenated_adapter(model):
    bank = several.banks(model)[0]
    weights = {"zh": 0.3, "code": -2.0}
    x = torch.randn(2, 5, bank.in_features, dtype=torch.float64)
    left, right = bank.concatenated(weights)
    assert right.shape[0] == 2 + 4
    several.mix(model, weights)
    torch.testing.assert_close(bank(x), bank.base(x) + x @ (left @ right).T)


def test_merge_folds_the_active_mixture_and_unmerge_takes_it_out(model, tokens, bits):
    several.mix(model, {"zh": 0.5, "en": 2.0})
    before, apart = bits(model), model(tokens).logits
    merging.merge(model)
    torch.testing.assert_close(model(tokens).logits, apart, rtol=1e-12, atol=1e-12)
    with pytest.raises(MethodError, match=r"unmerge before"):
        several.switch(model, "zh")
    with pytest.raises(MergeRefused, match=r"already"):
        merging.merge(model)
    merging.unmerge(model)
    for name, value in bits(model).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=1e-14)


def test_disabled_is_the_base(tiny, model, tokens):
    with merging.disabled(model):
        assert torch.equal(model(tokens).logits, tiny("gemma").double()(tokens).logits)


def test_refusals(tiny, model, tokens):
    with pytest.raises(MethodError, match=r"'fr'; there are: zh, en, code"):
        several.switch(model, "fr")
    with (
        pytest.raises(MethodError, match=r"2 adapter names for a batch of 3"),
        several.mixed_batch(model, ["zh", "en"]),
    ):
        model(tokens)
    with pytest.raises(MethodError, match=r"no single weight"), several.mixed_batch(model, ["zh", "en", None]):
        merging.merge(model)
    with pytest.raises(MethodError, match=r"no adapter bank"):
        several.switch(tiny("gemma"), "zh")
    with pytest.raises(MethodError, match=r"must be new"):
        several.banks(model)[0].add("zh", r=1, alpha=1)
    with pytest.raises(MethodError, match=r"no adapter named"):
        several.apply_bank(tiny("gemma"), "all", {})
