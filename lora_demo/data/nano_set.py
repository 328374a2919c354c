"""The nano data set: digit grids with questions, made in memory as batches, or written out as a LLaVA-style folder.

Row i is one conversation about one picture. Both ways give the same tensors: `batch` paints many pictures at once and
normalises them directly; the folder goes through Pillow and the loader that real data uses. A test compares them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from lora_demo.data.collate import Batch, Collator, Sample
from lora_demo.data.labels import Encoded, encode
from lora_demo.data.nano_digits import Split
from lora_demo.data.nano_grid import Family, Plan, draw, paint
from lora_demo.data.nano_questions import Question, choose, tell
from lora_demo.data.template import IMAGE, NEWLINE, Turn
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.data.views import MEAN, STD, ViewMaker, Views
from lora_demo.results.store import write_atomically


class NanoSet:
    """`images` pictures with `questions` questions each.

    rounds    questions per conversation: all of a picture's (default) share its image tokens and make training cheap;
              1 asks each on its own, which is how a test asks
    told      adds what stands in some cells of each picture (`nano_questions.tell`), one per conversation; for training
    """

    def __init__(
        self,
        split: Split,
        family: Family,
        *,
        images: int,
        questions: int,
        tokenizer: TextTokenizer,
        views: ViewMaker,
        rounds: int | None = None,
        told: bool = False,
        seed: int = 0,
    ) -> None:
        self.rounds = rounds or questions
        if images < 1 or questions < 1 or questions % self.rounds:
            raise ValueError(f"{questions} questions for {images} pictures cannot be cut into rounds of {self.rounds}")
        self.plan: Plan = draw(images, split, family, seed)
        self.questions: list[list[Question]] = choose(self.plan.classes.tolist(), family, questions, seed)
        self._conversations = questions // self.rounds
        self.told: list[list[Question]] = self._tell(seed) if told else [[] for _ in self.questions]
        self.per_image = self._conversations + len(self.told[0])
        self.name = f"nano-{family}-{split}-{seed}"
        self._tokenizer, self._views, self._known = tokenizer, views, {}

    def __len__(self) -> int:
        return len(self.plan) * self.per_image

    def picture_of(self, index: int) -> int:
        """Which picture row `index` is about; rows of one picture share it."""
        return index // self.per_image

    @property
    def pictures(self) -> int:
        return len(self.plan)

    def asked(self, index: int) -> list[Question]:
        """The questions of row `index`."""
        picture, place = divmod(index, self.per_image)
        if place >= self._conversations:
            return [self.told[picture][place - self._conversations]]
        return self.questions[picture][place * self.rounds : (place + 1) * self.rounds]

    def _tell(self, seed: int) -> list[list[Question]]:
        dice = random.Random(seed)
        return [tell(cells, dice) for cells in self.plan.classes.tolist()]

    def group(self, index: int) -> str:
        """The kind of the row's first question; evaluation reports accuracy by it."""
        return self.asked(index)[0].kind

    def turns(self, index: int) -> list[Turn]:
        first, *others = self.asked(index)
        turns = [Turn("user", IMAGE + NEWLINE + first.text), Turn("model", first.answer)]
        for question in others:
            turns += [Turn("user", question.text), Turn("model", question.answer)]
        return turns

    def encoded(self, index: int) -> Encoded:
        """Ids and labels of row `index`; kept, because every pass over the data needs them again."""
        if index not in self._known:
            self._known[index] = encode(self.turns(index), self._tokenizer)
        return self._known[index]

    def views(self, pictures: Sequence[int]) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 l l"]]:
        """(small, large) of the pictures with these numbers."""
        grey = paint(self.plan, torch.tensor(pictures, dtype=torch.long), self._views.large)
        return normalised_views(grey, self._views)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The rows with these indices, padded on the right."""
        small, large = self.views([self.picture_of(i) for i in indices])
        samples = [Sample(self.encoded(i), Views(small[k], large[k])) for k, i in enumerate(indices)]
        return Collator(self._tokenizer.pad, self._views)(samples)

    def text_batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The rows without their pictures, for a model that has seen those before."""
        samples = [Sample(self.encoded(i)) for i in indices]
        padded = Collator(self._tokenizer.pad, ViewMaker(1, 1))(samples)
        return {
            "input_ids": padded["input_ids"],
            "labels": padded["labels"],
            "attention_mask": padded["attention_mask"],
        }

    def picture(self, number: int) -> Image.Image:
        """Picture `number` as the file that the folder would hold."""
        grey = paint(self.plan, torch.tensor([number]), self._views.large)[0]
        return Image.fromarray(grey.numpy()).convert("RGB")

    def items(self) -> Iterator[dict[str, Any]]:
        """The rows as LLaVA-style items."""
        for index in range(len(self)):
            turns = [
                {"from": "human" if turn.role == "user" else "gpt", "value": turn.text} for turn in self.turns(index)
            ]
            yield {"id": f"{self.name}-{index}", "image": file_name(self.picture_of(index)), "conversations": turns}

    def export(self, folder: Path) -> Path:
        """Write `images/*.png` and `data.json`; returns the JSON file."""
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for number in range(self.pictures):
            self.picture(number).save(folder / "images" / file_name(number))
        write_atomically(folder / "data.json", json.dumps(list(self.items()), indent=1) + "\n")
        return folder / "data.json"


def file_name(picture: int) -> str:
    return f"{picture:06d}.png"


def normalised_views(
    grey: UInt8[Tensor, "b l l"], views: ViewMaker
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 l l"]]:
    """(small, large) of grey pictures that have the large view's size already: bit for bit what ViewMaker makes."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    scaled = (grey[:, None].double() * (1 / 255)).float()
    large = (scaled - mean) / std
    side = (views.small, views.small)
    return F.interpolate(large, size=side, mode="bilinear", align_corners=False), large
