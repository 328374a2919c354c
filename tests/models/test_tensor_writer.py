"""Streaming out: what safetensors itself reads back, whole or in shards, and fingerprints of a base."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from lora_demo.models import fingerprint
from lora_demo.models.catalogue import Catalogue, own_weights
from lora_demo.models.tensor_files import CheckpointError, Entry
from lora_demo.models.tensor_writer import Source, from_tensor, write_sharded

TENSORS = {
    "a": torch.arange(2**21 + 3, dtype=torch.float32),
    "b": torch.randn(5, 7, generator=torch.Generator().manual_seed(0)),
    "c": torch.tensor(1.5),
    "d": torch.zeros(0, 3),
}


def sources(dtype=torch.float32):
    return {key: from_tensor(tensor, dtype) for key, tensor in TENSORS.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_safetensors_reads_what_was_written(tmp_path, dtype):
    (file,) = write_sharded(tmp_path, sources(dtype))
    found = load_file(file)
    assert list(found) == list(TENSORS)
    assert all(torch.equal(found[key], tensor.to(dtype)) for key, tensor in TENSORS.items())


def test_shards_stay_below_their_limit_and_are_found_through_the_index(tmp_path):
    files = write_sharded(tmp_path, sources(), shard=200)
    assert [file.name for file in files] == [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    catalogue = Catalogue()
    for file in own_weights(tmp_path):
        catalogue.add(file, lambda key: f"model.norm.{key}")
    assert len(catalogue.stored) == len(TENSORS)


def test_a_source_that_ends_early_is_an_error(tmp_path):
    short = Source(Entry(torch.float32, (8,)), [torch.zeros(4)])
    with pytest.raises(ValueError, match="gave 16 bytes, its shape needs 32"):
        write_sharded(tmp_path, {"a": short})


def test_a_fingerprint_knows_the_base_whatever_its_type_and_no_other(tmp_path, make_model):
    model = make_model()
    fingerprint.save(fingerprint.of(model), tmp_path)
    assert fingerprint.require_same(make_model().to(torch.bfloat16), tmp_path)
    assert not fingerprint.require_same(model, tmp_path / "elsewhere")
    with torch.no_grad():
        model.language_model.model.embed_tokens.weight.mul_(1.01)
    with pytest.raises(CheckpointError, match="trained on another base"):
        fingerprint.require_same(model, tmp_path)
