"""What saving and loading an adapter must do, on a model whose frozen base, LoRA factors and norm are all known."""

from __future__ import annotations

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lora_demo.methods.whiteboard.linear import LoRALinear

LAYERS = st.integers(1, 3)
RANKS = st.integers(2, 3)
WIDTH = 5


def adapted(layers, r=2, norm_trains=False, dtype=torch.float32):
    """A model of frozen linear layers with LoRA, in training, and a norm that trains or does not."""
    model = nn.Module()
    model.layers = nn.ModuleList(LoRALinear(nn.Linear(WIDTH, WIDTH), r, 8.0) for _ in range(layers))
    model.norm = nn.LayerNorm(WIDTH).requires_grad_(norm_trains)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model.to(dtype)


def everything(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def trained_names(layers, norm_trains):
    factors = {f"layers.{i}.{factor}" for i in range(layers) for factor in "AB"}
    return factors | ({"norm.weight", "norm.bias"} if norm_trains else set())


def state_of(model):
    """The state to load, without the answer's own adapter_state."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if parameter.requires_grad}


def refused(answer, model, state, error):
    """The message of the error that loading raises, which must leave the model as it was."""
    before, raised = everything(model), None
    try:
        answer.load_adapter(model, state)
    except Exception as problem:
        raised = problem
    happened = f"it raised {type(raised).__name__}" if raised else "it loaded"
    assert isinstance(raised, error), f"{happened}, where {error.__name__} was due"
    changed = [name for name, value in everything(model).items() if not torch.equal(value, before[name])]
    assert not changed, f"{error.__name__} came after {', '.join(changed)} had been changed"
    return str(raised)


@given(layers=LAYERS, norm_trains=st.booleans())
def check_saves_what_trains_and_nothing_else(answer, layers, norm_trains):
    model = adapted(layers, norm_trains=norm_trains)
    state, wanted = answer.adapter_state(model), trained_names(layers, norm_trains)
    assert not state.keys() - wanted, f"does not train, yet is saved: {', '.join(sorted(state.keys() - wanted))}"
    assert not wanted - state.keys(), f"trains, yet is not saved: {', '.join(sorted(wanted - state.keys()))}"
    values = everything(model)
    assert all(torch.equal(state[name], values[name]) for name in wanted), "the saved values are not the model's"


@given(layers=LAYERS)
def check_saved_tensors_are_copies_off_the_graph(answer, layers):
    model = adapted(layers)
    state, then = answer.adapter_state(model), everything(model)
    assert not any(value.requires_grad for value in state.values()), "the saved tensors still require gradients"
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, then[name]) for name, value in state.items()), (
        "training went on and changed what had been saved"
    )


@given(layers=LAYERS, norm_trains=st.booleans())
def check_loading_copies_the_adapter_and_leaves_the_base(answer, layers, norm_trains):
    source, model = adapted(layers, norm_trains=norm_trains), adapted(layers, norm_trains=norm_trains)
    expected = everything(model) | state_of(source)
    answer.load_adapter(model, state_of(source))
    wrong = [name for name, value in everything(model).items() if not torch.equal(value, expected[name])]
    assert not wrong, f"after loading {', '.join(wrong)} has the wrong values"


@given(layers=LAYERS, dtype=st.sampled_from([torch.float32, torch.bfloat16]))
def check_parameters_stay_the_ones_the_optimizer_holds(answer, layers, dtype):
    model, state = adapted(layers, dtype=dtype), state_of(adapted(layers))
    held, given_state = dict(model.named_parameters()), copy.deepcopy(state)
    answer.load_adapter(model, state)
    wrong = []
    for name, parameter in model.named_parameters():
        if parameter is not held[name]:
            wrong.append(f"{name} is a new object: the optimizer still holds the old one")
        if parameter.dtype != dtype:
            wrong.append(f"{name} was {dtype} and is now {parameter.dtype}")
        if parameter.requires_grad != (name in state):
            wrong.append(f"{name} changed its requires_grad")
    with torch.no_grad():
        for parameter in held.values():
            parameter.add_(1.0)
    if not all(torch.equal(value, given_state[name]) for name, value in state.items()):
        wrong.append("the model shares memory with the state: training changes what was handed in")
    assert not wrong, wrong[0]


@given(layers=LAYERS, factor=st.sampled_from("AB"))
def check_a_missing_name_is_an_error_that_names_it(answer, layers, factor):
    model, state = adapted(layers), state_of(adapted(layers))
    name = f"layers.{layers - 1}.{factor}"
    del state[name]
    assert name in refused(answer, model, state, KeyError), f"the KeyError does not name {name}"


@given(layers=LAYERS, name=st.sampled_from(["layers.9.A", "norm.weight", "layers.0.base.weight"]))
def check_an_unexpected_name_is_an_error_that_names_it(answer, layers, name):
    model, state = adapted(layers), state_of(adapted(layers))
    state[name] = torch.zeros(WIDTH, WIDTH) if "base" in name else torch.zeros(WIDTH)
    assert name in refused(answer, model, state, KeyError), f"the KeyError does not name {name}"


@given(layers=LAYERS, r=RANKS, saved=st.sampled_from([1, 4]))
def check_another_rank_is_an_error_before_anything_changes(answer, layers, r, saved):
    model, state = adapted(layers, r), state_of(adapted(layers, r))
    last = adapted(1, saved).layers[0]
    state |= {f"layers.{layers - 1}.A": last.A.detach(), f"layers.{layers - 1}.B": last.B.detach()}
    refused(answer, model, state, ValueError)
