"""The step against a hand-written loop, and what it refuses."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lora_demo.training.preparation.cell_lesson import LessonOutput
from lora_demo.training.step import MicroBatch, NonFiniteLoss, StepOptions, step


class Scalar(nn.Module):
    """Smallest model with the step's interface: squared error, summed, over a denominator."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 1)

    def forward(self, x, y, denominator):
        loss = (self.line(x)[:, 0] - y).square().sum() / denominator
        return LessonOutput(loss, torch.zeros(1, 1, 1))


def batch_of(rows: int, seed: int) -> MicroBatch:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 3, generator=generator)
    return MicroBatch({"x": x, "y": torch.randn(rows, generator=generator)}, terms=rows)


def test_one_step_is_what_a_bare_loop_does():
    ours = Scalar()
    theirs = copy.deepcopy(ours)
    optimizers = [torch.optim.AdamW(model.parameters(), lr=0.1) for model in (ours, theirs)]
    for seed in range(5):
        micro = batch_of(4, seed)
        result = step(ours, [micro], optimizers[0], StepOptions(clip_norm=0.5))
        loss = (theirs.line(micro.inputs["x"])[:, 0] - micro.inputs["y"]).square().mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        optimizers[1].step()
        optimizers[1].zero_grad()
        assert torch.equal(result.loss, loss.detach())
        assert result.gradient_norm is not None
        assert torch.equal(result.gradient_norm, norm)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_uneven_micro_batches_weigh_every_term_alike():
    whole = MicroBatch({name: torch.cat([batch_of(n, n).inputs[name] for n in (1, 5)]) for name in ("x", "y")}, terms=6)
    model = Scalar().double()
    results = []
    for batch in ([whole], [batch_of(1, 1), batch_of(5, 5)]):
        copied = copy.deepcopy(model)
        doubled = [MicroBatch({k: v.double() for k, v in m.inputs.items()}, m.terms) for m in batch]
        result = step(copied, doubled, torch.optim.SGD(copied.parameters(), lr=0.1), StepOptions(clip_norm=None))
        results.append((float(result.loss), copied.line.weight.detach().clone()))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-6)


@pytest.mark.parametrize("spoiled", [float("nan"), float("inf")])
def test_a_broken_loss_changes_nothing(spoiled):
    model = Scalar()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    before = copy.deepcopy(model.state_dict())
    micro = batch_of(2, 0)
    micro.inputs["y"][0] = spoiled
    with pytest.raises(NonFiniteLoss, match="not a finite number"):
        step(model, [micro], optimizer)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not optimizer.state


def test_a_batch_without_any_term_is_refused():
    model = Scalar()
    empty = MicroBatch(batch_of(2, 0).inputs, terms=0)
    with pytest.raises(ValueError, match="no label in this batch"):
        step(model, [empty], torch.optim.SGD(model.parameters(), lr=0.1))


def test_gradients_are_freed():
    model = Scalar()
    step(model, [batch_of(2, 0)], torch.optim.SGD(model.parameters(), lr=0.1))
    assert all(p.grad is None for p in model.parameters())
