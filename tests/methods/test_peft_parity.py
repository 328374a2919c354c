"""Logits and gradients against PEFT's own implementation, over drawn configurations."""

from __future__ import annotations

import copy
from typing import Any

import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lora_demo.methods import registry, surgery
from lora_demo.methods.peft_format import PARTS

# PEFT asks transformers for a property by its old name
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

CLOSE, EXACT = 1e-5, 1e-11
"""Of a tensor's largest value, or of 1: in float32, and in float64."""
LOGITS = "logits"
LINEARS = {
    "gemma": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "bert": ["query", "key", "value", "attention.output.dense", "intermediate.dense"],
}
examples = settings(max_examples=5, deadline=None)
families = st.sampled_from(list(LINEARS))


@st.composite
def low_rank(draw) -> tuple[str, dict[str, Any]]:
    """A family and settings that every LoRA variant takes."""
    family = draw(families)
    targets = draw(st.lists(st.sampled_from(LINEARS[family]), min_size=1, max_size=4, unique=True))
    return family, {"r": draw(st.integers(1, 8)), "alpha": draw(st.integers(1, 32)), "targets": targets}


def _pair(base: nn.Module, config: peft.PeftConfig, method: str, ours: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    """(ours, PEFT's) on the same base, PEFT's parameters moved off their start and copied into ours."""
    theirs = peft.get_peft_model(copy.deepcopy(base), config).train()
    model = copy.deepcopy(base)
    registry.apply(model, method, **ours)
    generator = torch.Generator().manual_seed(3)
    for name, parameter in surgery.adapter_parameters(model).items():
        twin = _twin(theirs, name)
        twin.data += 0.1 * torch.randn(twin.shape, generator=generator)
        parameter.data.copy_(twin.view_as(parameter))
    return model.train(), theirs


def _twin(theirs: nn.Module, name: str) -> nn.Parameter:
    """PEFT's parameter for our name."""
    if name == "prefix.table":
        return theirs.get_parameter("prompt_encoder.default.embedding.weight")
    layer, part = name.rsplit(".", 1)
    stem, _, leaf = PARTS[part].partition(".")
    tail = f".{leaf}" if leaf else ".weight" if part == "magnitude" else ""
    return theirs.get_parameter(f"base_model.model.{layer}.{stem}.default{tail}")


def _check(model: nn.Module, theirs: nn.Module, tokens: Tensor, *, exact_to: float = EXACT, **inputs: Tensor) -> None:
    """Logits and gradients agree: in float64 to the last digits, in float32 to CLOSE of the tensor's largest value.

    Where a drawn configuration makes float32 lose more than that (PEFT itself is further from its own float64), the two
    may differ by twice PEFT's rounding.
    """
    exact, exact_theirs = (copy.deepcopy(one).double() for one in (model, theirs))
    ours, peft32, ours64, peft64 = (
        _outcome(one, tokens, inputs, twin_of)
        for one, twin_of in ((model, None), (theirs, model), (exact, None), (exact_theirs, exact))
    )
    for name, expected in peft64.items():
        largest = max(expected.abs().max().item(), 1.0)
        torch.testing.assert_close(ours64[name], expected, rtol=0, atol=exact_to * largest)
        rounding = (peft32[name] - expected).abs().max().item()
        torch.testing.assert_close(ours[name], peft32[name], rtol=0, atol=max(CLOSE * largest, 2 * rounding))
    assert any(value.abs().max() > 0 for name, value in peft64.items() if name != LOGITS), "no gradient to compare"


def _outcome(
    model: nn.Module, tokens: Tensor, inputs: dict[str, Tensor], twin_of: nn.Module | None
) -> dict[str, Tensor]:
    """Logits, and the gradient of every adapter parameter under our name for it; `twin_of`: ours, if this is PEFT's."""
    logits = model(input_ids=tokens, **inputs).logits
    (logits.square().sum() / 10).backward()  # gradients of order 1, so that 1e-5 means something
    found = {LOGITS: logits.detach()}
    for name, parameter in surgery.adapter_parameters(model if twin_of is None else twin_of).items():
        own = parameter if twin_of is None else _twin(model, name)
        assert own.grad is not None, name
        found[name] = own.grad.view_as(parameter)
    return found


@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
@examples
@given(drawn=low_rank())
def test_low_rank_methods(tiny, tokens, variant, drawn):
    family, chosen = drawn
    rslora, dora = variant == "rslora", variant == "dora"
    config = peft.LoraConfig(
        r=chosen["r"],
        lora_alpha=chosen["alpha"],
        target_modules=chosen["targets"],
        use_rslora=rslora,
        use_dora=dora,
    )
    model, theirs = _pair(tiny(family), config, "dora" if dora else "lora", {**chosen, "rslora": rslora})
    _check(model, theirs, tokens)


@examples
@given(drawn=low_rank())
def test_pissa(tiny, tokens, drawn):
    family, chosen = drawn
    config = peft.LoraConfig(
        r=chosen["r"], lora_alpha=chosen["alpha"], target_modules=chosen["targets"], init_lora_weights="pissa"
    )
    base = tiny(family)
    fresh = peft.get_peft_model(copy.deepcopy(base), config)
    ours = copy.deepcopy(base)
    registry.apply(ours, "pissa", **chosen)
    for name, parameter in surgery.adapter_parameters(ours).items():
        torch.testing.assert_close(parameter, _twin(fresh, name), rtol=CLOSE, atol=CLOSE)
    # What is left of the base was computed in float32 on both sides, each with a decomposition of its own.
    _check(*_pair(base, config, "pissa", chosen), tokens, exact_to=CLOSE)


@examples
@given(family=families, rows=st.integers(1, 3), feed=st.booleans())
def test_ia3(tiny, tokens, family, rows, feed):
    targets = LINEARS[family][rows:]
    feedforward = targets[-1:] if feed else []
    config = peft.IA3Config(target_modules=targets, feedforward_modules=feedforward)
    model, theirs = _pair(tiny(family), config, "ia3", {"targets": targets, "feedforward": feedforward})
    _check(model, theirs, tokens)


@examples
@given(family=st.sampled_from(["gemma", "llama"]), count=st.integers(1, 6), padded=st.integers(0, 3))
def test_prefix(tiny, tokens, family, count, padded):
    config = peft.PrefixTuningConfig(num_virtual_tokens=count, task_type="CAUSAL_LM")
    model, theirs = _pair(tiny(family), config, "prefix", {"count": count})
    mask = torch.ones_like(tokens)
    mask[0, tokens.shape[1] - padded :] = 0
    _check(model, theirs, tokens, attention_mask=mask)
