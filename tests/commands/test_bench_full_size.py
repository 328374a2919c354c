"""MGM-2B at full size on a CPU: what the committed record says, and the run itself (slow, 12 GiB of memory)."""

from __future__ import annotations

import pytest
import torch

from lora_demo.commands import bench_full_size
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_2B
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record
from lora_demo.results.units import GIB

KEY_BIASES = ["vlm_uni_aux_projector.0.bias", "vlm_uni_aux_projector.1.bias"]


def check(record: Record) -> None:
    """The bars: load within 1.15 of the model's bytes, the step within 24 GiB, only the key biases without gradient."""
    loading, step = record.samples["loading"], record.samples["step"]
    with torch.device("meta"):
        model = MGM(MGM_2B).to(getattr(torch, loading["dtype"]))
    assert loading["model"] == sum(value.numel() * value.element_size() for value in model.parameters())
    assert loading["peak"] <= 1.15 * loading["model"]
    assert loading["model"] < step["peak"] < 24 * GIB
    projectors = record.configuration["train_projectors"]
    trainable = bench_full_size.prepare(model, train_projectors=projectors)
    assert step["trainable"] == sum(value.numel() for value in trainable.values())
    assert list(step["without_gradient"]) == (KEY_BIASES if projectors else [])
    assert step["positions"] == bench_full_size.PROMPT + bench_full_size.ANSWER - 1 + MGM_2B.image_tokens


@pytest.mark.parametrize("trained", ["lora", "lora-projectors"])
def test_committed_record(trained):
    path = records_dir() / f"mgm-2b-cpu-step-{trained}.json"
    if not path.is_file():
        pytest.skip(f"{path.name} is owed: `lora-demo bench full-size --record`, on an otherwise idle machine")
    record = Record.load(path)
    assert record.configuration["train_projectors"] == (trained == "lora-projectors")
    assert record.configuration["dtype"] == "bfloat16"
    check(record)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("projectors", [False, True])
def test_a_real_step_at_full_size(projectors):
    done = bench_full_size.run(train_projectors=projectors, seed=0)
    check(bench_full_size.record(*done, train_projectors=projectors, seed=0))
