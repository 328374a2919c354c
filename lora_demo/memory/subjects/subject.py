"""What is traced: a model on the meta device and batches for it, with the interface of our training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lora_demo.memory.subjects.peft_inputs import acts_on_the_prompt, task_inputs
from lora_demo.models.chunked_loss import chunked_next_token_loss, headless
from lora_demo.models.config import MGMConfig
from lora_demo.models.loss import as_index, gather_positions, next_token_loss
from lora_demo.models.spliced import SplicedModel
from lora_demo.training.step import MicroBatch

IGNORED = -100
IMAGE = -200
WORD = 7  # any ordinary token id
MOST_ROWS = 1 << 16
MOST_POSITIONS = 1 << 20
"""Of one row."""
MOST_IN_BATCH = 1 << 22
"""Positions of all rows: each is laid out on the host before anything is traced."""
POSITION_TABLES = ("wpe", "embed_positions", "position_embeddings")


class SubjectError(ValueError):
    """A batch or length that cannot be traced; the message names the setting."""


@dataclass(frozen=True)
class Size:
    """batch rows, positions per row (image tokens included) and supervised positions per row (None: all that can)."""

    batch: int
    length: int
    supervised: int | None = None

    def __post_init__(self) -> None:
        bounds = {"batch": (self.batch, MOST_ROWS), "seq": (self.length, MOST_POSITIONS)}
        if self.supervised is not None:
            bounds["selected-logits"] = (self.supervised, MOST_POSITIONS)
        for name, (value, most) in bounds.items():
            if not 1 <= value <= most:
                raise SubjectError(f"{name}={value}: must be at least 1 and at most {most}")
        if self.batch * self.length > MOST_IN_BATCH:
            raise SubjectError(
                f"batch={self.batch}, seq={self.length}: a batch of {self.batch * self.length} positions is not "
                f"traced; take at most {MOST_IN_BATCH}, the peak grows evenly from there"
            )


@runtime_checkable
class Subject(Protocol):
    """A model to trace, and its batches."""

    vocabulary: int

    @property
    def model(self) -> nn.Module: ...

    @property
    def language_model(self) -> nn.Module: ...

    def replace_language_model(self, adapted: nn.Module) -> None:
        """Put a wrapped language model (PEFT returns one) in the old one's place."""
        ...

    def micro_batch(self, size: Size) -> MicroBatch: ...


@dataclass
class LossOutput:
    loss: Tensor
    logits: Tensor


class LanguageModelWithLoss(nn.Module):
    """A transformers causal LM under our loss: logits at chosen positions only, if asked to."""

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(
        self,
        input_ids: Tensor,
        places: list[tuple[int, int]],
        supervised_only: bool = False,
        denominator: float | None = None,
        loss_chunk: int | None = None,
    ) -> LossOutput:
        """`places`: (row, position) whose next token counts; `loss_chunk`: form the loss so many of them at a time."""
        rows, columns = (as_index(list(part), input_ids.device) for part in zip(*places, strict=True))
        targets = input_ids.new_empty((len(places),))
        extra = task_inputs(self.language_model, input_ids.shape[0])
        if loss_chunk is not None:
            head = self.language_model.get_output_embeddings()
            with headless(head):
                hidden = self.language_model(input_ids=input_ids, use_cache=False, **extra).logits
            chosen = gather_positions(hidden, rows, columns)
            loss = chunked_next_token_loss(chosen, head, targets, denominator, chunk=loss_chunk)
            return LossOutput(loss, chosen.new_empty(0))
        if supervised_only:
            if prompt := acts_on_the_prompt(self.language_model):
                raise SubjectError(
                    f"--selected-logits: PEFT's {prompt} works on the inputs; predict it with whole logits"
                )
            model = getattr(self.language_model, "get_base_model", lambda: self.language_model)()
            hidden = model.model(input_ids=input_ids, use_cache=False).last_hidden_state
            logits = chosen = model.lm_head(gather_positions(hidden, rows, columns))
        else:
            logits = self.language_model(input_ids=input_ids, use_cache=False, **extra).logits
            chosen = gather_positions(logits, rows, columns)
        return LossOutput(next_token_loss(chosen, targets, denominator), logits)


