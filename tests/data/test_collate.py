import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.data.collate import Collator, Sample, Side
from lora_demo.data.labels import IGNORE, IMAGE_ID, Encoded
from lora_demo.data.views import ViewMaker, Views
from lora_demo.models.presets import mgm_preset

VIEWS = ViewMaker(small=4, large=16)
PAD = 0


def sample(ids: list[int], picture: bool = False) -> Sample:
    views = Views(torch.ones(3, 4, 4), torch.full((3, 16, 16), 2.0)) if picture else None
    return Sample(Encoded(ids, [IGNORE, *ids[1:]]), views)


def test_the_names_are_those_of_the_models_call():
    import inspect

    from lora_demo.models.mgm import MGM

    batch = Collator(PAD, VIEWS)([sample([2, 5, 1])])
    assert set(batch) <= set(inspect.signature(MGM.forward).parameters)
    assert len(batch) == 5


@pytest.mark.parametrize("side", ["left", "right"])
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_what_the_mask_keeps_is_each_sample_unchanged(side: Side, lengths: list[int]):
    samples = [sample([2, *range(10, 10 + length)]) for length in lengths]
    batch = Collator(PAD, VIEWS, side)(samples)
    assert batch["input_ids"].shape == (len(lengths), max(lengths) + 1)
    for row, one in enumerate(samples):
        kept = batch["attention_mask"][row]
        assert batch["input_ids"][row, kept].tolist() == one.encoded.input_ids
        assert batch["labels"][row, kept].tolist() == one.encoded.labels
        assert (batch["input_ids"][row, ~kept] == PAD).all()
        assert (batch["labels"][row, ~kept] == IGNORE).all()
        assert bool(kept[0 if side == "right" else -1])


def test_text_alone_carries_blank_pictures():
    batch = Collator(PAD, VIEWS)([sample([2, IMAGE_ID, 1], picture=True), sample([2, 7])])
    assert batch["images"].shape == (2, 3, 4, 4)
    assert batch["images_aux"].shape == (2, 3, 16, 16)
    assert (batch["images"][0] == 1).all()
    assert (batch["images_aux"][0] == 2).all()
    assert not batch["images"][1].any()
    assert not batch["images_aux"][1].any()
    assert batch["attention_mask"].dtype == torch.bool
    assert batch["input_ids"].dtype == batch["labels"].dtype == torch.long


def test_no_sample_is_no_batch():
    with pytest.raises(ValueError, match="at least one sample"):
        Collator(PAD, VIEWS)([])


def test_the_presets_blank_views_make_a_batch():
    config = mgm_preset("mgm-nano")
    batch = Collator(PAD, ViewMaker.for_model(config))([sample([2, 7])])
    assert batch["images_aux"].shape[-1] == config.aux.image_size
