"""Prefix and prompt tuning: what trained positions do to attention, and what they cost."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from lora_demo.methods.properties.claims import claim
from lora_demo.methods.properties.drawing import SEEDS, randomise, randomise_adapter
from lora_demo.methods.properties.implementation import Implementation
from lora_demo.methods.properties.rounding import require, require_close

HEADS, HEAD_DIM, WIDTH, VOCABULARY = 2, 4, 8, 32
COUNTS = st.integers(1, 4)
LENGTHS = st.integers(1, 6)
IN_NORMS = torch.float32
"""transformers forms norms in float32 whatever the model's dtype, so logits agree to that precision only."""


@cache
def _decoder() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "attn_implementation": "sdpa",
    }
    config = LlamaConfig(vocab_size=VOCABULARY, num_key_value_heads=HEADS, **sizes)
    model = LlamaForCausalLM(config).double().eval()
    for place, parameter in enumerate(model.parameters()):
        randomise(parameter, place, 0.5)  # transformers starts near zero, where every attention is uniform
    return model


def decoder() -> Any:
    """A one-layer Llama in float64, fresh."""
    return copy.deepcopy(_decoder())


def tokens(length: int, seed: int, rows: int = 2) -> Tensor:
    return torch.randint(0, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def _with_prefix(implementation: Implementation, count: int, seed: int) -> Any:
    model = decoder()
    implementation.prefix.apply_prefix(model, count=count)
    randomise_adapter(implementation, model, seed, size=1.0)
    return model


class _Attention:
    """What the only attention layer hands to its output projection, [rows, heads, length, head_dim]."""

    def __init__(self, model: Any) -> None:
        self.seen: Tensor = torch.empty(0)
        model.model.layers[0].self_attn.o_proj.register_forward_pre_hook(self._keep)

    def _keep(self, module: Any, args: tuple[Tensor, ...]) -> None:
        self.seen = args[0].unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2).detach()


@torch.no_grad()
def _gate(model: Any, ids: Tensor, count: int) -> Float[Tensor, "rows heads length 1"]:
    """λ = Σ exp(q·P_k) / (Σ exp(q·P_k) + Σ exp(q·K)), from queries and keys formed here."""
    layer, positions = model.model.layers[0], torch.arange(count, count + ids.shape[1])[None]
    hidden = layer.input_layernorm(model.model.embed_tokens(ids))
    cos, sin = model.model.rotary_emb(hidden, positions)
    query, key = (
        projection(hidden).unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2)
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj)
    )
    query, key = apply_rotary_pos_emb(query, key, cos, sin)
    scores = query @ key.mT / HEAD_DIM**0.5
    scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), float("-inf"))
    of_prefix = (query @ model.prefix()[0, 0].mT / HEAD_DIM**0.5).logsumexp(-1, keepdim=True)
    return torch.sigmoid(of_prefix - scores.logsumexp(-1, keepdim=True))


@torch.no_grad()
def _prefix_alone(model: Any, ids: Tensor, count: int) -> Float[Tensor, "rows heads length head_dim"]:
    """Attention to the prefix's keys and values only."""
    layer, positions = model.model.layers[0], torch.arange(count, count + ids.shape[1])[None]
    hidden = layer.input_layernorm(model.model.embed_tokens(ids))
    cos, sin = model.model.rotary_emb(hidden, positions)
    query = layer.self_attn.q_proj(hidden).unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2)
    query, _ = apply_rotary_pos_emb(query, query, cos, sin)
    keys, values = model.prefix()[0]
    return (query @ keys.mT / HEAD_DIM**0.5).softmax(-1) @ values


@claim(
    "前缀注意力恰好是原注意力和前缀注意力的门控混合：(1-λ)·Att(q,K,V) + λ·Att(q,P_k,P_v)。",
    "Attention with a prefix is exactly a gated mixture: (1-λ)·Att(q, K, V) + λ·Att(q, P_k, P_v).",
    count=COUNTS,
    length=LENGTHS,
    seed=SEEDS,
    examples=12,
)
def prefix_attention_is_a_gated_mixture(implementation: Implementation, count: int, length: int, seed: int) -> None:
    base, model, ids = decoder(), _with_prefix(implementation, count, seed), tokens(length, seed)
    original, mixed = _Attention(base), _Attention(model)
    # the base at the positions that the prefix moves the tokens to: the same rotation, to the last bit
    base(ids, position_ids=torch.arange(count, count + length)[None].expand_as(ids))
    model(ids)
    gate = _gate(model, ids, count)
    expected = (1 - gate) * original.seen + gate * _prefix_alone(model, ids, count)
    require_close(mixed.seen, expected, "attention with a prefix, against the gated mixture", roundings=10_000)


