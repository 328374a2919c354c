"""One item of a LLaVA-style file: what it must look like, everything that is wrong with it, and its turns.

    {"id": "7", "image": "train/7.png", "conversations": [{"from": "human", "value": "<image>\\nWhich digit?"},
                                                          {"from": "gpt", "value": "7"}]}

`image` is a path below the image folder, or absent for text alone. Speakers alternate and the human begins; a first
gpt turn is skipped with a warning, as the public MGM code does. Other fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lora_demo.data.template import IMAGE, Role, Turn, control_marks, image_first
from lora_demo.results.printing import is_text, one_line

Severity = Literal["error", "warning"]
SPEAKERS: dict[str, Role] = {"human": "user", "gpt": "model"}
UNKNOWN_ID = "(no id)"
NOT_TEXT = (
    "contains half of a character (a lone surrogate), which is no text; write the whole character or leave it out"
)


class DataError(ValueError):
    """An item that cannot be used; the message names item id, index, field and path."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one item; `kind` is a stable name, `path` the picture's if it is about one."""

    index: int
    id: str
    field: str
    kind: str
    message: str
    severity: Severity = "error"
    path: str | None = None

    def __str__(self) -> str:
        picture = f" [{self.path}]" if self.path else ""
        place = f"{self.severity}: item {self.index} (id {self.id}), {self.field}{picture}"
        return one_line(f"{place}: {self.message} ({self.kind})")


@dataclass(frozen=True)
class Finding:
    """A problem before it is known whose it is."""

    field: str
    kind: str
    message: str
    severity: Severity = "error"


def id_of(item: Any) -> str:
    """The item's id as text, UNKNOWN_ID if it has none."""
    found = item.get("id") if isinstance(item, Mapping) else None
    return str(found) if _is_id(found) else UNKNOWN_ID


def image_of(item: Any) -> str | None:
    """The item's image path, None if it has none that could be used."""
    found = item.get("image") if isinstance(item, Mapping) else None
    return found if isinstance(found, str) and found and is_text(found) else None


def findings(item: Any) -> list[Finding]:
    """Everything that is wrong with the item itself; whether its picture can be read is not looked at."""
    if not isinstance(item, Mapping):
        return [Finding("item", "not-an-object", f"an item is an object {{...}}, found {type(item).__name__}")]
    found = [*_id_findings(item), *_image_findings(item)]
    conversation = item.get("conversations")
    if "conversations" not in item:
        return [*found, Finding("conversations", "missing-field", "the item has no conversations")]
    if not isinstance(conversation, list) or not conversation:
        return [*found, Finding("conversations", "odd-field", "must be a list of at least two turns")]
    odd = [problem for place, turn in enumerate(conversation) for problem in _shape_findings(place, turn)]
    if odd:
        return [*found, *odd]
    texts = [problem for place, turn in enumerate(conversation) for problem in _text_findings(place, turn)]
    return [*found, *_order_findings(conversation), *texts, *_mark_findings(item, conversation)]


def turns(item: Mapping[str, Any]) -> list[Turn]:
    """The conversation of an item without error findings; `<image>` moves to the front of its message."""
    said = _without_leading_gpt(item["conversations"])
    return [Turn(SPEAKERS[turn["from"]], image_first(turn["value"])) for turn in said]


