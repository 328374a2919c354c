"""Predictions of whole steps: against published measurements, and against what must hold of any prediction."""

import json
import statistics
from dataclasses import replace

import pytest

from lora_demo.memory.cards import UnknownCard
from lora_demo.memory.predict import Setting, predict
from lora_demo.memory.published_runs import compare, published_runs
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.subject import SubjectError
from lora_demo.methods.errors import MethodError
from lora_demo.results.paths import records_dir
from lora_demo.results.units import GIB
from tests.unchecked import unchecked

NANO = Setting(model="mgm-nano", method="lora:r=4,targets=all", length=48)


def test_parts_add_up_and_allocated_fits_in_reserved() -> None:
    result = predict(NANO)
    assert sum(result.parts.values()) == result.peak_allocated <= result.peak_reserved
    assert result.parts["weights_frozen"] > 0
    assert result.parts["optimizer"] > 0


@pytest.mark.parametrize("change", [{"batch": 2}, {"length": 80}, {"method": "lora:r=16,targets=all"}])
def test_more_work_never_takes_less(change: dict[str, object]) -> None:
    more = unchecked(predict, replace(NANO, **change))
    assert more.peak_allocated >= unchecked(predict, NANO).peak_allocated


def test_published_runs_are_all_there() -> None:
    runs = published_runs(records_dir())
    assert len(runs) == 26
    assert sum(run.adapter_config is None for run in runs) == 1


PUBLISHED = ("lora/llama-3.2-3B-rank32", "full-finetuning/llama-3.2-3B-lr_0.00001", "ia3/llama-3.2-3B-default")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_run_is_met(name: str) -> None:
    run = next(run for run in published_runs(records_dir()) if run.name == name)
    found = unchecked(compare, run)
    assert found.trainable == run.trainable
    assert abs(found.error) <= 0.05


def test_the_record_of_all_open_runs_holds_the_bounds() -> None:
    """What the site shows; it is made by `lora-demo memory validate`, and the test below makes it again."""
    record = json.loads((records_dir() / "memory-validation.json").read_text(encoding="utf-8"))
    runs = record["samples"]["runs"]
    assert set(runs) == {run.name for run in published_runs(records_dir())}
    errors = [abs(run["error"]) for run in runs.values()]
    assert all(run["error"] == run["predicted"] / run["measured"] - 1 for run in runs.values())
    assert statistics.median(errors) <= 0.01
    assert statistics.quantiles(errors, n=20, method="inclusive")[-1] <= 0.03
    assert max(errors) <= 0.05
    assert max(run["seconds"] for run in runs.values()) <= 5


@pytest.mark.slow
def test_all_open_runs_are_met() -> None:
    errors = [abs(unchecked(compare, run).error) for run in published_runs(records_dir())]
    assert statistics.median(errors) <= 0.01
    assert statistics.quantiles(errors, n=20, method="inclusive")[-1] <= 0.03
    assert max(errors) <= 0.05


def test_headroom_of_lora_with_savers() -> None:
    """LoRA r=16 on all linears, T = 2048, 64 supervised positions: at most 1.2 times the frozen weights."""
    naive = Setting(model="mgm-2b", method="lora:r=16,targets=all", length=2048)
    spare = unchecked(predict, replace(naive, supervised=64, checkpointing=True))
    assert spare.peak_allocated <= 1.2 * spare.parts["weights_frozen"]
    assert spare.peak_allocated < 8 * GIB


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": "mgm-2c"}, BuildError, "mgm-2b"),
        ({"method": "lorra:r=4"}, MethodError, "lora"),
        ({"batch": 0}, SubjectError, "batch=0"),
        ({"length": 8}, SubjectError, "image tokens"),
        ({"supervised": 10_000}, SubjectError, "selected-logits"),
        ({"gpu": "rtx4091"}, UnknownCard, "rtx4090"),
    ],
)
def test_bad_input_names_the_thing(change: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        predict(replace(NANO, **change))


def test_a_model_with_code_of_its_own_is_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(BuildError, match="auto_map"):
        predict(replace(NANO, model=str(tmp_path)))


def test_an_unknown_adapter_kind_lists_near_names(tmp_path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORAX"}))
    with pytest.raises(BuildError, match="LORA"):
        predict(replace(NANO, model="gemma-2b", method=str(tmp_path)))
