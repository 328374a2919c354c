"""What a released folder says about its model: `geometry.json` (ours) or `config.json` (MGM's own)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_demo.models.catalogue import Catalogue
from lora_demo.models.config import AuxConfig, ClipConfig, ConfigError, LLMConfig, MGMConfig, SpliceConfig
from lora_demo.models.config_fields import fitted, need
from lora_demo.models.presets import GEMMA_2B
from lora_demo.models.tensor_files import CheckpointError

GEOMETRY = "geometry.json"
CONFIG = "config.json"
MODEL_TYPES = ("mgm_gemma", "mini_gemini_gemma")
CLIP_HEAD_WIDTH = 64

_CLIP = "model.vision_tower.vision_tower.vision_model."
_AUX = "model.vision_tower_aux."

# Options of the original code that change the network or the sequence and that this model does not have.
_REQUIRED = {
    "mm_projector_type": "mlp2x_gelu",
    "mm_use_im_start_end": False,
    "mm_use_im_patch_token": False,
    "image_grid": 1,
    "image_global": False,
}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises CheckpointError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: must hold an object")
    return content


def read_geometry(path: Path) -> MGMConfig:
    """Our own `geometry.json`; the model takes the folder's name."""
    try:
        return MGMConfig.from_dict(read_json(path), name=path.parent.name)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_released(path: Path, catalogue: Catalogue, clip_directory: Path | None) -> MGMConfig:
    """MGM's `config.json`. It does not describe the towers: their sizes are read off the weights themselves."""
    released = read_json(path)
    _check(path, released)
    try:
        clip = clip_config(catalogue, released, clip_directory)
        aux = aux_config(catalogue, released)
        llm, splice = llm_config(released), splice_config(released)
        return MGMConfig(name=path.parent.name, llm=llm, clip=clip, aux=aux, splice=splice)
    except (ConfigError, TypeError, IndexError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def llm_config(released: Mapping[str, Any]) -> LLMConfig:
    """The language model's part; what is not said is Gemma-2B's. Raises ConfigError."""
    same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    same += ("num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "attention_bias")
    same += ("pad_token_id", "eos_token_id", "bos_token_id")
    values = {name: released.get(name, getattr(GEMMA_2B, name)) for name in same}
    rope = released.get("rope_parameters") or {}
    need("llm", isinstance(rope, Mapping), f"rope_parameters must be an object, found {rope!r}")
    theta = rope.get("rope_theta", released.get("rope_theta", GEMMA_2B.rope_theta))
    # Gemma's files say "gelu" and mean the tanh form.
    named = released.get("hidden_activation") or released.get("hidden_act") or GEMMA_2B.hidden_act
    act = GEMMA_2B.hidden_act if named == "gelu" else named
    return LLMConfig(**fitted("llm", LLMConfig, {**values, "rope_theta": theta, "hidden_act": act}))


def clip_config(catalogue: Catalogue, released: Mapping[str, Any], directory: Path | None) -> ClipConfig:
    """CLIP's sizes from its weights; heads and activation from its own `config.json` if there is one."""
    patch = _shape(catalogue, _CLIP + "embeddings.patch_embedding.weight")
    positions = _shape(catalogue, _CLIP + "embeddings.position_embedding.weight")[0]
    own = _vision_config(directory)
    values = {
        "hidden_size": patch[0],
        "intermediate_size": _shape(catalogue, _CLIP + "encoder.layers.0.mlp.fc1.weight")[0],
        "num_hidden_layers": _count(catalogue, _CLIP + r"encoder\.layers\.(\d+)\."),
        "num_attention_heads": own.get("num_attention_heads", max(1, patch[0] // CLIP_HEAD_WIDTH)),
        "image_size": round((positions - 1) ** 0.5) * patch[-1],
        "patch_size": patch[-1],
        "projection_dim": own.get("projection_dim", 768),
        "hidden_act": own.get("hidden_act", "quick_gelu"),
        "select_layer": released.get("mm_vision_select_layer", -2),
        "select_feature": released.get("mm_vision_select_feature", "patch"),
    }
    return ClipConfig(**fitted("clip", ClipConfig, values))


def aux_config(catalogue: Catalogue, released: Mapping[str, Any]) -> AuxConfig:
    """ConvNeXt's widths and depths from its weights, the view's size from the configuration."""
    stages = _count(catalogue, _AUX + r"vision_stages\.(\d+)\.")
    if stages == 0:
        raise CheckpointError(_absent("ConvNeXt", f"{_AUX}vision_stages.0", "mm_vision_tower_aux", catalogue))
    prefix = [f"{_AUX}vision_stages.{stage}.blocks." for stage in range(stages)]
    values = {
        "dims": tuple(_shape(catalogue, f"{start}0.gamma")[0] for start in prefix),
        "depths": tuple(_count(catalogue, re.escape(start) + r"(\d+)\.") for start in prefix),
        "image_size": released.get("image_size_aux", 768),
    }
    return AuxConfig(**fitted("aux", AuxConfig, values))


def splice_config(released: Mapping[str, Any]) -> SpliceConfig:
    """How rows are padded and where they are cut. Raises ConfigError."""
    names = {"padding_side": "tokenizer_padding_side", "max_length": "tokenizer_model_max_length"}
    values = {ours: released[theirs] for ours, theirs in names.items() if theirs in released}
    return SpliceConfig(**fitted("splice", SpliceConfig, values))


def _check(path: Path, released: Mapping[str, Any]) -> None:
    kind = released.get("model_type")
    if kind not in MODEL_TYPES:
        raise CheckpointError(f"{path}: model_type {kind!r} is not one of {', '.join(MODEL_TYPES)}")
    for name, wanted in _REQUIRED.items():
        if released.get(name, wanted) not in (wanted, None):
            raise CheckpointError(f"{path}: {name} is {released[name]!r}; this model only does {wanted!r}")


def _shape(catalogue: Catalogue, released: str) -> tuple[int, ...]:
    if released not in catalogue.stored:
        tower, field = ("ConvNeXt", "mm_vision_tower_aux") if released.startswith(_AUX) else ("CLIP", "mm_vision_tower")
        raise CheckpointError(_absent(tower, released, field, catalogue))
    return catalogue.stored[released].entry.shape


def _absent(tower: str, released: str, field: str, catalogue: Catalogue) -> str:
    places = "\n  ".join(catalogue.searched) or "(nothing)"
    return (
        f"{released} is missing, so the size of the {tower} tower is unknown. Download the tower into the folder that "
        f"{field} in {CONFIG} names (in Python: weights.load(..., clip=, aux=)).\nsearched:\n  {places}"
    )


def _count(catalogue: Catalogue, pattern: str) -> int:
    compiled = re.compile(pattern)
    found = {int(match.group(1)) for key in catalogue.stored if (match := compiled.match(key))}
    return max(found, default=-1) + 1


def _vision_config(directory: Path | None) -> dict[str, Any]:
    if directory is None or not (directory / CONFIG).is_file():
        return {}
    own = read_json(directory / CONFIG)
    inner = own.get("vision_config") or own
    if not isinstance(inner, dict):
        raise CheckpointError(f"{directory / CONFIG}: vision_config must be an object, found {inner!r}")
    return inner
