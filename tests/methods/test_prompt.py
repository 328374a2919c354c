"""Prompt tuning: as many outputs as inputs, labels and selections in step, generation."""

from __future__ import annotations

import pytest
import torch

from lora_demo.methods import merging
from lora_demo.methods.errors import MethodError
from lora_demo.methods.prompt import apply_prompt

COUNT = 3


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    model = tiny("gemma")
    apply_prompt(model, count=COUNT)
    return model


def test_equals_the_base_on_longer_embeddings(tiny, model, tokens):
    base = tiny("gemma")
    embedded = torch.cat([model.soft_prompt.rows.expand(3, -1, -1), base.get_input_embeddings()(tokens)], dim=1)
    torch.testing.assert_close(model(tokens).logits, base(inputs_embeds=embedded).logits[:, COUNT:])
    torch.testing.assert_close(model(inputs_embeds=embedded[:, COUNT:]).logits, model(input_ids=tokens).logits)


def test_loss_and_selection_see_the_callers_positions(model, tokens):
    logits, labels = model(tokens).logits, tokens.clone()
    labels[:, :4] = -100
    loss = torch.nn.functional.cross_entropy(logits[:, 3:-1].flatten(0, 1), tokens[:, 4:].flatten())
    torch.testing.assert_close(model(tokens, labels=labels).loss, loss)
    chosen = torch.tensor([2, 5])
    torch.testing.assert_close(model(tokens, logits_to_keep=chosen).logits, logits[:, chosen])
    torch.testing.assert_close(model(tokens, logits_to_keep=2).logits, logits[:, -2:])


def test_generation_step_by_step_equals_one_pass(model, tokens):
    kwargs = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    generated = model.generate(tokens, attention_mask=torch.ones_like(tokens), **kwargs)
    expected = tokens
    for _ in range(4):
        expected = torch.cat([expected, model(expected, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(generated, expected)


def test_costs_cache_length(model, tokens):
    assert model(tokens, use_cache=True).past_key_values.get_seq_length() == tokens.shape[1] + COUNT


def test_positions_start_before_the_input(model, tokens):
    positions = torch.arange(tokens.shape[1])[None]
    torch.testing.assert_close(model(tokens, position_ids=positions).logits, model(tokens).logits)


def test_disabled_is_the_base(tiny, model, tokens):
    with merging.disabled(model):
        assert torch.equal(model(tokens).logits, tiny("gemma")(tokens).logits)


def test_refusals(tiny, model):
    with pytest.raises(MethodError, match=r"at least one"):
        apply_prompt(tiny("gemma"), count=0)
    with pytest.raises(MethodError, match=r"already"):
        apply_prompt(model, count=2)
    with pytest.raises(MethodError, match=r"no input embedding"):
        apply_prompt(torch.nn.Linear(2, 2), count=2)
