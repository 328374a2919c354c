"""How far MGM-2B's step shrinks at the same loss: predicted from recipes as they are shipped.

That the savers leave loss and gradients as they were is tests/training/test_savers.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from lora_demo.memory.cards import card
from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.training import recipe_files
from lora_demo.training.recipe_files import RecipeError

LENGTH = 2048
LEAN = "mgm-2b-lora-12gb"
STEPS = [(LEAN, 64), (LEAN, None), ("mgm-2b-lora-8gb", None), ("mgm-2b-lora-6gb", 64)]
# Run as a program: the shape checking of the tests would make each trace three times as long.
TRACES = """
import json, sys
from lora_demo.memory.predict import Setting, predict
from lora_demo.memory.recipe_trace import predict_recipe
from lora_demo.training import recipe_files

length, steps = json.loads(sys.argv[1])
lora = "lora:r=16,targets=all"
found = {"naive": predict(Setting("mgm-2b", lora, length=length, loop="plain"))}
savers = {"optimizer": "fused", "checkpointing": True, "supervised": 64, "loss_chunk": 256}
found["setting"] = predict(Setting("mgm-2b", lora, length=length, **savers))
for name, settings in steps:
    found[f"{name} {settings[0]}"] = predict_recipe(recipe_files.load(name, settings))
print(json.dumps({
    name: {"allocated": one.peak_allocated, "reserved": one.peak_reserved, "parts": one.parts}
    for name, one in found.items()
}))
"""


def changes(supervised: int | None) -> list[str]:
    data = f"data={{kind: synthetic, length: {LENGTH}, supervised: {supervised or 'null'}}}"
    return [data, "model.weights=random", "batch=1", "micro_batch=null"]


@pytest.fixture(scope="module")
def peaks() -> dict[str, Any]:
    """Bytes by trace. naive: the usual loop on the same adapters, whole logits kept and turned to float32."""
    asked = json.dumps([LENGTH, [(name, changes(supervised)) for name, supervised in STEPS]])
    done = subprocess.run([sys.executable, "-c", TRACES, asked], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def step_of(peaks: dict[str, Any], name: str, supervised: int | None) -> dict[str, Any]:
    return peaks[f"{name} {changes(supervised)[0]}"]


def test_with_64_supervised_positions_a_third_is_left(peaks):
    found = step_of(peaks, LEAN, 64)
    assert found["allocated"] <= 0.33 * peaks["naive"]["allocated"]
    assert found["allocated"] <= 1.2 * found["parts"]["weights_frozen"]


def test_with_every_position_supervised_it_stays_under_two_fifths(peaks):
    assert step_of(peaks, LEAN, None)["allocated"] <= 0.40 * peaks["naive"]["allocated"]


@pytest.mark.parametrize(("name", "gpu"), [("mgm-2b-lora-12gb", "12gb"), ("mgm-2b-lora-8gb", "8gb")])
def test_steps_for_smaller_cards_fit_them(peaks, name, gpu):
    assert step_of(peaks, name, None)["reserved"] <= card(gpu).budget


def test_on_a_packed_base_it_fits_six_gigabytes(peaks):
    """Traced with our own packing, whose temporaries are larger than those of the kernels the recipe asks for."""
    assert step_of(peaks, "mgm-2b-lora-6gb", 64)["reserved"] <= card("6gb").budget


def test_the_trace_of_a_recipe_is_the_trace_of_its_setting(peaks):
    assert step_of(peaks, LEAN, 64)["allocated"] == peaks["setting"]["allocated"]


def test_what_cannot_be_traced_is_refused():
    with pytest.raises(RecipeError, match="traced are synthetic rows without autocast"):
        predict_recipe(recipe_files.load("mgm-2b-full-mixed", changes(64)))
