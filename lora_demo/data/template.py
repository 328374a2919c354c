"""Gemma's chat format: turns in, text segments out, each marked as supervised or not.

One user turn and one model turn read, without line breaks of our own:

    <start_of_turn>user⏎ question <end_of_turn>⏎ <start_of_turn>model⏎ answer <end_of_turn>⏎<eos>

`<bos>` stands once in front of everything. There is no system text. Only a model turn is followed by `<eos>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "model"]

IMAGE = "<image>"
BOS, EOS = "<bos>", "<eos>"
START_OF_TURN, END_OF_TURN = "<start_of_turn>", "<end_of_turn>"
NEWLINE = "\n"
TURN_END = END_OF_TURN + NEWLINE
MODEL_HEADER = START_OF_TURN + "model" + NEWLINE
CONTROL_MARKS = (BOS, EOS, START_OF_TURN, END_OF_TURN, "<pad>", "<unk>")
"""What a speaker must not say: inside a turn these would be read as structure."""


class TemplateError(ValueError):
    """Turns that the chat format cannot express; the message names the turn and the reason."""


@dataclass(frozen=True)
class Turn:
    """What one speaker says; `<image>` in a user turn marks where the picture goes."""

    role: Role
    text: str


@dataclass(frozen=True)
class Segment:
    """A stretch of text that is tokenised on its own; `supervised` if the loss counts it."""

    text: str
    supervised: bool


def ask(question: str, *, image: bool) -> list[Turn]:
    """A conversation that consists of one question, with a picture in front of it or not."""
    return [Turn("user", f"{IMAGE}{NEWLINE}{question}" if image else question)]


def image_first(text: str) -> str:
    """Move `<image>` to the front of its message, once, on a line of its own; text without the mark stays as it is."""
    if IMAGE not in text:
        return text
    return IMAGE + NEWLINE + text.replace(IMAGE, "").strip()


def segments(turns: Sequence[Turn]) -> list[Segment]:
    """The conversation after `<bos>`, cut at each border between what is read and what is learned.

    Per round: the user turn with the model header (not supervised), then the answer with its end marks (supervised).
    A conversation that ends with a user turn ends with the model header, ready for generation.
    """
    check_turns(turns)
    return [_segment(turn) for turn in turns]


def render(turns: Sequence[Turn]) -> str:
    """The conversation as one readable text, `<bos>` and `<image>` included."""
    return BOS + "".join(segment.text for segment in segments(turns))


def check_turns(turns: Sequence[Turn]) -> None:
    """Raise TemplateError unless user and model alternate, the user begins and nobody says a control mark."""
    if not turns:
        raise TemplateError("the conversation is empty; it needs at least one user turn")
    for index, turn in enumerate(turns):
        expected = "model" if index % 2 else "user"
        if turn.role != expected:
            raise TemplateError(f"turn {index} is by {turn.role!r}; user and model alternate, so {expected!r} is due")
        if found := control_marks(turn.text):
            raise TemplateError(f"turn {index} contains {found[0]!r}, which would be read as structure; rephrase it")
        if turn.role == "model" and IMAGE in turn.text:
            raise TemplateError(f"turn {index} is an answer and contains {IMAGE!r}; only the user shows pictures")


def control_marks(text: str) -> list[str]:
    """The control marks that stand in a text, in the order of CONTROL_MARKS."""
    return [mark for mark in CONTROL_MARKS if mark in text]


def count_images(turns: Iterable[Turn]) -> int:
    """How many `<image>` marks the turns hold."""
    return sum(turn.text.count(IMAGE) for turn in turns)


def _segment(turn: Turn) -> Segment:
    if turn.role == "model":
        return Segment(turn.text + TURN_END + EOS, supervised=True)
    return Segment(START_OF_TURN + "user" + NEWLINE + turn.text + TURN_END + MODEL_HEADER, supervised=False)
