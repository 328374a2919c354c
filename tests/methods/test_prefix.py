"""Prefix tuning: the cache, the folded network, generation, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from lora_demo.methods import merging, surgery
from lora_demo.methods.errors import MethodError
from lora_demo.methods.prefix import apply_prefix

COUNT = 3


@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_prefix_lengthens_the_cache(tiny, tokens, family):
    base, model = tiny(family), tiny(family)
    apply_prefix(model, count=COUNT)
    without = base(tokens, use_cache=True).past_key_values
    with_prefix = model(tokens, use_cache=True).past_key_values
    assert without.get_seq_length() == tokens.shape[1]
    assert with_prefix.get_seq_length() == tokens.shape[1] + COUNT
    for layer, (keys, values) in enumerate(model.prefix()):
        assert torch.equal(with_prefix.layers[layer].keys[0, :, :COUNT], keys)
        assert torch.equal(with_prefix.layers[layer].values[-1, :, :COUNT], values)


def test_folding_keeps_the_function_and_drops_the_network(tiny, tokens):
    model = tiny("gemma")
    apply_prefix(model, count=COUNT, hidden=16)
    before, size = model(tokens).logits, sum(p.numel() for p in surgery.adapter_parameters(model).values())
    model.prefix.fold()
    assert torch.equal(model(tokens).logits, before)
    assert list(surgery.adapter_parameters(model)) == ["prefix.table"]
    assert model.prefix.table.numel() < size
    with pytest.raises(MethodError, match=r"no reparametrisation"):
        model.prefix.fold()


def test_generation_step_by_step_equals_one_pass(tiny, tokens):
    model = tiny("llama")
    apply_prefix(model, count=COUNT)
    kwargs = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    generated = model.generate(tokens, attention_mask=torch.ones_like(tokens), **kwargs)
    expected = tokens
    for _ in range(4):
        following = model(expected, use_cache=False).logits[:, -1:].argmax(-1)
        expected = torch.cat([expected, following], dim=1)
    assert torch.equal(generated, expected)


def test_padding_does_not_reach_the_outputs(tiny, tokens):
    model = tiny("gemma")
    apply_prefix(model, count=COUNT)
    padded, mask = torch.cat([tokens, torch.zeros(3, 2, dtype=torch.long)], 1), torch.ones(3, 9, dtype=torch.long)
    mask[:, 7:] = 0
    torch.testing.assert_close(model(padded, attention_mask=mask).logits[:, :7], model(tokens).logits)


def test_given_positions_move_up(tiny, tokens):
    model = tiny("gemma")
    apply_prefix(model, count=COUNT)
    positions = torch.arange(tokens.shape[1])[None].expand_as(tokens)
    torch.testing.assert_close(model(tokens, position_ids=positions).logits, model(tokens).logits)


def test_disabled_is_the_base(tiny, tokens):
    base, model = tiny("gemma"), tiny("gemma")
    apply_prefix(model, count=COUNT)
    with merging.disabled(model):
        assert torch.equal(model(tokens).logits, base(tokens).logits)


def test_embeddings_as_input(tiny, tokens):
    model = tiny("gemma")
    apply_prefix(model, count=COUNT)
    embedded = model.get_input_embeddings()(tokens)
    torch.testing.assert_close(model(inputs_embeds=embedded).logits, model(tokens).logits)
    with pytest.raises(MethodError, match=r"need input_ids or inputs_embeds"):
        model()


def test_a_given_empty_cache_is_filled(tiny, tokens):
    model = tiny("gemma")
    apply_prefix(model, count=COUNT)
    cache = DynamicCache(config=model.config)
    model(tokens, past_key_values=cache, use_cache=True)
    assert cache.get_seq_length() == tokens.shape[1] + COUNT


def test_refusals(tiny, tokens):
    with pytest.raises(MethodError, match=r"BertForMaskedLM is no decoder"):
        apply_prefix(tiny("bert"), count=COUNT)
    with pytest.raises(MethodError, match=r"at least one"):
        apply_prefix(tiny("gemma"), count=0)
    model = tiny("gemma")
    apply_prefix(model, count=COUNT)
    with pytest.raises(MethodError, match=r"already"):
        apply_prefix(model, count=COUNT)
    with pytest.raises(MethodError, match=r"2-D"):
        model(tokens, attention_mask=torch.ones(3, 1, 7, 7))
    model.train().activation_checkpointing_enable()
    with pytest.raises(MethodError, match=r"activation checkpointing"):
        model(tokens)
