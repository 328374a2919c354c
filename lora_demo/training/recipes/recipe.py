"""What a run is, typed: every field has one place, a wrong one is refused before anything is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator, model_validator

from lora_demo.methods.errors import MethodError
from lora_demo.methods.registry import METHODS
from lora_demo.models.chunked_loss import Kernel, has_torch_kernel
from lora_demo.models.config import LLMConfig
from lora_demo.models.presets import PRESETS
from lora_demo.models.towers import TOWERS
from lora_demo.training.engine.adaptive_rank import AdaptiveRankPart
from lora_demo.training.engine.optimizers import Implementation
from lora_demo.training.engine.schedule import Shape
from lora_demo.training.recipes import method_settings
from lora_demo.training.recipes.recipe_data import (
    CellData,
    Count,
    DataPart,
    FolderData,
    Fraction,
    NanoData,
    Part,
    Seed,
    SyntheticData,
)

Dtype = Literal["float32", "bfloat16"]
UNPACKED_ONLY = ("full", "bitfit", "layernorm", "pissa")
"""Methods that train or rewrite the base's own weights, which a packed base does not have."""


class ModelPart(Part):
    """Which model, with which weights.

    weights         "random", "shipped" (mgm-nano's base), or a folder
    tokenizer       folder with the tokenizer; None: the weights' folder, or the built-in one for mgm-nano
    dtype           of the weights
    nf4             pack the language model's linear layers into 4 bits: with our own code, or bitsandbytes' kernels
    attention_bias  give the attention's linear layers biases of zero, so that BitFit has something to train
    """

    preset: str = "mgm-nano"
    weights: str = "shipped"
    tokenizer: str | None = None
    dtype: Dtype = "float32"
    nf4: Literal["own", "bitsandbytes"] | None = None
    attention_bias: bool = False

    @model_validator(mode="after")
    def _check(self) -> ModelPart:
        if self.preset not in PRESETS:
            raise ValueError(f"preset {self.preset!r} does not exist; there are {', '.join(PRESETS)}")
        if self.weights == "shipped" and self.preset != "mgm-nano":
            raise ValueError(f"no weights of {self.preset} are shipped; set weights to a folder, or to random")
        return self


