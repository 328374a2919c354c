"""The data set as batches and as a folder: the same tensors through both doors."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from lora_demo.data import tokenizer
from lora_demo.data.check import check
from lora_demo.data.collate import Collator
from lora_demo.data.dataset import ConversationData
from lora_demo.data.nano_set import NanoSet
from lora_demo.data.views import ViewMaker
from lora_demo.models.presets import MGM_NANO

VIEWS = ViewMaker.for_model(MGM_NANO)


def make(**changes) -> NanoSet:
    settings = {"images": 5, "questions": 4, "tokenizer": tokenizer.nano(), "views": VIEWS, "seed": 3} | changes
    return NanoSet("test", "b", **settings)


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_the_exported_folder_gives_the_same_batch(tmp_path, rounds):
    data = make(rounds=rounds)
    loaded = ConversationData(data.export(tmp_path), tmp_path / "images", tokenizer.nano(), VIEWS)
    assert len(loaded) == len(data) == 5 * 4 // rounds
    ours = data.batch(range(len(data)))
    theirs = Collator(tokenizer.nano().pad, VIEWS)([loaded[i] for i in range(len(loaded))])
    assert set(ours) == set(theirs)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_the_exported_folder_passes_the_data_check(tmp_path):
    data = make()
    assert not check(data.export(tmp_path), tmp_path / "images").problems
    assert len(list((tmp_path / "images").iterdir())) == 5
    with Image.open(tmp_path / "images" / "000004.png") as picture:
        assert picture.size == (48, 48)


def test_rows_and_pictures_belong_together():
    data = make(rounds=2)
    assert [data.picture_of(row) for row in range(len(data))] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [*data.asked(2), *data.asked(3)] == data.questions[1]
    assert data.group(2) == data.questions[1][0].kind


@pytest.mark.parametrize("rounds", [1, 4])
def test_what_is_told_comes_after_the_questions_of_their_picture(rounds):
    plain, told = make(rounds=rounds), make(rounds=rounds, told=True)
    own, each = 4 // rounds, len(told) // told.pictures
    assert each == own + len(told.told[0]) > own
    for row in range(len(told)):
        picture, place = divmod(row, each)
        assert told.picture_of(row) == picture
        if place < own:
            assert told.asked(row) == plain.asked(picture * own + place)
        else:
            assert told.asked(row) == [told.told[picture][place - own]]
            assert told.group(row) == "tell"


def test_text_batches_are_the_batch_without_pictures():
    data = make()
    whole, text = data.batch([0, 3]), data.text_batch([0, 3])
    assert set(text) == {"input_ids", "labels", "attention_mask"}
    assert all(torch.equal(text[name], whole[name]) for name in text)


def test_item_ids_are_unique_and_json_is_plain(tmp_path):
    items = json.loads(make(rounds=1).export(tmp_path).read_text(encoding="utf-8"))
    assert len({item["id"] for item in items}) == len(items) == 20


def test_rounds_must_divide_the_questions():
    with pytest.raises(ValueError, match="rounds of 3"):
        make(rounds=3)
