"""A transformers causal language model from a folder's config.json alone, in its random weights' place nothing.

Libraries fill a missing field with their default, which is some other model's size; here it is an error.
Known limit: fields of a nested configuration (text_config) are not checked for being there.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from lora_demo.memory.subjects.errors import BuildError
from lora_demo.results.json_file import NoObject, read_object

MOST_LAYERS = 1000
"""More than any model has; each is built before anything is traced."""
MOST = 1 << 31
"""No size of a model is as large."""
NEEDED = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
WHOLE = (*NEEDED, "num_key_value_heads", "head_dim")
"""Positive whole numbers; some models have one per layer, as a list."""


def from_folder(folder: Path) -> Any:
    """The model on the current device. Raises BuildError naming the file and what is wrong with it."""
    from transformers import AutoConfig, AutoModelForCausalLM

    file = folder / "config.json"
    raw = read_config(file)
    _check_kind(raw, file)
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        if missing := missing_fields(raw, type(config)):
            raise BuildError(f"{file}: lacks {', '.join(missing)}")
        return AutoModelForCausalLM.from_config(config, attn_implementation=_attention(config))
    except BuildError:
        raise
    except Exception as error:
        # Configurations and constructors of hundreds of models raise whatever they like.
        raise BuildError(f"{file}: {type(error).__name__}: {' '.join(str(error).split())}") from error


def missing_fields(raw: dict[str, Any], kind: Any) -> list[str]:
    """Sizes that this kind of configuration has a number for by default and the file leaves out."""
    names = ((field, getattr(kind, "attribute_map", {}).get(field, field)) for field in NEEDED)
    return [
        own for field, own in names if isinstance(getattr(kind, own, None), int) and own not in raw and field not in raw
    ]


def read_config(file: Path) -> dict[str, Any]:
    """What config.json says. Raises BuildError for what is no configuration of any model that can be built here."""
    try:
        raw = read_object(file)
    except NoObject as error:
        raise BuildError(str(error)) from error
    if raw.get("auto_map"):
        raise BuildError(f"{file} asks for code of its own (auto_map); such models are refused, code is not run")
    if not isinstance(raw.get("model_type", ""), str):
        raise BuildError(f"{file}: model_type must be a name such as llama, found {raw['model_type']!r}")
    _check_layers(raw, file)
    _check_values(raw, file)
    heads, groups = raw.get("num_attention_heads"), raw.get("num_key_value_heads")
    if isinstance(heads, int) and isinstance(groups, int) and heads % groups:
        raise BuildError(f"{file}: num_attention_heads {heads} must be a multiple of num_key_value_heads {groups}")
    return raw


def _check_layers(raw: dict[str, Any], file: Path) -> None:
    """Nested parts too: every model names its number of layers in its own way."""
    parts = [raw]
    for name, value in (entry for part in parts for entry in part.items()):
        if isinstance(value, dict):
            parts.append(value)
        elif name.endswith(("layers", "n_layer")) and isinstance(value, int) and value > MOST_LAYERS:
            raise BuildError(f"{file}: {name} {value}: at most {MOST_LAYERS} layers are built")


def _check_values(raw: dict[str, Any], file: Path) -> None:
    for name in WHOLE:
        value = raw.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 < value < MOST
        if not (whole or value is None or isinstance(value, list)):
            raise BuildError(f"{file}: {name} must be a positive whole number below {MOST}, found {value!r}")
    if not isinstance(raw.get("tie_word_embeddings", True), bool):
        raise BuildError(f"{file}: tie_word_embeddings must be true or false, found {raw['tie_word_embeddings']!r}")


def _check_kind(raw: dict[str, Any], file: Path) -> None:
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = raw.get("model_type")
    if kind is None:
        raise BuildError(f"{file}: lacks model_type")
    if kind not in CONFIG_MAPPING:
        near = difflib.get_close_matches(str(kind), list(CONFIG_MAPPING), n=3, cutoff=0.5)
        raise BuildError(
            f"{file}: model_type {kind!r} is unknown to transformers; near names: {', '.join(near) or '-'}"
        )
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise BuildError(f"{file}: model_type {kind!r} has no causal language model in transformers")


def _attention(config: Any) -> str:
    """SDPA where the model has it; the few without (their attention adds to the scores) run eager."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    return "sdpa" if getattr(MODEL_FOR_CAUSAL_LM_MAPPING[type(config)], "_supports_sdpa", False) else "eager"