def _without_leading_gpt(conversation: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    return conversation[1:] if conversation[0]["from"] == "gpt" else conversation


def _is_id(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or (isinstance(value, int) and not isinstance(value, bool))


def _id_findings(item: Mapping[str, Any]) -> Iterator[Finding]:
    if "id" not in item:
        yield Finding("id", "missing-field", "the item has no id")
    elif not _is_id(item["id"]):
        yield Finding("id", "odd-field", f"must be a text or a whole number, found {item['id']!r}")
    elif isinstance(item["id"], str) and not is_text(item["id"]):
        yield Finding("id", "not-text", NOT_TEXT)


def _image_findings(item: Mapping[str, Any]) -> Iterator[Finding]:
    image = item.get("image", "absent")
    if isinstance(image, list):
        problem = f"{len(image)} images in a list; exactly one is supported, written as a text"
        yield Finding("image", "several-images", problem)
    elif not isinstance(image, str) or image == "":
        yield Finding("image", "odd-field", f"must be a path below the image folder, found {image!r}; or leave it out")
    elif not is_text(image):
        yield Finding("image", "not-text", NOT_TEXT)


def _shape_findings(place: int, turn: Any) -> Iterator[Finding]:
    here = f"conversations[{place}]"
    if not isinstance(turn, Mapping):
        yield Finding(here, "odd-field", f"a turn is an object with from and value, found {type(turn).__name__}")
        return
    for key in ("from", "value"):
        if key not in turn:
            yield Finding(f"{here}.{key}", "missing-field", f"the turn has no {key!r}")
        elif not isinstance(turn[key], str):
            yield Finding(f"{here}.{key}", "odd-field", f"must be a text, found {type(turn[key]).__name__}")
        elif key == "value" and not is_text(turn[key]):
            yield Finding(f"{here}.{key}", "not-text", NOT_TEXT)
    if isinstance(speaker := turn.get("from"), str) and speaker not in SPEAKERS:
        yield Finding(f"{here}.from", "odd-field", f"speaker {speaker!r} is neither 'human' nor 'gpt'")


def _order_findings(conversation: Sequence[Mapping[str, str]]) -> Iterator[Finding]:
    speakers = [turn["from"] for turn in conversation]
    if "human" not in speakers:
        yield Finding("conversations", "no-human-turn", "nobody asks: there is no human turn")
        return
    skipped = int(speakers[0] == "gpt")
    if skipped:
        yield Finding("conversations[0]", "leading-gpt-turn", "a first gpt turn is skipped in training", "warning")
    for place in range(skipped, len(speakers)):
        due = ("human", "gpt")[(place - skipped) % 2]
        if speakers[place] != due:
            problem = f"speakers must alternate: {due!r} is due, found {speakers[place]!r}"
            yield Finding(f"conversations[{place}].from", "not-alternating", problem)
            return
    if speakers[-1] == "human":
        yield Finding(f"conversations[{len(speakers) - 1}]", "no-answer", "the last question has no answer")


def _text_findings(place: int, turn: Mapping[str, str]) -> Iterator[Finding]:
    here, text = f"conversations[{place}].value", turn["value"]
    if marks := control_marks(text):
        yield Finding(here, "control-mark", f"contains {marks[0]!r}, which would be read as the template's structure")
    if turn["from"] == "gpt":
        if not text.strip():
            yield Finding(here, "empty-answer", "the answer is empty: the model would learn to say nothing")
        if IMAGE in text:
            yield Finding(here, "image-in-answer", f"{IMAGE} stands in an answer; only a human turn shows the picture")
    elif not text.strip():
        yield Finding(here, "empty-question", "the question is empty", "warning")


def _mark_findings(item: Mapping[str, Any], conversation: Sequence[Mapping[str, str]]) -> Iterator[Finding]:
    """Whether `<image>` and the field `image` agree."""
    asking = [(place, turn["value"]) for place, turn in enumerate(conversation) if turn["from"] == "human"]
    marked = [place for place, text in asking if IMAGE in text]
    if marked and "image" not in item:
        problem = f"{IMAGE} stands here but the item has no image"
        yield Finding(f"conversations[{marked[0]}].value", "mark-without-image", problem)
    if len(marked) > 1:
        problem = f"{IMAGE} stands in {len(marked)} human turns; one item shows one picture, once"
        yield Finding(f"conversations[{marked[1]}].value", "several-marks", problem)
    if "image" in item and not marked:
        problem = f"the picture will not be seen: no human turn contains {IMAGE}; put it in front of the first question"
        yield Finding("image", "image-without-mark", problem, "warning")
