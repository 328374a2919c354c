import json
from pathlib import Path

import pytest
from PIL import Image

from lora_demo.data.check import KINDS, SHOWN, LengthLimit, check, require_clean
from lora_demo.data.items import DataError
from lora_demo.data.json_index import BrokenFile
from lora_demo.data.tokenizer import TextTokenizer


def spoken(question: str = "<image>\nWhich digit?", answer: str = "7") -> list[dict]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def item(name: str, image: str | None, conversations: list[dict] | None = None) -> dict:
    head = {"id": name} | ({"image": image} if image else {})
    return head | {"conversations": conversations or spoken()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pics"
    folder.mkdir()
    picture = Image.effect_noise((60, 40), 90)
    picture.convert("RGB").save(folder / "good.jpg")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:1500])
    (folder / "text.png").write_bytes(b"not a picture")
    (folder / "empty.png").write_bytes(b"")
    (tmp_path / "outside.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    picture.save(folder / "turned.png", exif=exif)
    return folder


def test_an_empty_list_is_refused(folder):
    with pytest.raises(DataError, match="an empty list; there is nothing to train on"):
        check(written(folder, []), folder)


def written(folder: Path, items: list) -> Path:
    path = folder.parent / "data.json"
    path.write_text(json.dumps(items), encoding="utf-8")
    return path


MANY_FAULTS = [
    item("ok", "good.jpg"),
    item("gone", "gone.jpg"),
    item("cut", "cut.jpg"),
    item("text", "text.png"),
    item("empty", "empty.png"),
    item("up", "../outside.png"),
    item("absolute", "/etc/passwd"),
    item("link", "link.png"),
    item("ok", "good.jpg"),
    item("turned", "turned.png"),
    item("silent", "good.jpg", spoken(answer="")),
    item("blind", None),
    item("two", "good.jpg") | {"image": ["good.jpg", "good.jpg"]},
    item("long", "x" * 5000),
    item("half", "\ud800.png"),
    ["not", "an", "object"],
]
EXPECTED = {
    (1, "gone", "image", "image-missing"),
    (2, "cut", "image", "image-unreadable"),
    (3, "text", "image", "image-unreadable"),
    (4, "empty", "image", "image-unreadable"),
    (5, "up", "image", "outside-folder"),
    (6, "absolute", "image", "outside-folder"),
    (7, "link", "image", "outside-folder"),
    (8, "ok", "id", "duplicate-id"),
    (9, "turned", "image", "exif-orientation"),
    (10, "silent", "conversations[1].value", "empty-answer"),
    (11, "blind", "conversations[0].value", "mark-without-image"),
    (12, "two", "image", "several-images"),
    (13, "long", "image", "image-missing"),
    (14, "half", "image", "not-text"),
    (15, "(no id)", "item", "not-an-object"),
}


def test_every_problem_is_listed_with_item_field_and_path(folder: Path):
    report = check(written(folder, MANY_FAULTS), folder)
    assert {(p.index, p.id, p.field, p.kind) for p in report.problems} == EXPECTED
    assert [p.index for p in report.problems] == sorted(p.index for p in report.problems)
    assert (report.items, report.errors, report.warnings) == (len(MANY_FAULTS), len(EXPECTED) - 1, 1)
    about_files = {"gone", "cut", "text", "empty", "up", "absolute", "link", "turned", "long"}
    assert {p.id for p in report.problems if p.path} == about_files
    gone = next(p for p in report.problems if p.id == "gone")
    assert gone.path == str(folder / "gone.jpg")
    assert {p.kind for p in report.problems} <= KINDS


def test_faults_are_found_in_every_block(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lora_demo.data.check.BLOCK", 3)
    report = check(written(folder, MANY_FAULTS), folder)
    assert {(p.index, p.id, p.field, p.kind) for p in report.problems} == EXPECTED


def test_each_picture_is_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from lora_demo.data import images

    seen: list[str] = []
    inspect = images.inspect
    monkeypatch.setattr(
        images, "inspect", lambda path, decode: (seen.append(path.name), inspect(path, decode=decode))[1]
    )
    check(written(folder, [item(str(i), "good.jpg") for i in range(600)]), folder)
    assert seen == ["good.jpg"]


def test_headers_only_misses_cut_off_files_and_says_so(folder: Path):
    report = check(written(folder, [item("cut", "cut.jpg"), item("text", "text.png")]), folder, decode=False)
    assert [p.id for p in report.problems] == ["text"]
    assert not report.decoded


def test_allowed_kinds_only_warn(folder: Path):
    items = [item("a", "good.jpg"), item("a", "good.jpg"), item("b", "gone.jpg")]
    report = check(written(folder, items), folder, allow=["duplicate-id"])
    assert [(p.kind, p.severity) for p in report.problems] == [("duplicate-id", "warning"), ("image-missing", "error")]
    with pytest.raises(ValueError, match="no kind of problem called 'typo'"):
        check(written(folder, items), folder, allow=["typo"])


def test_lengths_are_counted_after_the_picture_expands(folder: Path, nano: TextTokenizer):
    path = written(folder, [item("short", "good.jpg"), item("long", "good.jpg", spoken(answer="7" * 40))])
    short = 24
    tight = check(path, folder, lengths=LengthLimit(nano, image_tokens=16, max_length=short + 30))
    assert [(p.id, p.kind, p.severity) for p in tight.problems] == [("long", "too-long", "warning")]
    none = check(path, folder, lengths=LengthLimit(nano, image_tokens=576, max_length=200))
    assert [(p.id, p.kind, p.severity) for p in none.problems] == [
        ("short", "nothing-left", "error"),
        ("long", "nothing-left", "error"),
    ]
    assert check(path, folder).problems == ()
    assert not check(path, folder).lengths_checked


def test_the_count_of_what_remains_is_right(folder: Path, nano: TextTokenizer):
    """Second computation: expand the labels, cut, count."""
    from lora_demo.data.items import turns
    from lora_demo.data.labels import IGNORE, IMAGE_ID, encode

    long = item("long", "good.jpg", spoken(answer="7" * 40))
    encoded = encode(turns(long), nano)
    expanded = [
        label
        for token, label in zip(encoded.input_ids, encoded.labels, strict=True)
        for label in ([IGNORE] * 16 if token == IMAGE_ID else [label])
    ]
    for limit in range(len(expanded) - 42, len(expanded)):
        kept = sum(label != IGNORE for label in expanded[:limit])
        report = check(written(folder, [long]), folder, lengths=LengthLimit(nano, 16, limit))
        assert f"{len(expanded)} positions, {limit} allowed; {kept} of 43" in report.problems[0].message


def test_training_refuses_to_start(folder: Path):
    path = written(folder, MANY_FAULTS)
    with pytest.raises(DataError, match=rf"{len(EXPECTED) - 1} errors in {len(MANY_FAULTS)} items") as caught:
        require_clean(path, folder)
    assert str(caught.value).count("error: item") == SHOWN
    assert f"lora-demo data check {path} --images {folder}" in str(caught.value)
    fine = require_clean(written(folder, [item("a", "good.jpg"), item("b", "turned.png")]), folder)
    assert (fine.errors, fine.warnings) == (0, 1)


def test_json_that_is_broken_inside_an_item_has_a_place(folder: Path):
    path = folder.parent / "data.json"
    path.write_text('[{"id": "a",\n "conversations": [}]}]', encoding="utf-8")
    with pytest.raises(BrokenFile) as caught:
        check(path, folder)
    assert (caught.value.line, caught.value.column) == (2, 20)


def test_the_report_survives_json(folder: Path):
    report = check(written(folder, MANY_FAULTS), folder)
    again = json.loads(json.dumps(report.to_json()))
    assert again["errors"] == report.errors
    assert len(again["problems"]) == len(report.problems)
    assert sum(again["kinds"].values()) == len(report.problems)