@claim(
    "前缀要占缓存：每层的键值缓存多出 count 个位置。",
    "A prefix costs cache: every layer's key/value cache is longer by its count.",
    count=COUNTS,
    length=LENGTHS,
    seed=SEEDS,
    examples=8,
)
def prefix_costs_cache_length(implementation: Implementation, count: int, length: int, seed: int) -> None:
    model, ids = _with_prefix(implementation, count, seed), tokens(length, seed)
    held = model(ids, use_cache=True).past_key_values.get_seq_length()
    require(held == count + length, f"the cache holds {held} positions, {count} + {length} expected")
    plain = decoder()(ids, use_cache=True).past_key_values.get_seq_length()
    require(plain == length, f"without a prefix it holds {plain}")


@claim(
    "有注意力掩码时，前缀仍然可见，填充仍然不可见。",
    "Under an attention mask the prefix stays visible and padding stays hidden.",
    count=COUNTS,
    length=LENGTHS,
    padding=st.integers(0, 3),
    seed=SEEDS,
    kind=st.sampled_from(["prefix", "prompt"]),
    examples=12,
)
def virtual_tokens_are_seen_under_a_mask(
    implementation: Implementation, count: int, length: int, padding: int, seed: int, kind: str
) -> None:
    model, ids = _virtual(implementation, kind, count, seed), tokens(length, seed)
    padded = torch.cat([ids, torch.zeros(2, padding, dtype=torch.long)], dim=1)
    mask = (torch.arange(length + padding) < length).long().expand(2, -1)
    masked = model(padded, attention_mask=mask).logits[:, :length]
    require_close(masked, model(ids).logits, f"{kind} with a mask and {padding} padding", dtype=IN_NORMS)


@claim(
    "显式给出位置时，真实 token 的位置要往后挪 count。",
    "Where positions are given, those of the real tokens move up by the count.",
    count=COUNTS,
    length=LENGTHS,
    seed=SEEDS,
    kind=st.sampled_from(["prefix", "prompt"]),
    examples=8,
)
def given_positions_move_up(implementation: Implementation, count: int, length: int, seed: int, kind: str) -> None:
    model, ids = _virtual(implementation, kind, count, seed), tokens(length, seed)
    positions = torch.arange(length)[None].expand_as(ids)
    require_close(
        model(ids, position_ids=positions).logits, model(ids).logits, f"{kind} with positions", dtype=IN_NORMS
    )


def _virtual(implementation: Implementation, kind: str, count: int, seed: int) -> Any:
    if kind == "prefix":
        return _with_prefix(implementation, count, seed)
    model = decoder()
    implementation.prompt.apply_prompt(model, count=count)
    randomise_adapter(implementation, model, seed, size=1.0)
    return model


@claim(
    "软提示就是在输入前面拼几行可训练的 embedding：序列变长，缓存也变长，不是免费的。",
    "A soft prompt is trained embedding rows in front of the input: the sequence and the cache get "
    "longer, not for free.",
    count=COUNTS,
    length=LENGTHS,
    seed=SEEDS,
    examples=8,
)
def prompt_is_a_longer_input(implementation: Implementation, count: int, length: int, seed: int) -> None:
    model, base, ids = _virtual(implementation, "prompt", count, seed), decoder(), tokens(length, seed)
    rows = model.soft_prompt.rows.expand(len(ids), -1, -1)
    longer = base(inputs_embeds=torch.cat([rows, base.model.embed_tokens(ids)], dim=1), use_cache=True)
    output = model(ids, use_cache=True)
    require_close(
        output.logits, longer.logits[:, count:], "a soft prompt against the base on longer embeddings", dtype=IN_NORMS
    )
    held = output.past_key_values.get_seq_length()
    require(held == count + length, f"the cache holds {held} positions, {count} + {length} expected")