class MethodPart(BaseModel):
    """What is trained: a method's name and its own settings, as `lora_demo.methods.registry` knows them.

    projectors  train mining and projector too; full fine-tuning always does
    dtype       of the adapter, where the method adds one: float32 as in PEFT, bfloat16 for half the bytes
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    projectors: bool = False
    dtype: Dtype = "float32"

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
        for setting, value in self.settings.items():
            if wrong := method_settings.problem(self.name, setting, value):
                raise MethodError(f"method.{wrong}")
        if self.dtype != "float32" and "dtype" not in known:
            raise MethodError(
                f"{self.name} adds no parameters of its own dtype; set model.dtype instead of method.dtype"
            )
        for tower in TOWERS:
            if self.names_target(tower):
                raise MethodError(f"a target names a vision tower ({tower}); both towers stay frozen in MGM")
        return self

    def names_target(self, part: str) -> bool:
        """Whether a target contains these words."""
        targets = self.settings.get("targets", ())
        return any(part in target for target in ([targets] if isinstance(targets, str) else targets))


Decay = Annotated[float, Field(ge=0, lt=1)]
LARGEST_RATE = 1e6


class OptimizerPart(Part):
    """AdamW; see `lora_demo.training.engine.optimizers`."""

    lr: PositiveFloat
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    implementation: Implementation = "foreach"

    @field_validator("lr")
    @classmethod
    def _check(cls, lr: float) -> float:
        if lr > LARGEST_RATE:
            raise ValueError(f"{lr:g} would move every weight by about as much per update; usual are 1e-5 to 1e-2")
        return lr


class SchedulePart(Part):
    """Learning rate over the run; see `lora_demo.training.engine.schedule`."""

    shape: Shape = "cosine"
    warmup: Fraction = 0.03
    floor: Fraction = 0.0


class EvaluationPart(Part):
    """Every `every` steps and at the end, on the first `rows` rows of the validation data.

    patience  stop after so many evaluations without a better accuracy; None: never
    """

    every: Count | None = None
    rows: Count = 300
    batch: Count = 100
    patience: Count | None = None

    @model_validator(mode="after")
    def _check(self) -> EvaluationPart:
        if self.patience is not None and self.every is None:
            raise ValueError("patience counts evaluations during the run; set evaluation.every")
        return self


class SavePart(Part):
    """A checkpoint every `every` steps, besides the last one; the `keep` newest stay, and always the best."""

    every: Count | None = None
    keep: Count = 2


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
    tensorboard       write the metrics as TensorBoard events too
    """

    name: str = ""
    about: str
    before: str | None = None
    seed: Seed = 0
    model: ModelPart = ModelPart()
    data: DataPart
    method: MethodPart
    optimizer: OptimizerPart
    schedule: SchedulePart = SchedulePart()
    steps: Count
    batch: Count
    micro_batch: Count | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    clip_norm: PositiveFloat | None = 1.0
    adaptive_rank: AdaptiveRankPart | None = None
    supervised_only: bool = True
    loss_chunk: Count | None = None
    loss_kernel: Kernel = "own"
    checkpointing: bool = False
    feedforward_tile: Count | None = None
    mining: Literal["folded", "direct"] = "folded"
    cache_features: bool = False
    evaluation: EvaluationPart = EvaluationPart()
    save: SavePart = SavePart()
    threads: Annotated[int, Field(gt=0, le=1024)] | None = None
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    tensorboard: bool = False

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name in (".", "..") or any(mark in name for mark in "/\\\0"):
            raise ValueError(f"{name!r} names the run's folder and can be no path; choose the place with --out")
        return name

    @property
    def in_bfloat16(self) -> bool:
        """Whether the step multiplies bfloat16 numbers."""
        return self.model.dtype == "bfloat16" or self.precision == "bf16"

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        for contradiction in (*self._in_data(), *self._in_method(), *self._in_savers()):
            raise ValueError(contradiction)
        return self

    def _in_data(self) -> Iterator[str]:
        if self.micro_batch is not None and self.micro_batch > self.batch:
            yield f"micro_batch {self.micro_batch} is larger than batch {self.batch}; cut one or the other"
        if (self.method.name == "towers") != isinstance(self.data, CellData):
            yield "method towers and data kind cells belong together: use both or neither"
        if self.before is not None and self.model.weights != "random":
            yield f"weights {self.model.weights!r} would replace the model of {self.before!r}; set them to random"
        if isinstance(PRESETS[self.model.preset], LLMConfig):
            yield from self._without_images()
        elif isinstance(self.data, NanoData | CellData) and self.model.preset != "mgm-nano":
            yield f"nano pictures fit mgm-nano, not {self.model.preset}; use data kind folder"
        if self.cache_features and not isinstance(self.data, NanoData | FolderData):
            yield f"cache_features works on nano and folder data, not on {self.data.kind!r}; set it to false"
        if self.cache_features and isinstance(self.data, FolderData) and self.data.features is None:
            yield "cache_features keeps the features of folder data on disk: name a folder in data.features"

    def _without_images(self) -> Iterator[str]:
        name = self.model.preset
        if not isinstance(self.data, SyntheticData) or self.model.weights != "random":
            yield f"{name} is measured only: take data kind synthetic and weights random, or preset mgm-2b to train"
        if self.method.projectors:
            yield f"{name} sees no images and has no projectors; set method.projectors to false"

    def _in_method(self) -> Iterator[str]:
        name = self.method.name
        if self.adaptive_rank is not None and name != "adalora":
            yield f"adaptive_rank belongs to method adalora, not to {name}; remove one of them"
        if self.model.nf4 is not None and name in UNPACKED_ONLY:
            yield f"{name} changes the base's own weights, which nf4 packs for good; take lora on nf4, or leave nf4 out"
        if self.model.nf4 is not None and name == "qlora":
            yield "qlora packs the base itself; leave model.nf4 out, or take method lora with it"
        if self.model.nf4 == "bitsandbytes" and name == "dora":
            yield "dora reads the values of the base, which bitsandbytes has packed its own way; set model.nf4 to own"

    def _in_savers(self) -> Iterator[str]:
        if self.method.name == "prefix" and self.checkpointing:
            yield (
                "prefix tuning works through the cache of keys and values, which activation checkpointing drops (PEFT "
                "refuses the two together as well); set checkpointing to false, or take prompt tuning"
            )
        if self.loss_chunk is not None and not self.supervised_only:
            yield "supervised_only false asks for all logits, loss_chunk for none; set one of them"
        if self.loss_chunk is not None and self.method.names_target("lm_head"):
            yield "loss_chunk reads the output head's weight and would pass by the adapter on lm_head; drop one"
        if self.loss_kernel != "own" and self.loss_chunk is None:
            yield "loss_kernel says which code forms a chunked loss; set loss_chunk as well"
        if self.loss_kernel == "torch" and not has_torch_kernel():
            yield "loss_kernel torch needs PyTorch's linear_cross_entropy, which this version lacks; take own"
        if self.method.name == "towers" and (self.loss_chunk or self.checkpointing or self.feedforward_tile):
            yield "method towers trains no language model: loss_chunk, checkpointing and feedforward_tile do not apply"
