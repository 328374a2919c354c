"""BitFit: exactly the biases, and an error where there are none."""

from __future__ import annotations

import pytest
import torch

from lora_demo.methods.bitfit import apply_bitfit
from lora_demo.methods.errors import MethodError


@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_nothing_to_train_on_gemma(tiny, family, bits):
    model, before = tiny(family), bits(tiny(family))
    with pytest.raises(MethodError, match=r"nothing to train.*no biases.*LoRA"):
        apply_bitfit(model)
    assert all(torch.equal(value, before[name]) for name, value in bits(model).items())
    assert all(parameter.requires_grad for parameter in model.parameters()), "a refusal freezes nothing"


def test_exactly_the_biases_of_bert(tiny):
    model = tiny("bert")
    names = apply_bitfit(model)
    assert names == [name for name, _ in model.named_parameters() if name.endswith("bias")]
    per_layer, embedding_norm, head = 8, 1, 3
    assert len(names) == 2 * per_layer + embedding_norm + head
    assert {name for name, p in model.named_parameters() if p.requires_grad} == set(names)
