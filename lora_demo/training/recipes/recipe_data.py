"""Which data a run learns from, typed; every kind says what its rows are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lora_demo.data.nano_grid import CELLS, Family
from lora_demo.data.nano_questions import candidates

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Part(BaseModel):
    """A part of a recipe: unknown fields are refused, values cannot change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def fewest_candidates(family: Family) -> int:
    """How many questions every picture has at least: fewest on one with no single largest digit."""
    return len(candidates((1,) * CELLS, family))


class NanoData(Part):
    """Digit grids; `images` pictures with `questions` questions each, `rounds` of them in one conversation.

    `told` adds to each picture what stands in some of its cells (`nano_questions.tell`).
    With cache_features a picture's conversations come together and share its image tokens; `batch` counts pictures.
    """

    kind: Literal["nano"]
    family: Family = "a"
    images: Count = 1000
    questions: Count = 6
    rounds: Count = 1
    told: bool = False
    seed: Seed = 1

    @model_validator(mode="after")
    def _check(self) -> NanoData:
        if self.questions > (most := fewest_candidates(self.family)):
            raise ValueError(f"questions {self.questions}: a picture of family {self.family} offers {most}; ask fewer")
        if self.questions % self.rounds:
            raise ValueError(f"questions {self.questions} cannot be cut into rounds of {self.rounds}; take a divisor")
        return self


class CellData(Part):
    """Digit grids for the towers' own pretraining; `plain` is the share of pictures in family A's look."""

    kind: Literal["cells"]
    images: Count = 1000
    plain: Fraction = 0.7
    seed: Seed = 2


class FolderData(Part):
    """A LLaVA-style file, its image folder, and the same for evaluation if there is one.

    features  folder for what the frozen towers say about each picture, with cache_features
    """

    kind: Literal["folder"]
    file: str
    images: str
    evaluation_file: str | None = None
    features: str | None = None


class SyntheticData(Part):
    """Random words around one random picture per row, for measuring: memory and speed do not depend on values.

    length      positions per row, image tokens included
    supervised  how many of them, at the end, count in the loss; None: every text position that can
    rows        how many different rows there are
    """

    kind: Literal["synthetic"]
    length: Count = 1024
    supervised: Count | None = 128
    rows: Count = 64
    seed: Seed = 0

    @model_validator(mode="after")
    def _check(self) -> SyntheticData:
        if self.supervised is not None and self.supervised >= self.length:
            raise ValueError(f"supervised {self.supervised} must be less than length {self.length}")
        return self


DataPart = Annotated[NanoData | CellData | FolderData | SyntheticData, Field(discriminator="kind")]
