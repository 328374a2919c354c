"""What a chunked cross-entropy must do; a function mode watches the size of whatever is computed on the way."""

from __future__ import annotations

import weakref

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

VOCABULARY, WIDTH = 13, 3
POSITIONS = st.integers(1, 7)
CHUNKS = st.integers(1, 9)


def inputs(positions):
    states = torch.randn(positions, WIDTH, requires_grad=True)
    return states, torch.randn(VOCABULARY, WIDTH), torch.randint(VOCABULARY, (positions,))


def formula(states, weight, targets):
    """The loss and the gradient of the states, both written out."""
    with torch.no_grad():
        logits = states.float() @ weight.float().T
        chosen = torch.eye(VOCABULARY)[targets]
        loss = (logits.logsumexp(dim=1) - (logits * chosen).sum(dim=1)).sum()
        return loss, (logits.softmax(dim=1) - chosen) @ weight.float()


class Watched(TorchFunctionMode):
    """Shapes of all tensors that have one value per word of the vocabulary and are no weight."""

    def __init__(self):
        super().__init__()
        self.shapes = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.shapes |= {tuple(t.shape) for t in tree_leaves(out) if isinstance(t, torch.Tensor) and of_logits(t)}
        return out


class Holder:
    """A tensor saved for backward: gone together with the graph that saved it."""

    def __init__(self, tensor):
        self.tensor = tensor


def remembered(tensor, saved):
    holder = Holder(tensor)
    saved.append(weakref.ref(holder))
    return holder


def of_logits(tensor):
    return VOCABULARY in tensor.shape and sorted(tensor.shape) != sorted((VOCABULARY, WIDTH))


@given(positions=POSITIONS, chunk=CHUNKS)
def check_loss_is_the_sum_over_all_positions(answer, positions, chunk):
    states, weight, targets = inputs(positions)
    loss, expected = answer.ChunkedLoss.apply(states, weight, targets, chunk), formula(states, weight, targets)[0]
    assert loss.shape == (), f"the loss has the shape {tuple(loss.shape)}"
    wrong = f"the loss is {loss.item():.4f}, summed over {positions} positions it is {expected.item():.4f}"
    torch.testing.assert_close(loss.detach().float(), expected, rtol=1e-4, atol=1e-5, msg=wrong)


@given(positions=POSITIONS, chunk=CHUNKS)
def check_gradient_is_softmax_minus_one_hot(answer, positions, chunk):
    states, weight, targets = inputs(positions)
    answer.ChunkedLoss.apply(states, weight, targets, chunk).backward()
    assert states.grad is not None, "no gradient reaches the states"
    _, expected = formula(states, weight, targets)
    wrong = "a row of the states' gradient is not Wᵀ (softmax − onehot)"
    torch.testing.assert_close(states.grad, expected, rtol=1e-4, atol=1e-5, msg=wrong)


@given(divisor=st.integers(2, 5), chunk=CHUNKS)
def check_gradient_follows_what_comes_after(answer, divisor, chunk):
    states, weight, targets = inputs(4)
    (answer.ChunkedLoss.apply(states, weight, targets, chunk) / divisor).backward()
    _, expected = formula(states, weight, targets)
    wrong = f"with the loss divided by {divisor}, the gradient is not divided by it"
    torch.testing.assert_close(states.grad, expected / divisor, rtol=1e-4, atol=1e-5, msg=wrong)


@given(positions=st.integers(5, 9), chunk=st.integers(1, 4))
def check_no_more_than_a_chunk_of_logits(answer, positions, chunk):
    states, weight, targets = inputs(positions)
    with Watched() as watched:
        loss = answer.ChunkedLoss.apply(states, weight, targets, chunk)
        loss.grad_fn.apply(torch.ones(()))  # loss.backward() would step out of the mode
    largest = max(watched.shapes, key=lambda shape: torch.Size(shape).numel(), default=())
    allowed = torch.Size(largest).numel() <= chunk * VOCABULARY
    assert allowed, f"a tensor of shape {largest} came up; rows of logits allowed at a time: {chunk}"


@given(positions=st.integers(5, 9), chunk=st.integers(1, 4))
def check_no_logits_wait_for_backward(answer, positions, chunk):
    states, weight, targets = inputs(positions)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: remembered(t, saved), lambda holder: holder.tensor):
        loss = answer.ChunkedLoss.apply(states, weight, targets, chunk)
    alive = [holder().tensor for holder in saved if holder() is not None] + tree_leaves(dict(vars(loss.grad_fn)))
    kept = [tuple(t.shape) for t in alive if isinstance(t, torch.Tensor) and of_logits(t)]
    assert not kept, f"kept for backward: a tensor of shape {kept[0]}"


@given(positions=POSITIONS, chunk=CHUNKS)
def check_loss_in_float32_gradient_in_the_type_of_the_states(answer, positions, chunk):
    states, weight, targets = inputs(positions)
    states = states.detach().bfloat16().requires_grad_()
    loss = answer.ChunkedLoss.apply(states, weight.bfloat16(), targets, chunk)
    assert loss.dtype == torch.float32, f"the loss of bfloat16 states has the type {loss.dtype}"
    loss.backward()
    assert states.grad.dtype == torch.bfloat16, f"the gradient of bfloat16 states has the type {states.grad.dtype}"
    assert states.grad.isfinite().all(), "the gradient of bfloat16 states is not finite"
