"""What injecting LoRA by name must do, on a small model with the traps of real ones: a name that merely ends like a
target, a convolution that is called like a linear layer, a linear layer right under the root."""

from __future__ import annotations

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lora_demo.methods.whiteboard.linear import LoRALinear

WIDTH = 6
TARGETS = st.sets(st.sampled_from(["q_proj", "proj", "head"]), min_size=1)
BLOCKS = st.integers(1, 3)
RANKS = st.integers(1, 3)
ALPHAS = st.sampled_from([4, 8])


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.q_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.seq_proj = nn.Linear(WIDTH, WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.proj(torch.tanh(self.q_proj(self.norm(x)) + self.seq_proj(x)))


class Patches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv1d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x.mT).mT


class Model(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, WIDTH)
        self.patches = Patches()
        self.blocks = nn.ModuleList(Block() for _ in range(blocks))
        self.head = nn.Linear(WIDTH, 9)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.patches(self.embed(tokens))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def meant(blocks, targets):
    """The full names that the targets mean, written out."""
    inside = [f"blocks.{i}.{name}" for i in range(blocks) for name in ("q_proj", "proj") if name in targets]
    return sorted([*inside, *({"head"} & targets)])


def injected(answer, blocks, targets, r=2, alpha=8):
    """The model as it was, the model with LoRA, and what the call returned."""
    before = Model(blocks)
    model = copy.deepcopy(before)
    return before, model, answer.inject(model, set(targets), r, alpha)


def wrapped(model, name):
    layer = model.get_submodule(name)
    assert isinstance(layer, LoRALinear), f"where {name} sits there is a {type(layer).__name__}, not a LoRALinear"
    return layer


@given(blocks=BLOCKS, targets=TARGETS)
def check_returns_the_full_names(answer, blocks, targets):
    _, _, names = injected(answer, blocks, targets)
    assert isinstance(names, list), f"returned a {type(names).__name__}, not a list"
    assert sorted(names) == meant(blocks, targets), f"returned {sorted(names)}, meant were {meant(blocks, targets)}"


@given(blocks=BLOCKS, targets=TARGETS)
def check_wraps_these_layers_and_no_others(answer, blocks, targets):
    before, model, _ = injected(answer, blocks, targets)
    for name in meant(blocks, targets):
        wrapped(model, name)
    for name in {name for name, _ in before.named_modules()} - set(meant(blocks, targets)):
        assert not isinstance(model.get_submodule(name), LoRALinear), f"{name} is none of the targets, yet is wrapped"


@given(blocks=BLOCKS, targets=TARGETS)
def check_only_a_and_b_train(answer, blocks, targets):
    _, model, _ = injected(answer, blocks, targets)
    trains = {name for name, p in model.named_parameters() if p.requires_grad}
    wanted = {f"{name}.{factor}" for name in meant(blocks, targets) for factor in "AB"}
    assert not trains - wanted, f"goes on training: {', '.join(sorted(trains - wanted))}"
    assert not wanted - trains, f"does not train: {', '.join(sorted(wanted - trains))}"


@given(blocks=BLOCKS, targets=TARGETS)
def check_starts_as_the_model_did(answer, blocks, targets):
    before, model, _ = injected(answer, blocks, targets)
    tokens = torch.arange(9)[None]
    torch.testing.assert_close(model(tokens), before(tokens), msg="injecting alone changes the model's output")


@given(blocks=BLOCKS, targets=TARGETS, r=RANKS, alpha=ALPHAS)
def check_rank_and_alpha_arrive(answer, blocks, targets, r, alpha):
    _, model, _ = injected(answer, blocks, targets, r, alpha)
    for name in meant(blocks, targets):
        layer = wrapped(model, name)
        assert layer.A.shape[0] == r, f"{name} has rank {layer.A.shape[0]}, not {r}"
        assert layer.scale == alpha / r, f"{name} is scaled by {layer.scale}, not α/r = {alpha / r}"


@given(blocks=BLOCKS, targets=TARGETS)
def check_the_forward_pass_goes_through_a_and_b(answer, blocks, targets):
    before, model, _ = injected(answer, blocks, targets)
    tokens, factors = torch.arange(9)[None], dict(model.named_parameters())
    with torch.no_grad():
        for name in meant(blocks, targets):
            a, b = factors[f"{name}.A"].normal_(), factors[f"{name}.B"].normal_()
            before.get_submodule(name).weight += (8 / 2) * b @ a
    close = torch.allclose(model(tokens), before(tokens), rtol=1e-3, atol=1e-3)
    assert close, "with A and B trained the output is not that of the weights W + (α/r) B A"


@given(blocks=BLOCKS, targets=st.sets(st.sampled_from(["query", "proj.weight", "blocks", ""]), min_size=1))
def check_hitting_nothing_is_an_error(answer, blocks, targets):
    try:
        names = answer.inject(Model(blocks), set(targets), 2, 8)
    except ValueError:
        return
    raise AssertionError(f"no linear layer has such a name, yet it returned {names!r} instead of raising ValueError")
