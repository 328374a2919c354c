import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from lora_demo.data.collate import Collator
from lora_demo.data.dataset import ConversationData
from lora_demo.data.items import DataError
from lora_demo.data.labels import encode
from lora_demo.data.template import Turn, ask
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import ViewMaker

VIEWS = ViewMaker(small=8, large=32)


def item(index: int, image: str | None = None, answer: str = "7") -> dict:
    question = "<image>\nWhich digit?" if image else "Which digit?"
    spoken = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": f"i{index}", "conversations": spoken} | ({"image": image} if image else {})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pics"
    folder.mkdir()
    Image.new("RGB", (20, 10), (255, 0, 0)).save(folder / "red.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def opened(pictures: Path, tokenizer: TextTokenizer, *items: dict, **options) -> ConversationData:
    path = pictures.parent / "data.json"
    path.write_text(json.dumps(items), encoding="utf-8")
    return ConversationData(path, pictures, tokenizer, VIEWS, **options)


def test_items_come_out_tokenised_with_their_views(pictures: Path, nano: TextTokenizer):
    data = opened(pictures, nano, item(0, "red.png"), item(1))
    assert len(data) == 2
    assert data[0].encoded == encode([*ask("Which digit?", image=True), Turn("model", "7")], nano)
    views = data[0].views
    assert views is not None
    assert torch.equal(views.large, VIEWS(Image.new("RGB", (20, 10), (255, 0, 0))).large)
    assert data[1].views is None
    assert data[-1].encoded == data[1].encoded


def test_nothing_is_parsed_or_opened_before_it_is_asked_for(pictures: Path, nano: TextTokenizer):
    data = opened(pictures, nano, item(0, "missing.png"), item(1, answer=""), item(2, "red.png"))
    assert data[2].views is not None


@pytest.mark.parametrize(
    ("broken", "place", "reason"),
    [
        (item(1, "missing.png"), "field image", r"missing\.png: no such file"),
        (item(1, "broken.png"), "field image", r"broken\.png: not a picture"),
        (item(1, "../data.json"), "field image", "leads out of the image folder"),
        (item(1, answer=" "), r"field conversations\[1\]\.value", "answer is empty"),
    ],
)
def test_a_broken_item_is_never_replaced(pictures: Path, nano: TextTokenizer, broken: dict, place: str, reason: str):
    data = opened(pictures, nano, item(0), broken)
    assert data[0].encoded.supervised
    for _ in range(3):
        with pytest.raises(DataError, match=rf"data\.json: item 1 \(id i1\), {place}: .*{reason}"):
            data[1]


def test_a_loop_over_the_data_ends(pictures: Path, nano: TextTokenizer):
    data = opened(pictures, nano, item(0), item(1))
    assert len([data[i] for i in range(len(data))]) == 2
    with pytest.raises(IndexError):
        data[2]
    with pytest.raises(IndexError):
        data[-3]


def test_the_length_limit_cuts_ids(pictures: Path, nano: TextTokenizer):
    assert len(opened(pictures, nano, item(0), max_length=5)[0].encoded) == 5


def test_workers_give_the_same_batches(pictures: Path, nano: TextTokenizer):
    data = opened(pictures, nano, *(item(i, "red.png" if i % 2 else None, str(i)) for i in range(6)))
    collate = Collator(nano.pad, VIEWS)
    alone = list(DataLoader(data, batch_size=2, collate_fn=collate))
    parallel = list(DataLoader(data, batch_size=2, collate_fn=collate, num_workers=2))
    assert len(alone) == len(parallel) == 3
    for one, other in zip(alone, parallel, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
