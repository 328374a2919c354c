"""How the shipped nano tokenizer was made: byte-level BPE over the language of digit grids.

The 256 byte symbols make every text encodable, so no input ends in `<unk>`. Digits stay single tokens, as in Gemma,
and so does the line break. The merges are learned from word lists, each word weighted alike: a word of the nano
questions costs one or two tokens. Training is deterministic; a test trains again and compares with the shipped file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from lora_demo.data.template import END_OF_TURN, NEWLINE, START_OF_TURN
from lora_demo.data.tokenizer import FIXED_IDS

VOCABULARY = 512
"""Rows of mgm-nano's embedding."""

STARTERS = ["Which", "What", "How", "Is", "Are", "Where", "Does"]
"""They open a question: no space in front."""
ANSWERS = ["yes", "no", "none", "user", "model"]
"""They follow a line break or a turn mark: no space in front."""
WORDS = """
which digit digits stands is are in the of a an and there row column how many what where at
largest smallest sum number times most often even odd empty cells grid image picture
left right above below top bottom middle centre corner than more or
rotated turned upside down degrees inverted inversion normal colour dark light black white noise noisy shifted
does it this with first last between same each line all not how what which grey
"""
"""Words of the nano questions, each learned with the space in front of it."""
WEIGHT = 100


def train(corpus: Iterable[str] = ()) -> Tokenizer:
    """A tokenizer with Gemma's special tokens and ids 0-3; `corpus` adds lines to the built-in word lists."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        show_progress=False,
        special_tokens=[*FIXED_IDS, START_OF_TURN, END_OF_TURN, NEWLINE],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator([*_built_in_lines(), *corpus], trainer)
    return _with_visible_newline(tokenizer)


def as_json(tokenizer: Tokenizer) -> str:
    """The shipped file's exact text."""
    return tokenizer.to_str(pretty=True) + "\n"


def _with_visible_newline(tokenizer: Tokenizer) -> Tokenizer:
    """The trainer makes every reserved token special; a line break is text and must survive decoding."""
    content = json.loads(tokenizer.to_str())
    for token in content["added_tokens"]:
        token["special"] = token["content"] != NEWLINE
    return Tokenizer.from_str(json.dumps(content))


def _built_in_lines() -> list[str]:
    """Each word as it meets the tokenizer, all alike often: a rare question is as short as a frequent one."""
    return [*STARTERS, *ANSWERS, *(f" {word}" for word in dict.fromkeys(WORDS.split()))] * WEIGHT
