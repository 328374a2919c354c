import pytest

from lora_demo.data.check import KINDS
from lora_demo.data.items import UNKNOWN_ID, Problem, findings, id_of, image_of, turns
from lora_demo.data.template import IMAGE, Turn

GOOD = {
    "id": "7",
    "image": "train/7.png",
    "conversations": [
        {"from": "human", "value": "Which digit? <image>"},
        {"from": "gpt", "value": "7"},
        {"from": "human", "value": "Sure?"},
        {"from": "gpt", "value": "yes"},
    ],
}
HALF = "\ud800"
HUMAN, GPT = {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}


def changed(**fields):
    return GOOD | fields


def without(field: str):
    return {key: value for key, value in GOOD.items() if key != field}


def talk(*conversation):
    return {"id": 1, "conversations": list(conversation)}


BROKEN = [
    ("text", "item", "not-an-object"),
    ([GOOD], "item", "not-an-object"),
    (without("id"), "id", "missing-field"),
    (changed(id=None), "id", "odd-field"),
    (changed(id=True), "id", "odd-field"),
    (changed(image=["a.png", "b.png"]), "image", "several-images"),
    (changed(image=""), "image", "odd-field"),
    (changed(image=None), "image", "odd-field"),
    (without("image"), "conversations[0].value", "mark-without-image"),
    (without("conversations"), "conversations", "missing-field"),
    (changed(conversations=[]), "conversations", "odd-field"),
    (changed(conversations="hello"), "conversations", "odd-field"),
    (talk(HUMAN, "a"), "conversations[1]", "odd-field"),
    (talk(HUMAN, {"from": "gpt"}), "conversations[1].value", "missing-field"),
    (talk(HUMAN, {"value": "a"}), "conversations[1].from", "missing-field"),
    (talk(HUMAN, {"from": "gpt", "value": 3}), "conversations[1].value", "odd-field"),
    (talk(HUMAN, {"from": "system", "value": "a"}), "conversations[1].from", "odd-field"),
    (talk(GPT), "conversations", "no-human-turn"),
    (talk(HUMAN), "conversations[0]", "no-answer"),
    (talk(HUMAN, GPT, HUMAN), "conversations[2]", "no-answer"),
    (talk(HUMAN, HUMAN, GPT), "conversations[1].from", "not-alternating"),
    (talk(GPT, GPT, HUMAN), "conversations[1].from", "not-alternating"),
    (talk(HUMAN, {"from": "gpt", "value": " \n"}), "conversations[1].value", "empty-answer"),
    (talk(HUMAN, {"from": "gpt", "value": f"see {IMAGE}"}), "conversations[1].value", "image-in-answer"),
    (talk(HUMAN, {"from": "gpt", "value": "a<start_of_turn>model\nb"}), "conversations[1].value", "control-mark"),
    (talk(HUMAN, {"from": "gpt", "value": "a<eos>"}), "conversations[1].value", "control-mark"),
    (talk({"from": "human", "value": "<end_of_turn>"}, GPT), "conversations[0].value", "control-mark"),
    (talk(HUMAN, {"from": "gpt", "value": f"half {HALF}"}), "conversations[1].value", "not-text"),
    (talk({"from": "human", "value": HALF}, GPT), "conversations[0].value", "not-text"),
    (changed(id=HALF), "id", "not-text"),
    (changed(image=f"{HALF}.png"), "image", "not-text"),
    (
        changed(conversations=[{"from": "human", "value": IMAGE}, GPT, {"from": "human", "value": IMAGE}, GPT]),
        "conversations[2].value",
        "several-marks",
    ),
]
WARNED = [
    (talk(GPT, HUMAN, GPT), "conversations[0]", "leading-gpt-turn"),
    (talk({"from": "human", "value": ""}, GPT), "conversations[0].value", "empty-question"),
    (changed(conversations=[HUMAN, GPT]), "image", "image-without-mark"),
]


@pytest.mark.parametrize(("item", "field", "kind"), BROKEN)
def test_each_fault_is_one_error_at_its_field(item, field: str, kind: str):
    (only,) = [found for found in findings(item) if found.severity == "error"]
    assert (only.field, only.kind) == (field, kind)
    assert kind in KINDS


@pytest.mark.parametrize(("item", "field", "kind"), WARNED)
def test_what_training_can_live_with_is_a_warning(item, field: str, kind: str):
    (only,) = findings(item)
    assert (only.field, only.kind, only.severity) == (field, kind, "warning")
    assert turns(item)[0].role == "user"


def test_a_good_item_has_no_findings_and_becomes_turns():
    assert findings(GOOD) == []
    assert (id_of(GOOD), image_of(GOOD)) == ("7", "train/7.png")
    assert turns(GOOD) == [
        Turn("user", f"{IMAGE}\nWhich digit?"),
        Turn("model", "7"),
        Turn("user", "Sure?"),
        Turn("model", "yes"),
    ]


def test_a_first_gpt_turn_is_skipped():
    assert turns(talk({"from": "gpt", "value": "hello"}, HUMAN, GPT)) == [Turn("user", "q"), Turn("model", "a")]


def test_several_faults_of_one_item_are_all_found():
    item = {"image": ["a", "b"], "conversations": [HUMAN, {"from": "gpt", "value": ""}, HUMAN]}
    assert {found.kind for found in findings(item)} == {
        "missing-field",
        "several-images",
        "empty-answer",
        "no-answer",
        "image-without-mark",
    }


@pytest.mark.parametrize("item", [3, None, [], {}, {"id": ""}, {"id": 1.5}])
def test_an_item_without_a_usable_id_says_so(item):
    assert id_of(item) == UNKNOWN_ID


def test_a_problem_reads_as_one_line():
    problem = Problem(3, "x7", "image", "image-missing", "there is no such file", path="pics/x7.png")
    line = "error: item 3 (id x7), image [pics/x7.png]: there is no such file (image-missing)"
    assert str(problem) == line


@pytest.mark.parametrize("text", ["a\nerror: item 99", "\x1b[31mred", "\x9b2J", "\u202egnp", HALF, "\u2028"])
def test_nothing_in_a_problem_ends_its_line_or_moves_the_cursor(text: str):
    line = str(Problem(3, text, "image", "image-missing", f"about {text}", path=f"pics/{text}"))
    assert text not in line
    assert line.count(text.encode("unicode_escape").decode()) == 3
    assert line.isprintable()
