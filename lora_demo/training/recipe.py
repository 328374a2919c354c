"""What a run is, typed: every field has one place, a wrong one is refused before anything is loaded."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from lora_demo.data.nano_grid import Family
from lora_demo.methods.errors import MethodError
from lora_demo.methods.registry import METHODS
from lora_demo.models.presets import PRESETS
from lora_demo.training.adaptive_rank import AdaptiveRankPart
from lora_demo.training.optimizers import Implementation
from lora_demo.training.schedule import Shape

TOWER_NAMES = ("vision_tower", "vision_tower_aux")
Fraction = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A part of a recipe: unknown fields are refused, values cannot change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPart(Part):
    """Which model, with which weights.

    weights    "random", "shipped" (mgm-nano's base), or a folder
    tokenizer  folder with the tokenizer; the built-in one for mgm-nano
    dtype      of the frozen weights and of what is trained
    """

    preset: str = "mgm-nano"
    weights: str = "shipped"
    tokenizer: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _check(self) -> ModelPart:
        if self.preset not in PRESETS:
            raise ValueError(f"preset {self.preset!r} does not exist; there are {', '.join(PRESETS)}")
        if self.weights == "shipped" and self.preset != "mgm-nano":
            raise ValueError(f"no weights of {self.preset} are shipped; set weights to a folder, or to random")
        if self.preset != "mgm-nano" and self.tokenizer is None and self.weights == "random":
            raise ValueError(f"{self.preset} with random weights needs a tokenizer folder")
        return self


class NanoData(Part):
    """Digit grids; `images` pictures with `questions` questions each, `rounds` of them in one conversation.

    `captions` adds to each picture a question whose answer describes all of it.
    With cache_features a picture's conversations come together and share its image tokens; `batch` counts pictures.
    """

    kind: Literal["nano"]
    family: Family = "a"
    images: PositiveInt = 1000
    questions: PositiveInt = 6
    rounds: PositiveInt = 1
    captions: bool = False
    seed: int = 1


class CellData(Part):
    """Digit grids for the towers' own pretraining; `plain` is the share of pictures in family A's look."""

    kind: Literal["cells"]
    images: PositiveInt = 1000
    plain: Fraction = 0.7
    seed: int = 2


class FolderData(Part):
    """A LLaVA-style file, its image folder, and the same for evaluation if there is one."""

    kind: Literal["folder"]
    file: str
    images: str
    evaluation_file: str | None = None


DataPart = Annotated[NanoData | CellData | FolderData, Field(discriminator="kind")]


class MethodPart(BaseModel):
    """What is trained: a method's name and its own settings, as `lora_demo.methods.registry` knows them.

    projectors  train mining and projector too; full fine-tuning always does
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    projectors: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _check(self) -> MethodPart:
        if self.name == "towers":
            return self
        if self.name not in METHODS:
            raise MethodError(f"no method {self.name!r}; there are: {', '.join([*METHODS, 'towers'])}")
        known = list(inspect.signature(METHODS[self.name].apply).parameters)[1:]
        if unknown := sorted(set(self.settings) - set(known)):
            raise MethodError(f"{self.name} has no setting {unknown[0]!r}; it has: {', '.join(known) or 'none'}")
        self._refuse_towers()
        return self

    def _refuse_towers(self) -> None:
        targets = self.settings.get("targets", ())
        for target in [targets] if isinstance(targets, str) else targets:
            if any(tower in target for tower in TOWER_NAMES):
                raise MethodError(f"target {target!r} names a vision tower; both towers stay frozen in MGM")


class OptimizerPart(Part):
    """AdamW; see `lora_demo.training.optimizers`."""

    lr: PositiveFloat
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    implementation: Implementation = "foreach"


class SchedulePart(Part):
    """Learning rate over the run; see `lora_demo.training.schedule`."""

    shape: Shape = "cosine"
    warmup: Fraction = 0.03
    floor: Fraction = 0.0


class EvaluationPart(Part):
    """Every `every` steps and at the end, on the first `rows` rows of the validation data.

    patience  stop after so many evaluations without a better accuracy; None: never
    """

    every: PositiveInt | None = None
    rows: PositiveInt = 300
    batch: PositiveInt = 100
    patience: PositiveInt | None = None

    @model_validator(mode="after")
    def _check(self) -> EvaluationPart:
        if self.patience is not None and self.every is None:
            raise ValueError("patience counts evaluations during the run; set evaluation.every")
        return self


class SavePart(Part):
    """A checkpoint every `every` steps, besides the last one; the `keep` newest stay, and always the best."""

    every: PositiveInt | None = None
    keep: PositiveInt = 2


class Recipe(Part):
    """One run from start to end.

    before            recipe to run first, whose model this one goes on with
    batch             rows per update, over all processes and micro-batches: the result does not depend on how it is cut
    micro_batch       rows per forward on one process; None: all of the process's share at once
    precision         "bf16" computes under autocast, whatever dtype the weights have
    adaptive_rank     where AdaLoRA's ranks go; None leaves all of them
    supervised_only   logits only where the next token counts
    cache_features    run the frozen towers once per picture and keep what they say in memory (nano data)
    workers           processes that load batches ahead; 0 loads in the training process
    threads           CPU threads of PyTorch; None leaves them as they are
    """

    name: str = ""
    about: str
    before: str | None = None
    seed: int = 0
    model: ModelPart = ModelPart()
    data: DataPart
    method: MethodPart
    optimizer: OptimizerPart
    schedule: SchedulePart = SchedulePart()
    steps: PositiveInt
    batch: PositiveInt
    micro_batch: PositiveInt | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    clip_norm: PositiveFloat | None = 1.0
    adaptive_rank: AdaptiveRankPart | None = None
    supervised_only: bool = True
    cache_features: bool = False
    evaluation: EvaluationPart = EvaluationPart()
    save: SavePart = SavePart()
    threads: PositiveInt | None = None
    workers: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if self.micro_batch is not None and self.micro_batch > self.batch:
            raise ValueError(f"micro_batch {self.micro_batch} is larger than batch {self.batch}; cut one or the other")
        if self.cache_features and not isinstance(self.data, NanoData):
            raise ValueError(f"cache_features works on nano data, not on {self.data.kind!r}; set it to false")
        if self.adaptive_rank is not None and self.method.name != "adalora":
            raise ValueError(f"adaptive_rank belongs to method adalora, not to {self.method.name}; remove one of them")
        if (self.method.name == "towers") != isinstance(self.data, CellData):
            raise ValueError("method towers and data kind cells belong together: use both or neither")
        if self.before is not None and self.model.weights != "random":
            raise ValueError(
                f"weights {self.model.weights!r} would replace the model of {self.before!r}; set them to random"
            )
        if isinstance(self.data, NanoData | CellData) and self.model.preset != "mgm-nano":
            raise ValueError(f"nano pictures fit mgm-nano, not {self.model.preset}; use data kind folder")
        return self
