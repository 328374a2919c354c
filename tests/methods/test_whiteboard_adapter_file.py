"""The whiteboard's adapter state holds what the full implementation collects, and comes back as PyTorch loads it."""

from __future__ import annotations

import pytest
import torch

from lora_demo.methods import lora, surgery
from lora_demo.methods.whiteboard.adapter_file import adapter_state, load_adapter
from lora_demo.methods.whiteboard.inject import inject

TARGETS = ["q_proj", "down_proj"]


@pytest.fixture
def adapted(tiny):
    """seed -> a tiny Llama with LoRA whose factors have moved."""

    def build(seed: int):
        model = tiny("llama")
        inject(model, set(TARGETS), r=2, alpha=4.0)
        generator = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
        return model

    return build


def test_state_is_what_the_full_one_collects(adapted, tiny):
    full = tiny("llama")
    lora.apply_lora(full, TARGETS, r=2, alpha=4)
    state = adapter_state(adapted(0))
    assert {name.replace("lora_", "") for name in surgery.collect(full)} == state.keys()
    assert sum(value.numel() for value in state.values()) == sum(p.numel() for p in surgery.collect(full).values())


def test_loading_is_that_of_pytorch_and_exact(adapted, tokens):
    trained, ours, theirs = adapted(0), adapted(1), adapted(2)
    state = adapter_state(trained)
    load_adapter(ours, state)
    assert not theirs.load_state_dict(state, strict=False).unexpected_keys
    assert torch.equal(ours(tokens).logits, trained(tokens).logits)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_state_stays_when_training_goes_on(adapted):
    model = adapted(0)
    state = adapter_state(model)
    kept = {name: value.clone() for name, value in state.items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    load_adapter(model, state)
    sum(p.sum() for p in model.parameters() if p.requires_grad).backward()
    optimizer.step()
    assert all(torch.equal(state[name], kept[name]) for name in kept)
    torch.testing.assert_close(adapter_state(model), {name: value - 1 for name, value in kept.items()})


@pytest.mark.parametrize(
    ("spoil", "error", "named"),
    [
        (lambda state, last: state.pop(last), KeyError, "missing: .*; unexpected: none"),
        (lambda state, _: state.update({"extra.A": torch.ones(1)}), KeyError, "missing: none; unexpected: extra.A"),
        (lambda state, last: state.update({last: state[last][:, :1]}), ValueError, r"down_proj.B is \[32, 2\] here"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(adapted, spoil, error, named):
    model, state = adapted(0), adapter_state(adapted(1))
    spoil(state, list(state)[-1])
    before = adapter_state(model)
    with pytest.raises(error, match=named):
        load_adapter(model, state)
    assert all(torch.equal(value, before[name]) for name, value in adapter_state(model).items())