class TextSubject:
    """A causal language model on the meta device, text only."""

    def __init__(self, language_model: Any) -> None:
        self.model = LanguageModelWithLoss(language_model)
        self.vocabulary = language_model.config.vocab_size

    @property
    def language_model(self) -> nn.Module:
        return self.model.language_model

    def replace_language_model(self, adapted: nn.Module) -> None:
        self.model.language_model = adapted

    def micro_batch(self, size: Size) -> MicroBatch:
        if size.length < 2:
            raise SubjectError(f"seq={size.length}: no position has a next one; use at least 2")
        count = _supervised(size, size.length - 1)
        places = [(row, size.length - 1 - count + i) for row in range(size.batch) for i in range(count)]
        ids = torch.empty((size.batch, size.length), dtype=torch.long, device="meta")
        return MicroBatch({"input_ids": ids, "places": places}, terms=len(places))


class PlannedSubject:
    """A model that is trained through a plan, on the meta device: MGM, or a language model alone.

    Each row is bos, one image where the model sees, text, of which the last positions are the answer.
    """

    def __init__(self, model: SplicedModel) -> None:
        self.model = model
        self.config = model.config
        self.vocabulary = model.config.llm.vocab_size

    @property
    def language_model(self) -> nn.Module:
        return self.model.language_model

    def replace_language_model(self, adapted: nn.Module) -> None:
        self.model.language_model = adapted

    def micro_batch(self, size: Size) -> MicroBatch:
        """Raises SubjectError for rows that the model would cut, or that have no room for an answer."""
        most = self.config.splice.max_length
        if most is not None and size.length > most:
            raise SubjectError(
                f"seq={size.length}: {self.config.name} cuts rows at {most} positions (splice.max_length); "
                f"use at most {most}"
            )
        text = size.length - self.config.image_tokens
        if text < 3:
            raise SubjectError(
                f"seq={size.length}: T counts the {self.config.image_tokens} image tokens too; use at least "
                f"{self.config.image_tokens + 3}"
            )
        count = _supervised(size, text - 1)
        sees = isinstance(self.config, MGMConfig)
        row = [2, *([IMAGE] if sees else [])] + [WORD] * (text - 1)
        labels = [IGNORED] * (len(row) - count) + [WORD] * count
        ids = torch.tensor([row] * size.batch)
        images = size.batch if sees else None
        plan = self.model.plan(ids, torch.ones_like(ids), torch.tensor([labels] * size.batch), images=images)
        return MicroBatch({**self._pictures(size.batch), "input_ids": ids.to("meta"), "plan": plan}, size.batch * count)

    def _pictures(self, batch: int) -> dict[str, Tensor]:
        if not isinstance(self.config, MGMConfig):
            return {}
        dtype = next(self.model.parameters()).dtype
        small, large = self.config.clip.image_size, self.config.aux.image_size
        return {
            "images": torch.empty((batch, 3, small, small), dtype=dtype, device="meta"),
            "images_aux": torch.empty((batch, 3, large, large), dtype=dtype, device="meta"),
        }


def learned_positions(language_model: nn.Module) -> int | None:
    """Rows of a learned table of positions, the most that a sequence can have; None where positions are computed."""
    for name, module in language_model.named_modules():
        if isinstance(module, nn.Embedding) and name.rsplit(".", 1)[-1] in POSITION_TABLES:
            # OPT's table begins with rows that no position uses.
            return module.num_embeddings - int(getattr(module, "offset", 0))
    return None


def _supervised(size: Size, most: int) -> int:
    if size.supervised is None:
        return most
    if size.supervised > most:
        raise SubjectError(f"selected-logits={size.supervised}: a row of {size.length} has at most {most} positions")
    return size.supervised
