"""Re-entrant checkpointing on inputs without gradient: the graph is cut, loudly or silently; four ways out.

transformers marks the output of the embedding module, whoever calls it. Embeddings that never went through the
module, as a vision-language model may assemble them, have no such mark.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lora_demo.methods import surgery
from lora_demo.methods.lora import apply_lora

WARNED = r"None of the inputs have requires_grad"


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    model = tiny("gemma")
    apply_lora(model, ["q_proj", "v_proj"], r=2, alpha=2)
    return model.train()


@pytest.fixture
def embedded(model, tokens):
    return model.get_input_embeddings()(tokens).detach()


def _checkpoint(model, *, reentrant):
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": reentrant})


def _reached(model):
    factors = {name: p for name, p in surgery.adapter_parameters(model).items() if name.endswith("lora_B")}
    assert len(factors) == 2 * len(model.model.layers)
    return [p.grad is not None and bool(p.grad.any()) for p in factors.values()]


def test_inputs_without_gradient_cut_the_graph(model, embedded):
    _checkpoint(model, reentrant=True)
    with pytest.warns(UserWarning, match=WARNED):
        loss = model(inputs_embeds=embedded).logits.square().mean()
    with pytest.raises(RuntimeError, match=r"element 0 of tensors does not require grad"):
        loss.backward()


def test_a_trained_layer_behind_the_cut_hides_it(model, embedded):
    model.model.norm.weight.requires_grad_(True)
    _checkpoint(model, reentrant=True)
    with pytest.warns(UserWarning, match=WARNED):
        model(inputs_embeds=embedded).logits.square().mean().backward()
    assert model.model.norm.weight.grad.any()
    assert not any(_reached(model))


def _assembled(words):
    """What a vision-language model passes on: words joined with features of a picture."""
    return torch.cat([words, torch.randn(words.shape[0], 4, words.shape[2])], dim=1)


def test_words_through_the_module_keep_the_graph(model, tokens):
    _checkpoint(model, reentrant=True)
    joined = _assembled(model.get_input_embeddings()(tokens))
    model(inputs_embeds=joined).logits.square().mean().backward()
    assert all(_reached(model))


@pytest.mark.parametrize("way_round", ["no_grad", "raw weight"])
def test_words_round_the_module_cut_it(model, tokens, way_round):
    _checkpoint(model, reentrant=True)
    embedding = model.get_input_embeddings()
    with torch.set_grad_enabled(way_round != "no_grad"):
        words = embedding(tokens) if way_round == "no_grad" else functional.embedding(tokens, embedding.weight)
        joined = _assembled(words)
    with pytest.warns(UserWarning, match=WARNED):
        loss = model(inputs_embeds=joined).logits.square().mean()
    with pytest.raises(RuntimeError, match=r"element 0 of tensors does not require grad"):
        loss.backward()


def test_the_marked_output_refuses_writing_in_place(model, tokens):
    _checkpoint(model, reentrant=True)
    words = model.get_input_embeddings()(tokens)
    with pytest.raises(RuntimeError, match=r"leaf Variable that requires grad"):
        words[:, 1:3] = 0.0
    words.clone()[:, 1:3] = 0.0


WAYS_OUT = ["non-reentrant", "gradient at the input", "ids through the embedding", "first layer left out"]


@pytest.mark.parametrize("way_out", WAYS_OUT)
def test_ways_out_reach_every_adapter(model, tokens, embedded, way_out):
    _checkpoint(model, reentrant=way_out != "non-reentrant")
    if way_out == "first layer left out":
        model.model.layers[0].gradient_checkpointing = False
    if way_out == "ids through the embedding":
        out = model(tokens)
    else:
        out = model(inputs_embeds=embedded.requires_grad_(way_out == "gradient at the input"))
    out.logits.square().mean().backward()
    assert all(_reached(model))
