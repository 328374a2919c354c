"""Real steps on the card at hand against their prediction; `pytest -m gpu` runs it."""

import pytest
import torch

from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.training.measurement.measuring import as_measured, measure
from lora_demo.training.recipes import recipe_files

HOPPER = 9


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", ["nano-lora", "nano-full"])
def test_a_measured_step_is_predicted(name: str) -> None:
    recipe = as_measured(recipe_files.load(name), steps=2, length=256, batch=4, supervised=None, as_written=False)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    found = measure(recipe)
    assert found.stopped is None
    assert found.peak_allocated is not None
    assert found.peak_reserved is not None
    card = "h200" if torch.cuda.get_device_capability()[0] == HOPPER else "rtx4090"
    predicted = predict_recipe(recipe, card)
    assert found.peak_allocated - before == pytest.approx(predicted.peak_allocated, rel=0.05)
    assert found.peak_reserved == pytest.approx(predicted.peak_reserved, rel=0.05)
