"""The closed form's dimensions of a model: a preset's, or read from a folder's config.json."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from lora_demo.memory.formula.closed_form import Dimensions, data, model_dimensions
from lora_demo.memory.subjects.errors import BuildError
from lora_demo.memory.subjects.model_folder import WHOLE, read_config

FAMILIES = {"gemma": "gemma", "llama": "llama", "mistral": "llama", "qwen2": "llama"}
"""model_type -> family of formulas. Qwen3 is none of them: it keeps normalised queries and keys."""
FIELDS = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "vocab_size",
)


def decoder(model: str) -> Dimensions:
    """Raises BuildError for an unknown name (near names), a missing field or one that no model can have (its name), or
    another architecture."""
    if model in data()["models"]:
        return model_dimensions(model)
    file = Path(model) / "config.json"
    if not (model and _exists(file)):
        known = list(data()["models"])
        near = difflib.get_close_matches(model, known, n=3, cutoff=0.4) or known
        raise BuildError(f"model {model!r}: neither one of {', '.join(near)} nor a folder with config.json")
    return _read(read_config(file), file)


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        # A name too long for a file's.
        return False


def _read(config: dict[str, Any], file: Path) -> Dimensions:
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise BuildError(f"{file}: model_type {kind!r} is not in the closed form ({', '.join(FAMILIES)}); use predict")
    if missing := [name for name in FIELDS if config.get(name) is None]:
        raise BuildError(f"{file}: lacks {', '.join(missing)}")
    _check(config, file)
    heads = config["num_attention_heads"]
    return Dimensions(
        family=FAMILIES[kind],
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", kind == "gemma"),
    )


def _check(config: dict[str, Any], file: Path) -> None:
    """What the formulas need beyond `read_config`."""
    for name in WHOLE:
        if isinstance(config.get(name), list):
            raise BuildError(
                f"{file}: {name} differs from layer to layer, which is not in the closed form; use predict"
            )
    width, heads = config["hidden_size"], config["num_attention_heads"]
    if config.get("head_dim") is None and width % heads:
        raise BuildError(f"{file}: hidden_size {width} must be a multiple of num_attention_heads {heads}")
