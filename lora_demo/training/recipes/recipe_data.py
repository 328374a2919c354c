"""Which data a run learns from, typed; every kind says what its rows are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from lora_demo.data.nano_grid import Family

Fraction = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A part of a recipe: unknown fields are refused, values cannot change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NanoData(Part):
    """Digit grids; `images` pictures with `questions` questions each, `rounds` of them in one conversation.

    `told` adds to each picture what stands in some of its cells (`nano_questions.tell`).
    With cache_features a picture's conversations come together and share its image tokens; `batch` counts pictures.
    """

    kind: Literal["nano"]
    family: Family = "a"
    images: PositiveInt = 1000
    questions: PositiveInt = 6
    rounds: PositiveInt = 1
    told: bool = False
    seed: int = 1


class CellData(Part):
    """Digit grids for the towers' own pretraining; `plain` is the share of pictures in family A's look."""

    kind: Literal["cells"]
    images: PositiveInt = 1000
    plain: Fraction = 0.7
    seed: int = 2


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
    length: PositiveInt = 1024
    supervised: PositiveInt | None = 128
    rows: PositiveInt = 64
    seed: int = 0

    @model_validator(mode="after")
    def _check(self) -> SyntheticData:
        if self.supervised is not None and self.supervised >= self.length:
            raise ValueError(f"supervised {self.supervised} must be less than length {self.length}")
        return self


DataPart = Annotated[NanoData | CellData | FolderData | SyntheticData, Field(discriminator="kind")]
