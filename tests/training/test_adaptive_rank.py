"""AdaLoRA inside the loop: the regulariser's gradient, the budget at the end of a run, and resuming half way."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch import nn

from lora_demo.methods.adalora import AdaLoRALinear
from lora_demo.methods.errors import MethodError
from lora_demo.training import results
from lora_demo.training.engine import metrics
from lora_demo.training.engine.adaptive_rank import AdaptiveRankPart, attach, ranks
from lora_demo.training.recipes import recipe_files
from lora_demo.training.recipes.recipe_files import RecipeError
from lora_demo.training.run import run

TINY = ["steps=6", "batch=2", "data.images=4", "data.questions=1", "evaluation.rows=2", "save.every=3", "threads=1"]
TINY += ["cache_features=false"]


def test_the_regulariser_adds_its_own_gradient():
    """Against autograd on the regulariser as a formula."""
    torch.manual_seed(0)
    layer = AdaLoRALinear(nn.Linear(6, 5), 3, 3)
    trained = [p for p in layer.parameters() if p.requires_grad]
    wanted = torch.autograd.grad(0.7 * layer.orthogonality(), [layer.left, layer.right])
    optimizer = torch.optim.AdamW(trained, lr=0.0)
    attach(layer, optimizer, AdaptiveRankPart(final_rank=1, warmup=0.5, orthogonality=0.7), steps=10)
    seen = {}
    optimizer.register_step_pre_hook(lambda *_: seen.update(left=layer.left.grad, right=layer.right.grad))
    layer(torch.randn(2, 6)).sum().mul(0).backward()
    optimizer.step()
    torch.testing.assert_close([seen["left"], seen["right"]], list(wanted))


def test_a_run_ends_with_its_budget_and_resumes_to_the_same_weights(tmp_path):
    whole = run(recipe_files.load("nano-adalora", TINY), tmp_path / "whole")
    left = ranks(whole.model)
    assert len(left) == 28
    assert sum(left.values()) == 4 * 28
    assert ranks(results.load(tmp_path / "whole")) == left
    # As if killed after the third step: only the checkpoint of that step is left.
    half = tmp_path / "half"
    shutil.copytree(tmp_path / "whole", half)
    for name in ("step-0000006", "best"):
        shutil.rmtree(half / "checkpoints" / name)
    again = run(recipe_files.load("nano-adalora", TINY), half, resume=True)
    ours, theirs = (dict(finished.model.named_parameters()) for finished in (again, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert [line.get("loss") for line in metrics.read(half)] == [
        line.get("loss") for line in metrics.read(tmp_path / "whole")
    ]


def test_lora_on_a_quantised_base_trains_and_comes_back(tmp_path):
    finished = run(recipe_files.load("nano-qlora", TINY), tmp_path / "run")
    again = results.load(tmp_path / "run")
    ids = torch.tensor([[2, 8, 9, 10]])
    assert torch.equal(again(ids).logits, finished.model.eval()(ids).logits)


def test_a_budget_without_adalora_is_refused():
    with pytest.raises(RecipeError, match="belongs to method adalora, not to lora"):
        recipe_files.load("nano-lora", ["adaptive_rank.final_rank=4"])
    with pytest.raises(MethodError, match=r"set method\.name to adalora"):
        attach(nn.Linear(2, 2), torch.optim.AdamW([torch.zeros(1)]), AdaptiveRankPart(final_rank=1), steps=10)
