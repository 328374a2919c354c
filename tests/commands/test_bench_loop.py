"""`lora-demo bench loop`: both sides do the same work; where they do not, nothing is compared."""

from __future__ import annotations

import pytest

from lora_demo.commands import bench_loop
from lora_demo.commands.bench_loop import DifferentWork, Plan
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record

TINY = Plan(rounds=2, skipped=1, threads=1, settings=("batch=2", "data.images=4", "data.questions=2"))


def test_the_two_loops_compute_the_same_losses():
    done = bench_loop.run(TINY)
    assert len(done.samples["loss"]) == 3
    found = bench_loop.summary(done)
    assert set(found) == {"wall", "cpu"}
    assert all(len(times) == 2 for side in done.samples["seconds"].values() for times in side.values())


def test_other_work_is_not_compared(monkeypatch):
    real = bench_loop.bare

    def other(recipe):
        return real(recipe.model_copy(update={"batch": 1}))

    monkeypatch.setattr(bench_loop, "bare", other)
    with pytest.raises(DifferentWork, match="differ from step 1"):
        bench_loop.run(TINY)


def test_the_ratio_is_throughput():
    seconds = {"loop": [2.0] * 10, "bare": [1.9] * 10}
    made = Record("r", {}, {"seconds": {"wall": seconds, "cpu": seconds}}, 0, "cpu", {}, "2026-01-01")
    assert bench_loop.summary(made)["wall"]["throughput"] == 0.95
    assert bench_loop.within_bar(made)
    slower = {"seconds": {"wall": seconds | {"bare": [1.8] * 10}}}
    assert not bench_loop.within_bar(Record("r", {}, slower, 0, "cpu", {}, "2026-01-01"))


def test_the_record_is_within_the_bar():
    path = records_dir() / "bench-loop.json"
    if not path.is_file():
        pytest.skip("owed: `lora-demo bench loop --record` on a quiet machine")
    assert bench_loop.within_bar(Record.load(path))
