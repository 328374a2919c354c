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


def save_sentencepiece(directory: Path) -> Path:
    """The same vocabulary as a SentencePiece `tokenizer.model`, which is all that older Gemma folders hold."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    control, unknown, user_defined, byte, normal = 3, 2, 4, 6, 1
    pieces = [("<pad>", control), ("<eos>", control), ("<bos>", control), ("<unk>", unknown)]
    pieces += [(mark, user_defined) for mark in ("<start_of_turn>", "<end_of_turn>", "\n", MERGED_NEWLINES)]
    pieces += [(f"<0x{value:02X}>", byte) for value in range(256)]
    pieces += [(piece, normal) for piece in ("▁a", "ab", "▁", *"abcdefghijklmnopqrstuvwxyz?.<>")]
    for rank, (piece, kind) in enumerate(pieces):
        model.pieces.add(piece=piece, type=kind, score=-rank)
    spec = model.trainer_spec
    spec.model_type, spec.byte_fallback, spec.unk_piece = 2, True, "<unk>"
    spec.pad_id, spec.eos_id, spec.bos_id, spec.unk_id = 0, 1, 2, 3
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    (directory / "tokenizer.model").write_bytes(model.SerializeToString())
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "GemmaTokenizer"}', encoding="utf-8")
    return directory
