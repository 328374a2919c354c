"""A tokenizer with Gemma's structure in small: byte fallback, spaces as ▁, line breaks that merge into one token."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

MERGED_NEWLINES = "\n\n"


def build() -> Tokenizer:
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "\n", MERGED_NEWLINES]
    names += [f"<0x{byte:02X}>" for byte in range(256)]
    names += ["▁", *"abcdefghijklmnopqrstuvwxyz?.<>", "▁a", "ab"]
    model = models.BPE(
        vocab={name: i for i, name in enumerate(names)},
        merges=[("\n", "\n"), ("▁", "a"), ("a", "b")],
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in names[:6]])
    return tokenizer


def save(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    build().save(str(directory / "tokenizer.json"))
    return directory
