"""Text to ids and back, through a tokenizer folder of the user's or through the small one that we ship.

Only the Rust backend is used, and special tokens are never added behind our back: `<bos>` comes from the label
construction, padding from the collator. So neither `padding_side` (left by default in transformers 5's GemmaTokenizer)
nor a missing `add_bos_token` can change what the model sees.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer

from lora_demo.data.template import END_OF_TURN, NEWLINE, START_OF_TURN

FIXED_IDS = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3}
"""Gemma's own ids; the models, the collator and generation rely on them."""
SINGLE_TOKENS = (START_OF_TURN, END_OF_TURN, NEWLINE)
"""Marks of the template that must be one token each, wherever they stand."""
EMBEDDING_PADDING = 256
"""A model may have up to this many unused rows, because embeddings are rounded up for the hardware."""
NANO_FILE = "nano_tokenizer.json"


class TokenizerError(ValueError):
    """A tokenizer that cannot serve; the message names the folder, what is wrong and what would be right."""


@dataclass(frozen=True)
class TextTokenizer:
    """A checked tokenizer. `encode` adds nothing; `stop_ids` end an answer."""

    name: str
    backend: Tokenizer
    pad: int
    eos: int
    bos: int
    unk: int
    start_of_turn: int
    end_of_turn: int
    newline: int

    @property
    def size(self) -> int:
        """One more than the highest id: the rows that an embedding needs at least."""
        return max(self.backend.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def stop_ids(self) -> tuple[int, int]:
        """Generation ends at `<eos>`; stopping at `<end_of_turn>` already saves two tokens."""
        return (self.eos, self.end_of_turn)

    def encode(self, text: str) -> list[int]:
        """ids of exactly this text, no `<bos>` in front."""
        return self.backend.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """Text of the ids; negative ids (image placeholder, ignored labels) are left out."""
        return self.backend.decode([i for i in ids if i >= 0], skip_special_tokens=skip_special)

    def require_fits(self, rows: int) -> None:
        """Raise TokenizerError unless a model with `rows` embedding rows goes with this vocabulary."""
        if self.size <= rows < self.size + EMBEDDING_PADDING:
            return
        reason = "ids would run past the embedding" if self.size > rows else "most rows could never be reached"
        raise TokenizerError(
            f"tokenizer {self.name} has {self.size} ids, the model's embedding {rows} rows: {reason}. "
            "Use the tokenizer folder that belongs to the checkpoint."
        )


def load(directory: Path | str) -> TextTokenizer:
    """The tokenizer of a folder: `tokenizer.json`, or `tokenizer.model` which transformers converts.

    Reads local files only and never runs code from the folder. Raises TokenizerError.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise TokenizerError(f"{directory}: no such folder; name the folder that holds tokenizer.json")
    if (directory / "tokenizer.json").is_file():
        return checked(read_json(directory / "tokenizer.json"), str(directory))
    if (directory / "tokenizer.model").is_file():
        return checked(_convert(directory), str(directory))
    raise TokenizerError(f"{directory}: holds neither tokenizer.json nor tokenizer.model")


def nano() -> TextTokenizer:
    """The small tokenizer that ships with the package, for `mgm-nano`."""
    source = importlib.resources.files("lora_demo.data").joinpath(NANO_FILE)
    return checked(Tokenizer.from_str(source.read_text(encoding="utf-8")), "nano")


def read_json(path: Path) -> Tokenizer:
    """The backend behind a `tokenizer.json`."""
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the Rust backend raises bare Exception for everything that it cannot parse
        raise TokenizerError(f"{path}: not a tokenizer file: {error}") from error


def checked(backend: Tokenizer, name: str) -> TextTokenizer:
    """Wrap a backend after making sure that every mark of the template means what the models expect."""
    backend.no_padding()
    backend.no_truncation()
    for token, expected in FIXED_IDS.items():
        if (found := backend.token_to_id(token)) != expected:
            raise TokenizerError(
                f"tokenizer {name}: {token} has id {found}, Gemma's is {expected}; not a Gemma tokenizer"
            )
    for token in (*FIXED_IDS, *SINGLE_TOKENS):
        if (ids := backend.encode(token, add_special_tokens=False).ids) != [backend.token_to_id(token)]:
            raise TokenizerError(f"tokenizer {name}: {token!r} becomes {ids} instead of one token; register it")
    special = (cast(int, backend.token_to_id(token)) for token in (*FIXED_IDS, *SINGLE_TOKENS))
    return TextTokenizer(name, backend, *special)


def _convert(directory: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    try:
        loaded: Any = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise TokenizerError(f"{directory}: transformers cannot convert tokenizer.model: {error}") from error
    backend = getattr(loaded, "backend_tokenizer", None)
    if backend is None:
        raise TokenizerError(f"{directory}: transformers read it without the fast backend; save it as tokenizer.json")
    return backend
