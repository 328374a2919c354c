"""What a model is made of: frozen, checked on construction, free of torch.

A contradiction (heads that do not divide, a mining window that does not tile the map) is refused here, where its
cause is known, instead of surfacing as a shape error deep in the forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from lora_demo.models.config_fields import (
    LARGEST,
    MOST_LAYERS,
    ConfigError,
    activation,
    fitted,
    need,
    positive,
    positive_number,
)

Family = Literal["gemma", "llama"]
PaddingSide = Literal["left", "right"]

CONVNEXT_STEM_STRIDE = 4


@dataclass(frozen=True)
class Llama3Rope:
    """Frequency scaling of Llama 3.1 and later (transformers' rope type "llama3")."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def __post_init__(self) -> None:
        part = "llm.rope_scaling"
        positive(part, self, "original_max_position_embeddings")
        positive_number(part, self, "factor", "low_freq_factor", "high_freq_factor")
        need(part, self.low_freq_factor < self.high_freq_factor, "low_freq_factor must be below high_freq_factor")


@dataclass(frozen=True)
class LLMConfig:
    """A decoder-only language model. Defaults are Gemma's conventions; sizes have none."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int = 8192
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    hidden_act: str = "gelu_pytorch_tanh"
    tie_word_embeddings: bool = True
    attention_bias: bool = False
    family: Family = "gemma"
    rope_scaling: Llama3Rope | None = None
    pad_token_id: int | None = 0
    eos_token_id: int = 1
    bos_token_id: int = 2

    def __post_init__(self) -> None:
        positive("llm", self, "vocab_size", "hidden_size", "intermediate_size")
        positive("llm", self, "num_hidden_layers", most=MOST_LAYERS)
        positive("llm", self, "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings")
        positive_number("llm", self, "rms_norm_eps", "rope_theta")
        activation("llm", self)
        need("llm", self.family in ("gemma", "llama"), f"family {self.family!r} is neither 'gemma' nor 'llama'")
        divides = self.num_attention_heads % self.num_key_value_heads == 0
        need("llm", divides, "num_attention_heads must be a multiple of num_key_value_heads")
        need("llm", self.head_dim % 2 == 0, f"head_dim {self.head_dim} must be even: rotary embedding turns pairs")
        for name in ("pad_token_id", "eos_token_id", "bos_token_id"):
            token = getattr(self, name)
            need("llm", token is None or 0 <= token < self.vocab_size, f"{name} {token} is outside the vocabulary")


@dataclass(frozen=True)
class ClipConfig:
    """The CLIP vision tower, which makes the queries.

    select_layer counts hidden states as transformers does: 0 is the output of the pre-LayerNorm, i the output of
    layer i-1, negative from the end; -2 leaves the last layer unused.
    """

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: int
    patch_size: int
    projection_dim: int = 768
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    select_layer: int = -2
    select_feature: Literal["patch"] = "patch"

    def __post_init__(self) -> None:
        positive("clip", self, "hidden_size", "intermediate_size", "num_attention_heads", "projection_dim")
        positive("clip", self, "num_hidden_layers", most=MOST_LAYERS)
        positive("clip", self, "image_size", "patch_size")
        positive_number("clip", self, "layer_norm_eps")
        activation("clip", self)
        need("clip", self.grid > 0, f"patch_size {self.patch_size} is larger than image_size {self.image_size}")
        divides = self.hidden_size % self.num_attention_heads == 0
        need("clip", divides, "hidden_size must be a multiple of num_attention_heads")
        states = self.num_hidden_layers + 1
        inside = -states <= self.select_layer < states
        need("clip", inside, f"select_layer {self.select_layer} does not exist among {states} hidden states")
        only_patch = self.select_feature == "patch"
        need("clip", only_patch, "select_feature must be 'patch': a CLS query has no window on the image")

    @property
    def grid(self) -> int:
        """Queries per side."""
        return self.image_size // self.patch_size

    @property
    def layers_used(self) -> int:
        """How many transformer layers run before the selected hidden state."""
        return self.select_layer if self.select_layer >= 0 else self.num_hidden_layers + 1 + self.select_layer


@dataclass(frozen=True)
class AuxConfig:
    """The ConvNeXt tower, which makes keys and values; `dims` and `depths` per stage."""

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    image_size: int

    def __post_init__(self) -> None:
        positive("aux", self, "image_size")
        same = len(self.dims) == len(self.depths) > 0
        need("aux", same, f"dims {self.dims} and depths {self.depths} must name the same stages")
        whole = all(type(size) is int and size > 0 for size in (*self.dims, *self.depths))
        need("aux", whole, "dims and depths must be positive whole numbers")
        few = max(self.dims) <= LARGEST and max(self.depths) <= MOST_LAYERS
        need("aux", few, f"at most {LARGEST} in dims and {MOST_LAYERS} in depths can be built")
        smallest = CONVNEXT_STEM_STRIDE * 2 ** (len(self.dims) - 1)
        large_enough = self.image_size >= smallest and self.image_size % CONVNEXT_STEM_STRIDE == 0
        need("aux", large_enough, f"image_size {self.image_size} must be a multiple of 4 and at least {smallest}")

    @property
    def map_side(self) -> int:
        """Side of the first stage's map, to which the other stages are upsampled."""
        return self.image_size // CONVNEXT_STEM_STRIDE

    @property
    def channels(self) -> int:
        """Channels of the concatenated pyramid."""
        return sum(self.dims)


@dataclass(frozen=True)
class SpliceConfig:
    """How image blocks enter the token sequence. `max_length` counts positions after expansion; None: unlimited."""

    image_token_index: int = -200
    ignore_index: int = -100
    padding_side: PaddingSide = "right"
    max_length: int | None = None

    def __post_init__(self) -> None:
        known = self.padding_side in ("left", "right")
        need("splice", known, f"padding_side {self.padding_side!r} is neither 'left' nor 'right'")
        need("splice", self.max_length is None or self.max_length > 0, "max_length must be positive or null")
        need("splice", self.image_token_index < 0, "image_token_index must be negative: other ids are words")


@dataclass(frozen=True)
class MGMConfig:
    """The vision-language model: language model, two towers, mining, projector, splice."""

    name: str
    llm: LLMConfig
    clip: ClipConfig
    aux: AuxConfig
    splice: SpliceConfig

    def __post_init__(self) -> None:
        tiles = self.aux.map_side % self.clip.grid == 0
        problem = f"a {self.aux.map_side}-wide map cannot be tiled by {self.clip.grid} windows per side"
        need("model", tiles, f"{problem}; change aux.image_size or clip.patch_size")
        limit = self.splice.max_length
        fits = limit is None or limit <= self.llm.max_position_embeddings
        need("model", fits, f"splice.max_length {limit} exceeds llm.max_position_embeddings")

    @property
    def image_tokens(self) -> int:
        """Positions one image takes in the sequence."""
        return self.clip.grid**2

    @property
    def most_positions(self) -> int:
        """Of a row, its images expanded: where it is cut, else as far as the language model was made for."""
        return self.splice.max_length or self.llm.max_position_embeddings

    @property
    def window(self) -> int:
        """Side of the map window that one query attends to."""
        return self.aux.map_side // self.clip.grid

    def to_dict(self) -> dict[str, Any]:
        """The content of `geometry.json`."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    @classmethod
    def from_dict(cls, geometry: Mapping[str, Any], *, name: str) -> MGMConfig:
        """Read `geometry.json`; an unknown or missing field is an error that names it."""
        parts = {"llm": LLMConfig, "clip": ClipConfig, "aux": AuxConfig, "splice": SpliceConfig}
        if set(geometry) != set(parts):
            raise ConfigError(f"{name}: the parts must be {sorted(parts)}, found {sorted(geometry)}")
        return cls(name=name, **{key: _part(kind, key, geometry[key], name) for key, kind in parts.items()})


@dataclass(frozen=True)
class TextConfig:
    """A plain language model under the name of its preset; `splice` only says how rows are padded."""

    name: str
    llm: LLMConfig
    splice: SpliceConfig = field(default_factory=SpliceConfig)

    @property
    def image_tokens(self) -> int:
        """None: there are no images."""
        return 0

    @property
    def most_positions(self) -> int:
        """Of a row, its images expanded: where it is cut, else as far as the language model was made for."""
        return self.splice.max_length or self.llm.max_position_embeddings


def _part(kind: type, key: str, values: Any, name: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{name}: {key} must be an object, found {type(values).__name__}")
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise ConfigError(f"{name}: {key} has the unknown field {unknown[0]!r}; the fields are {sorted(known)}")
    try:
        return kind(**fitted(key, kind, {field: _nested(field, value) for field, value in values.items()}))
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"{name}: {key}: {error}") from error


def _nested(field: str, value: Any) -> Any:
    if field == "rope_scaling" and value is not None:
        need("llm", isinstance(value, Mapping), f"rope_scaling must be an object or null, found {value!r}")
        return Llama3Rope(**fitted("llm.rope_scaling", Llama3Rope, value))
    return tuple(value) if isinstance(value, list) else value
