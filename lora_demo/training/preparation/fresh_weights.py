"""Random weights that train from scratch within minutes."""

from __future__ import annotations

import torch
from torch import nn

from lora_demo.models.mgm import MGM

POSITION_STD = 3.0
"""Of CLIP's position embeddings: what stands in a cell must not drown where the cell is."""
SIMILARITY = 0.6
"""Factor of queries and keys at the start: enough to prefer what is alike, too little to see nothing else."""


def fresh_model(model: MGM) -> None:
    """`fresh`, with two things that fit its parts to each other.

    The projector's output is divided by sqrt(hidden), by which Gemma's embedding scale multiplies it again. Half
    of attention starts out as looking for what resembles oneself and passing it on (`mimic`).
    """
    fresh(model)
    last = model.mm_projector[-1]
    with torch.no_grad():
        last.get_parameter("weight").div_(model.config.llm.hidden_size**0.5)
    for layer in model.language_model.model.layers:
        mimic(layer.self_attn)


@torch.no_grad()
def mimic(attention: nn.Module) -> None:
    """In the first half of the heads keys equal to queries, W_q^T W_k ~ 1, and W_o transposed to W_v, W_o W_v ~ 1.

    Pretrained transformers have such products (Trockman and Kolter 2023, arXiv:2305.09828). From random ones a small
    model takes most of its training to find out that the word `left` and an image token on the left belong together.
    The other heads stay random, to be free for what is no look-up.
    """
    query, key = attention.get_parameter("q_proj.weight"), attention.get_parameter("k_proj.weight")
    value, out = attention.get_parameter("v_proj.weight"), attention.get_parameter("o_proj.weight")
    half = len(query) // 2
    query[:half].mul_(SIMILARITY)
    key[:half].copy_(query[:half])
    out[:, :half].copy_(value[:half].T)


def fresh(module: nn.Module) -> None:
    """Initialise for training from scratch: weights of variance 1 / fan-in, biases 0, layer scales 1, strong positions.

    transformers starts with std 0.02 and layer scales of 1e-6, made for wide and deep towers; at widths of 16 to 96
    signals would all but vanish.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="linear")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        if isinstance(position := getattr(part, "position_embedding", None), nn.Embedding):
            nn.init.normal_(position.weight, std=POSITION_STD)
        scale = getattr(part, "layer_scale_parameter", None)
        if isinstance(scale, nn.Parameter):
            nn.init.ones_(scale)
