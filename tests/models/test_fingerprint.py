"""Which base an adapter was trained on: told apart by values, whatever their type and however many there are."""

from __future__ import annotations

import pytest
import torch

from lora_demo.models import fingerprint, shipped
from lora_demo.models.tensor_files import CheckpointError

EMBEDDING_OF_MGM_2B = 256_000 * 2048


@pytest.mark.parametrize("size", [1, 7, fingerprint.SAMPLED, 1000, 2**24 + 1, EMBEDDING_OF_MGM_2B, 2**31 + 5])
def test_sampled_places_lie_within_any_weight(size):
    places = fingerprint.evenly(size)
    assert len(places) == min(size, fingerprint.SAMPLED)
    assert (int(places[0]), int(places[-1])) == (0, size - 1)
    assert (places.diff() > 0).all()


def test_the_type_does_not_matter_and_the_values_do(tmp_path):
    base = shipped.load_nano()
    known = fingerprint.of(base)
    assert fingerprint.of(shipped.load_nano(torch.bfloat16)) == known
    assert not fingerprint.require_same(base, tmp_path), "a folder that does not say"
    fingerprint.save(fingerprint.of(base), tmp_path)
    assert fingerprint.require_same(base, tmp_path)
    with torch.no_grad():
        base.language_model.model.embed_tokens.weight[0, 0] += 1
    with pytest.raises(CheckpointError, match="another base"):
        fingerprint.require_same(base, tmp_path)
