"""Released checkpoint keys <-> our parameter names, in one place.

A released MGM file keeps timm's names for ConvNeXt, CLIP's with their old `vision_model.` level, and puts everything
under `model.`. Both directions use the same table, so they cannot drift apart.
"""

from __future__ import annotations

import re

LANGUAGE_MODEL = "language_model"
LLM_HEAD = "lm_head.weight"

_CLIP_RELEASED = "model.vision_tower.vision_tower.vision_model."
_AUX_RELEASED = "model.vision_tower_aux."
_CLIP_OURS = "vision_tower."
_AUX_OURS = "vision_tower_aux."

# timm's name, transformers' name; `#` is a number.
_AUX_PARTS = (
    ("vision_stem.0.", "embeddings.patch_embeddings."),
    ("vision_stem.1.", "embeddings.layernorm."),
    ("vision_stages.#.downsample.", "encoder.stages.#.downsampling_layer."),
    ("vision_stages.#.blocks.#.conv_dw.", "encoder.stages.#.layers.#.dwconv."),
    ("vision_stages.#.blocks.#.norm.", "encoder.stages.#.layers.#.layernorm."),
    ("vision_stages.#.blocks.#.mlp.fc1.", "encoder.stages.#.layers.#.pwconv1."),
    ("vision_stages.#.blocks.#.mlp.fc2.", "encoder.stages.#.layers.#.pwconv2."),
    ("vision_stages.#.blocks.#.gamma", "encoder.stages.#.layers.#.layer_scale_parameter"),
)

_PROJECTOR = re.compile(r"(mm_projector|vlm_uni_(query|aux|val)_projector)\.")

_REBUILT = re.compile(r".*(\.rotary_emb\.inv_freq|\.embeddings\.position_ids)$")

_OPENCLIP = {
    "visual.trunk.stem.": _AUX_RELEASED + "vision_stem.",
    "visual.trunk.stages.": _AUX_RELEASED + "vision_stages.",
}


def is_rebuilt(released: str) -> bool:
    """Buffers that old files carry and that we make from the configuration."""
    return _REBUILT.match(released) is not None


def ours_from_released(released: str) -> str | None:
    """Our parameter name for a released key; None for a key that belongs to nothing in the model."""
    if released.startswith(_CLIP_RELEASED):
        return _CLIP_OURS + released.removeprefix(_CLIP_RELEASED)
    if released.startswith(_AUX_RELEASED):
        part = _swap(released.removeprefix(_AUX_RELEASED), released_first=True)
        return part and _AUX_OURS + part
    inner = released.removeprefix("model.")
    if _PROJECTOR.match(inner) and inner != released:
        return inner
    if released == LLM_HEAD or re.match(r"model\.(embed_tokens|layers|norm)\.", released):
        return f"{LANGUAGE_MODEL}.{released}"
    return None


def released_from_ours(ours: str) -> str:
    """The released key for one of our parameter names."""
    if ours.startswith(f"{LANGUAGE_MODEL}."):
        return ours.removeprefix(f"{LANGUAGE_MODEL}.")
    if ours.startswith(_AUX_OURS):
        if part := _swap(ours.removeprefix(_AUX_OURS), released_first=False):
            return _AUX_RELEASED + part
    elif ours.startswith(_CLIP_OURS):
        return _CLIP_RELEASED + ours.removeprefix(_CLIP_OURS).removeprefix("vision_model.")
    elif _PROJECTOR.match(ours):
        return f"model.{ours}"
    raise KeyError(f"{ours} is not a parameter of an MGM model")


def released_from_clip(key: str) -> str | None:
    """A key of a CLIP file, with the old `vision_model.` level or without; None for its text part."""
    inner = key.removeprefix("vision_model.")
    part_of_vision = re.match(r"(embeddings\.(class|patch|position)|pre_layrnorm\.|encoder\.|post_layernorm\.)", inner)
    return _CLIP_RELEASED + inner if part_of_vision else None


def released_from_openclip(key: str) -> str | None:
    """A key of `open_clip_pytorch_model.bin`; None for heads and the text part."""
    for theirs, released in _OPENCLIP.items():
        if key.startswith(theirs):
            return released + key.removeprefix(theirs)
    return None


def released_from_adapter_folder(key: str) -> str:
    """A key of `non_lora_trainables.bin`, which PEFT's wrapper has prefixed."""
    return key.removeprefix("base_model.model.")


def llm_modules(*suffixes: str) -> re.Pattern[str]:
    """Full-match pattern for the language model's layers with these names, and for nothing in the towers.

    CLIP has layers called q_proj, k_proj and v_proj too: a bare suffix would adapt the frozen tower as well.
    """
    names = "|".join(map(re.escape, suffixes))
    return re.compile(rf"{LANGUAGE_MODEL}\..*layers\.\d+\.(self_attn|mlp)\.({names})")


def _swap(part: str, *, released_first: bool) -> str | None:
    for timm, transformers in _AUX_PARTS:
        source, target = (timm, transformers) if released_first else (transformers, timm)
        pattern = re.escape(source).replace(r"\#", r"(\d+)")
        if found := re.match(pattern, part):
            numbers = iter(found.groups())
            return re.sub("#", lambda _, n=numbers: next(n), target) + part[found.end() :]
    return None
