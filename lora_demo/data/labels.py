"""From turns to token ids and labels: what the loss counts and what it ignores.

    ids    = bos · [user turn + model header] · [answer + <end_of_turn>⏎<eos>] · ...
    labels = -100   -100 ...                    the ids themselves               ...

Each segment is tokenised on its own, and the text around a picture in separate chunks, so no merge of the tokenizer
crosses the border between question and answer or the place of the picture. The public MGM code finds the same spans
by tokenising every round a second time and counting; the test holds the two constructions against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lora_demo.data.template import IMAGE, Segment, Turn, segments
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.models.config import SpliceConfig

IMAGE_ID = SpliceConfig.image_token_index
"""Stands in input_ids where the image's vectors will be put; no vocabulary has it."""
IGNORE = SpliceConfig.ignore_index
"""The label that the cross-entropy skips."""


@dataclass(frozen=True)
class Encoded:
    """ids and labels of one conversation, equally long, before the image placeholder is expanded."""

    input_ids: list[int]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def supervised(self) -> int:
        """How many positions the loss counts."""
        return sum(label != IGNORE for label in self.labels)

    def length_with_images(self, image_tokens: int) -> int:
        """Positions after every placeholder has become `image_tokens` vectors."""
        return len(self) + self.input_ids.count(IMAGE_ID) * (image_tokens - 1)

    def cut(self, max_length: int | None) -> Encoded:
        """The first `max_length` positions; the model cuts once more, after expansion."""
        return Encoded(self.input_ids[:max_length], self.labels[:max_length])


def encode(turns: Sequence[Turn], tokenizer: TextTokenizer, *, max_length: int | None = None) -> Encoded:
    """ids and labels of a conversation for training."""
    ids, labels = [tokenizer.bos], [IGNORE]
    for segment in segments(turns):
        piece = _segment_ids(segment, tokenizer)
        ids += piece
        labels += piece if segment.supervised else [IGNORE] * len(piece)
    return Encoded(ids, labels).cut(max_length)


def prompt_ids(turns: Sequence[Turn], tokenizer: TextTokenizer) -> list[int]:
    """ids that end with the model header, ready for generation; the last turn must be the user's."""
    if not turns or turns[-1].role != "user":
        raise ValueError("a prompt ends with a user turn; this conversation ends with an answer or is empty")
    return encode(turns, tokenizer).input_ids


def _segment_ids(segment: Segment, tokenizer: TextTokenizer) -> list[int]:
    ids: list[int] = []
    for index, chunk in enumerate(segment.text.split(IMAGE)):
        ids += [IMAGE_ID] * (index > 0) + tokenizer.encode(chunk)
    return ids
