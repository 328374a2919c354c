"""Reads a formula off a size: on a model whose dimensions are coprime, a storage's bytes factor into them uniquely.

The probe's dimensions are products of primes of their own, so 3 784 044 bytes can only be 2 * B*T*r. Nothing else
about the probe matters; on the meta device its size costs nothing.
"""

from __future__ import annotations

from lora_demo.models.config import LLMConfig

BATCH, LENGTH, RANK, SUPERVISED = 19, 1663, 23, 31
KV_HEADS, GROUP, HEAD_DIM, INTERMEDIATE, VOCABULARY = 3, 5, 74, 101, 211
HEADS = KV_HEADS * GROUP
HIDDEN = HEADS * 11
"""A multiple of the heads, as LlamaConfig wants it."""
PADDED = 1664
"""LENGTH rounded up to the flash kernel's 128 and to the efficient one's 32: counted as T."""
MOST = 64
"""Largest coefficient of a product, in bytes: more is a factor that was not recognised."""

FACTORS: tuple[tuple[int, str], ...] = (
    (BATCH * (LENGTH - 1), "S"),
    (BATCH * SUPERVISED, "S"),
    (LENGTH, "T"),
    (PADDED, "T"),
    (HIDDEN, "h"),
    (INTERMEDIATE, "f"),
    (HEADS * HEAD_DIM, "q"),
    (KV_HEADS * HEAD_DIM, "k"),
    (HEAD_DIM, "d"),
    (HEADS, "heads"),
    (VOCABULARY, "V"),
    (RANK, "r"),
    (BATCH, "B"),
)
"""Larger products first: q before d, S before B."""


class UnreadableSize(ValueError):
    """A size that is no product of the probe's dimensions."""


def probe(family: str, layers: int, *, tied: bool) -> LLMConfig:
    """A decoder of the probe's dimensions."""
    return LLMConfig(
        family="llama" if family == "llama" else "gemma",
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=HEAD_DIM,
        hidden_act="silu" if family == "llama" else "gelu_pytorch_tanh",
        tie_word_embeddings=tied,
        pad_token_id=0,
    )


def read(nbytes: int) -> tuple[str, int | float]:
    """(monomial, bytes per monomial): 2 * B*T*h for a bf16 tensor of that shape; "1" for a few bytes."""
    found: list[str] = []
    rest = nbytes
    for factor, name in FACTORS:
        while rest % factor == 0:
            found.append(name)
            rest //= factor
    if rest > MOST:
        raise UnreadableSize(f"{nbytes} bytes leave {rest} after {'*'.join(found) or 'nothing'}")
    return "*".join(sorted(found, key=_order)) or "1", rest


_ORDER = ("B", "T", "S", "r", "heads", "h", "q", "k", "f", "V", "d")


def _order(name: str) -> int:
    return _ORDER.index(name)
