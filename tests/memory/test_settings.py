"""Switches of a prediction: each does to the bytes what its formula says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_demo.memory.predict import Prediction, Setting, predict
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.subject import SubjectError
from tests.memory.peft_kinds import SMALL
from tests.unchecked import unchecked

RANK = 4


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("small")
    (folder / "config.json").write_text(json.dumps({**SMALL, "vocab_size": 4096}))
    return Setting(str(folder), f"lora:r={RANK},targets=all", batch=2, length=64, optimizer="fused")


def changed(setting: Setting, **changes: Any) -> Prediction:
    return predict(replace(setting, **changes))


def linear_weights() -> int:
    """Values in the linear layers of the small model, the output head left out."""
    hidden, inner, layers = SMALL["hidden_size"], SMALL["intermediate_size"], SMALL["num_hidden_layers"]
    head = hidden // SMALL["num_attention_heads"]
    return layers * (2 * hidden * hidden + 2 * hidden * head * SMALL["num_key_value_heads"] + 3 * hidden * inner)


@pytest.mark.parametrize(("base", "bits"), [("nf4", 4 + 8 / 64 + 32 / (64 * 256)), ("int8", 8)])
def test_a_packed_base_takes_its_bits(base: str, bits: float, plain: Setting) -> None:
    saved = changed(plain).parts["weights_frozen"] - changed(plain, base=base).parts["weights_frozen"]
    # Scales are small tensors here, each rounded up to the allocator's 512 bytes.
    assert saved == pytest.approx(linear_weights() * (16 - bits) / 8, rel=0.06)


def test_a_packed_base_is_no_base_for_full_fine_tuning(plain: Setting) -> None:
    with pytest.raises(BuildError, match="nf4"):
        changed(plain, base="nf4", method="full")


def test_peft_on_a_packed_base(plain: Setting, tmp_path: Path) -> None:
    entries = {"peft_type": "LORA", "r": RANK, "target_modules": "all-linear"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(entries))
    ours, theirs = changed(plain, base="nf4"), changed(plain, base="nf4", method=str(tmp_path))
    assert theirs.trainable == ours.trainable
    assert theirs.parts["weights_frozen"] == ours.parts["weights_frozen"]
    (tmp_path / "adapter_config.json").write_text(json.dumps({**entries, "peft_type": "LOHA"}))
    with pytest.raises(BuildError, match="LOHA has no form"):
        changed(plain, base="nf4", method=str(tmp_path))


def test_a_chunked_loss_keeps_no_logits(plain: Setting) -> None:
    whole, chunked = changed(plain), changed(plain, loss_chunk=8)
    assert whole.parts["logits"] >= 2 * 63 * 4096 * 2
    assert chunked.peak_allocated < whole.peak_allocated - 2 * 63 * 4096 * 2
    assert changed(plain, supervised=8).peak_allocated < whole.peak_allocated


def test_savers_of_the_layers(plain: Setting) -> None:
    lean = replace(plain, loss_chunk=8, length=256)
    peaks = [
        unchecked(predict, replace(lean, **change)).peak_allocated
        for change in ({}, {"feedforward_tile": 32}, {"checkpointing": True, "feedforward_tile": 32})
    ]
    assert peaks[0] > peaks[1] > peaks[2]


def test_accumulation_holds_gradients_only(plain: Setting) -> None:
    one, two = changed(plain), changed(plain, accumulation=2)
    assert 0 <= two.peak_allocated - one.peak_allocated <= 4 * one.trainable + 1024 * 512


def test_shards_on_paper(plain: Setting) -> None:
    whole, quarter = changed(plain, method="full"), changed(plain, method="full", shards=4)
    assert sum(quarter.parts.values()) == quarter.peak_allocated <= quarter.peak_reserved
    for kind in ("weights_trainable", "gradients", "optimizer"):
        assert quarter.parts[kind] == -(-whole.parts[kind] // 4)
    assert quarter.parts["activations"] == whole.parts["activations"]
    assert quarter.parts["temporaries"] > whole.parts["temporaries"]


def test_optimizers_by_state(plain: Setting) -> None:
    """Full fine-tuning in bf16: two moments of two bytes, of one byte, and none on the device for large tensors."""
    names = ("fused", "foreach", "for-loop", "adamw8bit", "paged-adamw8bit")
    state = {name: changed(plain, method="full", optimizer=name).parts["optimizer"] for name in names}
    trainable = changed(plain, method="full").trainable
    assert state["fused"] == pytest.approx(4 * trainable, rel=0.02)
    assert state["foreach"] == pytest.approx(state["for-loop"], rel=0.02)
    assert state["adamw8bit"] == pytest.approx(2 * trainable, rel=0.1)
    assert state["paged-adamw8bit"] < state["adamw8bit"] / 2


@given(batch=st.integers(1, 6), length=st.integers(8, 96), rank=st.integers(1, 24))
@settings(deadline=None, max_examples=5)
def test_more_of_anything_never_allocates_less(plain: Setting, batch: int, length: int, rank: int) -> None:
    def peak(batch: int, length: int, rank: int) -> int:
        more = replace(plain, batch=batch, length=length, method=f"lora:r={rank},targets=all")
        return unchecked(predict, more).peak_allocated

    here = peak(batch, length, rank)
    assert peak(batch + 1, length, rank) >= here
    assert peak(batch, length + 8, rank) >= here
    assert peak(batch, length, rank + 4) >= here


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shards": 0}, "shards=0"),
        ({"loss_chunk": 0}, "loss-chunk=0"),
        ({"loop": "plain", "supervised": 4}, "--selected-logits"),
        ({"loop": "plain", "batch": 0}, "batch=0"),
    ],
)
def test_settings_that_make_no_sense(change: dict[str, Any], words: str, plain: Setting) -> None:
    with pytest.raises(SubjectError, match=words):
        changed(plain, **change)
