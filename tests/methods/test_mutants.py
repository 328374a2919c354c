"""No mutant survives, and the recorded table says which property rejects it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.commands import bench_mutants
from lora_demo.methods.mutants import killing
from lora_demo.methods.mutants.catalogue import MUTANTS
from lora_demo.methods.mutants.mutant import Mutant, StaleMutant
from lora_demo.methods.properties import virtual
from lora_demo.methods.properties.catalogue import PROPERTIES
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record

WIDTH, ROWS = 64, 5


@pytest.fixture(scope="module")
def recorded():
    return Record.load(records_dir() / f"{bench_mutants.NAME}.json").samples


def test_there_are_enough():
    assert len(MUTANTS) >= 70
    assert len({(mutant.module, mutant.before, mutant.after) for mutant in MUTANTS.values()}) == len(MUTANTS)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_rejected(recorded, name):
    judges = recorded["mutants"][name]["rejected_by"]
    assert judges, f"no property rejects {name}"
    told = killing.rejections(MUTANTS[name], judges[:1])
    assert list(told) == judges[:1], f"{name} survives {judges[0]}: a property or the mutant has changed"


def test_the_record_describes_todays_mutants_and_properties(recorded):
    described = {name: bench_mutants.described(mutant) for name, mutant in MUTANTS.items()}
    assert {name: {k: v for k, v in m.items() if k != "rejected_by"} for name, m in recorded["mutants"].items()} == (
        described
    )
    assert recorded["properties"] == bench_mutants.properties()
    assert {judge for m in recorded["mutants"].values() for judge in m["rejected_by"]} <= set(PROPERTIES)


@pytest.mark.parametrize("name", MUTANTS)
def test_output_is_finite_and_of_the_right_shape(name):
    """A mutant that crashes or prints NaN would be found by anyone; the listed ones look healthy."""
    outputs = _forward(MUTANTS[name].implementation())
    assert len(outputs) == 10
    for method, (output, shape) in outputs.items():
        assert tuple(output.shape) == shape, method
        assert torch.isfinite(output).all(), method


def _forward(implementation: Implementation) -> dict[str, tuple[torch.Tensor, tuple[int, ...]]]:
    """One forward pass of every method on a square layer, where a wrong axis does not show, and on a decoder."""
    x, outputs = torch.randn(ROWS, WIDTH), {}
    for method in ("lora", "dora", "pissa", "adalora", "qlora", "ia3", "adapter", "bitfit"):
        model = nn.Sequential(nn.Linear(WIDTH, WIDTH))
        settings = {"ia3": {"targets": "all"}, "adapter": {"targets": "all", "bottleneck": 2}, "bitfit": {}}
        implementation.registry.apply(model, method, **settings.get(method, {"targets": "all", "r": 2, "alpha": 4}))
        outputs[method] = (model(x), (ROWS, WIDTH))
    ids = virtual.tokens(length=3, seed=0)
    for method in ("prefix", "prompt"):
        model = virtual.decoder()
        implementation.registry.apply(model, method, count=2)
        mask = torch.ones_like(ids)
        outputs[method] = (model(ids, attention_mask=mask).logits, (*ids.shape, virtual.VOCABULARY))
    return outputs


def test_right_code_survives():
    unchanged = Mutant("none", "lora", "import math\n", "import math\n", "", "", ("", ""))
    assert killing.rejections(unchanged, ["output_is_base_plus_scaled_product", "merged_equals_unmerged"]) == {}


@pytest.mark.parametrize("text", ["no such text", "self"])
def test_a_stale_mutant_is_named(text):
    with pytest.raises(StaleMutant, match=r"mutant late: its text stands \d+ times in lora.py, it must stand once"):
        Mutant("late", "lora", text, "", "", "", ("", "")).implementation()


def test_a_property_reaches_what_it_uses():
    reach = killing.reach(PROPERTIES["nf4_code_book_is_normal_quantiles"])
    assert "nf4" in reach
    assert "lora" not in reach
