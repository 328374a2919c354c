"""A transformers causal language model from a folder's config.json alone, in its random weights' place nothing.

Libraries fill a missing field with their default, which is some other model's size; here it is an error.
Known limit: fields of a nested configuration (text_config) are not checked for being there.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from lora_demo.memory.subjects.errors import BuildError

NEEDED = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")


def from_folder(folder: Path) -> Any:
    """The model on the current device. Raises BuildError naming the file and what is wrong with it."""
    from transformers import AutoConfig, AutoModelForCausalLM

    file = folder / "config.json"
    raw = _read(file)
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
        raise BuildError(f"{file}: {type(error).__name__}: {error}") from error


def missing_fields(raw: dict[str, Any], kind: Any) -> list[str]:
    """Sizes that this kind of configuration has a number for by default and the file leaves out."""
    names = ((field, getattr(kind, "attribute_map", {}).get(field, field)) for field in NEEDED)
    return [
        own for field, own in names if isinstance(getattr(kind, own, None), int) and own not in raw and field not in raw
    ]


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BuildError(f"{file}: not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BuildError(f"{file}: must be a JSON object, found {type(raw).__name__}")
    return raw


def _check_kind(raw: dict[str, Any], file: Path) -> None:
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if raw.get("auto_map"):
        raise BuildError(f"{file} asks for code of its own (auto_map); such models are refused, code is not run")
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
