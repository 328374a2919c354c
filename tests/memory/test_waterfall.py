"""The way from full fine-tuning to the small cards, traced again: the record that the site draws is not stale."""

from __future__ import annotations

import json

import pytest

from lora_demo.commands.memory_records import waterfall_record
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record
from tests.unchecked import unchecked

TOLERANCE = 0.01
"""Other versions of transformers may keep a tensor more or less."""


def test_the_recorded_waterfall_comes_out_again():
    kept = Record.load(records_dir() / "memory-waterfall.json").samples
    found = json.loads(json.dumps(unchecked(waterfall_record, print)["samples"]))
    assert found["cards"] == kept["cards"]
    assert [(step["name"], step["setting"]) for step in found["steps"]] == [
        (step["name"], step["setting"]) for step in kept["steps"]
    ], "run `lora-demo memory waterfall` again"
    for now, then in zip(found["steps"], kept["steps"], strict=True):
        assert now["peak"] == pytest.approx(then["peak"], rel=TOLERANCE), now["name"]
        assert now["reserved"] == pytest.approx(then["reserved"], rel=TOLERANCE), now["name"]
        for kind, size in then["parts"].items():
            assert now["parts"][kind] == pytest.approx(size, rel=TOLERANCE, abs=TOLERANCE * then["peak"]), kind
