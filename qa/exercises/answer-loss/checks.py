"""What labels and loss must be. A batch is written as the prompt lengths of its rows, micro-batch by micro-batch."""

from __future__ import annotations

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

LENGTH, WORDS = 5, 7
MICRO = st.lists(st.integers(0, LENGTH), min_size=1, max_size=2)
ANSWERED = st.lists(st.integers(1, LENGTH - 1), min_size=1, max_size=2)
PROMPTS = st.lists(MICRO, min_size=1, max_size=3).filter(lambda prompt_lengths: min(map(min, prompt_lengths)) < LENGTH)


def batch(prompt_lengths):
    """Random ids and their labels; a prompt length of 5 leaves a row without an answer."""
    found = []
    for rows in prompt_lengths:
        ids = torch.randint(WORDS, (len(rows), LENGTH))
        labels = torch.where(torch.arange(LENGTH) < torch.tensor(rows)[:, None], -100, ids)
        found.append((ids, labels))
    return found


def small_model():
    return nn.Sequential(nn.Embedding(WORDS, 4), nn.Linear(4, WORDS))


def formula(model, micro_batches):
    """Token by token: −log p of each answer token given the position before it, divided by their number."""
    terms = []
    for ids, labels in micro_batches:
        logs = model(ids) - model(ids).exp().sum(dim=-1, keepdim=True).log()
        for row, place in torch.cartesian_prod(torch.arange(len(ids)), torch.arange(1, LENGTH)).tolist():
            if labels[row, place] != -100:
                terms.append(-logs[row, place - 1, labels[row, place]])
    return torch.stack(terms).sum() / len(terms)


def agrees(answer, prompt_lengths):
    model, micro_batches = small_model(), batch(prompt_lengths)
    found, expected = float(answer.accumulated_loss(model, micro_batches)), formula(model, micro_batches).item()
    assert abs(found - expected) <= 1e-4 * expected, (
        f"the loss is {found:.4f}, the mean over answer tokens {expected:.4f}"
    )


@given(prompt_length=st.integers(0, 3), answer_length=st.integers(1, 3))
def check_prompt_is_left_out_answer_is_kept(answer, prompt_length, answer_length):
    ids = torch.arange(10, 10 + prompt_length + answer_length)
    found = answer.answer_labels(ids, prompt_length).tolist()
    expected = [-100] * prompt_length + ids.tolist()[-answer_length:]
    assert found == expected, f"the labels of {ids.tolist()} are {found}, expected {expected}"


@given(length=st.integers(1, 4))
def check_ids_stay_as_they_are(answer, length):
    ids = torch.arange(10, 10 + length)
    answer.answer_labels(ids, length)
    assert ids.tolist() == list(range(10, 10 + length)), f"the ids, the model's input, became {ids.tolist()}"


@given(prompt_lengths=st.lists(ANSWERED, min_size=1, max_size=1))
def check_position_t_predicts_token_t_plus_one(answer, prompt_lengths):
    agrees(answer, prompt_lengths)


@given(prompt_lengths=st.lists(st.lists(st.just(0), min_size=1, max_size=2), min_size=1, max_size=2))
def check_first_token_does_not_count(answer, prompt_lengths):
    agrees(answer, prompt_lengths)


@given(prompt_lengths=st.lists(ANSWERED, min_size=2, max_size=3))
def check_every_answer_token_weighs_the_same(answer, prompt_lengths):
    agrees(answer, prompt_lengths)


@given(prompt_lengths=PROMPTS.map(lambda prompt_lengths: [*prompt_lengths, [LENGTH]]))
def check_a_micro_batch_without_answers_does_no_harm(answer, prompt_lengths):
    agrees(answer, prompt_lengths)


@given(prompt_lengths=PROMPTS)
def check_gradient_is_the_whole_batchs(answer, prompt_lengths):
    model, micro_batches = small_model(), batch(prompt_lengths)
    whole = copy.deepcopy(model)
    formula(whole, micro_batches).backward()
    answer.accumulated_loss(model, micro_batches)
    for parameter, expected in zip(model.parameters(), whole.parameters(), strict=True):
        assert parameter.grad is not None, "no gradient in the parameters: backward did not run"
        wrong = "the parameters' gradient is not the one of the whole batch's mean"
        torch.testing.assert_close(parameter.grad, expected.grad, rtol=1e-4, atol=1e-5, msg=wrong)


@given(prompt_lengths=st.lists(ANSWERED, min_size=2, max_size=3))
def check_backward_runs_before_the_next_micro_batch(answer, prompt_lengths):
    model, ready = small_model(), []
    model.register_forward_pre_hook(lambda *_: ready.append(model[1].weight.grad is not None))
    answer.accumulated_loss(model, batch(prompt_lengths))
    assert len(ready) == len(prompt_lengths), (
        f"{len(prompt_lengths)} micro-batches, but the model ran {len(ready)} forward passes"
    )
    assert all(ready[1:]), "a micro-batch starts before the last one's backward: all graphs are alive together"
