"""Rows of random words, around one random picture where the model sees: what is measured when no data is at hand.

Memory and speed depend on sizes, not on values; a loss on random words says nothing and is not meant to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lora_demo.data.items import DataError
from lora_demo.models.config import MGMConfig, TextConfig
from lora_demo.training.recipes.recipe_data import SyntheticData

FEWEST_TEXT = 3
"""bos, a prompt and one answer token."""


class SyntheticSource:
    """Every row: bos, one picture if the model sees, words; the last `supervised` of them are the answer.

    A row is a function of its number and the seed.
    """

    def __init__(self, data: SyntheticData, config: MGMConfig | TextConfig) -> None:
        self.data, self.config = data, config
        self.words, self.answer = sizes(data, config)

    def __len__(self) -> int:
        return self.data.rows

    def inputs(self, indices: Sequence[int]) -> Mapping[str, Any]:
        rows = [self._row(index) for index in indices]
        together = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        return {**together, "attention_mask": torch.ones_like(together["input_ids"], dtype=torch.bool)}

    def group(self, index: int) -> str:
        return "all"

    def encoded_length(self, index: int) -> int:
        return self.words + 2

    def _row(self, index: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(self.data.seed * 1_000_003 + index)
        llm, splice = self.config.llm, self.config.splice
        words = torch.randint(3, llm.vocab_size, (self.words,), generator=generator)
        picture = [splice.image_token_index] if isinstance(self.config, MGMConfig) else []
        ids = torch.cat([torch.tensor([llm.bos_token_id, *picture]), words])
        labels = torch.full_like(ids, splice.ignore_index)
        labels[-self.answer :] = ids[-self.answer :]
        text = {"input_ids": ids, "labels": labels}
        if not isinstance(self.config, MGMConfig):
            return text
        small, large = self.config.clip.image_size, self.config.aux.image_size
        return {
            **text,
            "images": torch.randn(3, small, small, generator=generator),
            "images_aux": torch.randn(3, large, large, generator=generator),
        }


def sizes(data: SyntheticData, config: MGMConfig | TextConfig) -> tuple[int, int]:
    """(words after bos and picture, supervised ones). Raises DataError for a length that cannot be."""
    longest = config.most_positions
    fewest = config.image_tokens + FEWEST_TEXT
    if not fewest <= data.length <= longest:
        raise DataError(
            f"data.length {data.length}: {config.name} takes {fewest} to {longest} positions, "
            f"its {config.image_tokens} image tokens included"
        )
    words = _words(data.length, config)
    answer = words if data.supervised is None else data.supervised
    if answer > words:
        raise DataError(
            f"data.supervised {answer}: a row of {data.length} positions has {words} words beside its "
            f"{config.image_tokens} image tokens; take {words} or fewer, or a length of {data.length + answer - words}"
        )
    return words, answer


def fitting(supervised: int | None, length: int, config: MGMConfig | TextConfig) -> int | None:
    """As many supervised positions as a row of this length has words, `supervised` at most.

    None stays every word, and is what comes of a length without any words, which `sizes` refuses.
    """
    words = _words(length, config)
    return None if supervised is None or words < 1 else min(supervised, words)


def _words(length: int, config: MGMConfig | TextConfig) -> int:
    """Positions of a row after bos and picture."""
    return length - config.image_tokens - 1
