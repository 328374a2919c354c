import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lora_demo.data import tokenizer
from lora_demo.data.template import CONTROL_MARKS
from lora_demo.data.tokenizer import NANO_FILE, TextTokenizer, TokenizerError
from lora_demo.data.tokenizer_training import ANSWERS, STARTERS, VOCABULARY, WORDS, as_json, train
from lora_demo.models.presets import mgm_preset

SHIPPED = Path(tokenizer.__file__).with_name(NANO_FILE)
PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(
    lambda text: not any(mark in text for mark in CONTROL_MARKS)
)


def test_the_shipped_tokenizer_is_what_training_gives_again():
    assert as_json(train()) == SHIPPED.read_text(encoding="utf-8")


def test_the_shipped_tokenizer_fits_nano(nano: TextTokenizer):
    assert mgm_preset("mgm-nano").llm.vocab_size == VOCABULARY
    nano.require_fits(VOCABULARY)
    assert (nano.pad, nano.eos, nano.bos, nano.unk) == (0, 1, 2, 3)
    assert nano.stop_ids == (nano.eos, nano.end_of_turn)


def test_every_word_of_the_nano_questions_is_one_token(nano: TextTokenizer):
    words = [*STARTERS, *ANSWERS, *(f" {word}" for word in WORDS.split())]
    assert len(words) > 80
    assert [word for word in words if len(nano.encode(word)) != 1] == []


def test_digits_are_tokens_of_their_own(nano: TextTokenizer):
    digits = [nano.encode(str(digit)) for digit in range(10)]
    assert all(len(ids) == 1 for ids in digits)
    assert nano.encode("0123456789") == [ids[0] for ids in digits]


@given(text=PLAIN_TEXT)
def test_nano_gives_back_any_text(nano: TextTokenizer, text: str):
    ids = nano.encode(text)
    assert nano.unk not in ids
    assert nano.decode(ids) == text


def test_special_tokens_are_never_added_and_skipped_on_request(nano: TextTokenizer):
    assert nano.encode("") == []
    ids = [nano.bos, *nano.encode("yes<end_of_turn>\n"), nano.eos, -200, -100]
    assert nano.decode(ids) == "yes\n"
    assert nano.decode(ids, skip_special=False) == "<bos>yes<end_of_turn>\n<eos>"


def test_a_folder_with_tokenizer_json_is_read(gemma_folder: Path, gemma_like: TextTokenizer):
    loaded = tokenizer.load(gemma_folder)
    assert loaded.encode(" ab 世") == gemma_like.encode(" ab 世")
    assert loaded.name == str(gemma_folder)


def test_padding_and_truncation_of_the_file_do_not_act(tmp_path: Path, gemma_folder: Path):
    backend = Tokenizer.from_file(str(gemma_folder / "tokenizer.json"))
    backend.enable_padding(direction="left", length=40)
    backend.enable_truncation(2)
    backend.save(str(tmp_path / "tokenizer.json"))
    assert len(tokenizer.load(tmp_path).encode("abcdef")) == 5


def test_transformers_converts_the_same_vocabulary(gemma_folder: Path, gemma_like: TextTokenizer):
    """The second way in: what transformers' own GemmaTokenizer makes of the folder agrees token by token."""
    from transformers import GemmaTokenizer

    theirs = GemmaTokenizer.from_pretrained(gemma_folder, local_files_only=True)
    assert theirs.padding_side == "left"  # the trap that TextTokenizer steps around
    for text in ("ab a? <start_of_turn>user\n", "x\n\ny", "世"):
        assert theirs.encode(text, add_special_tokens=False) == gemma_like.encode(text)


def test_a_folder_with_only_tokenizer_model_is_converted(sentencepiece_folder: Path, gemma_like: TextTokenizer):
    converted = tokenizer.load(sentencepiece_folder)
    for text in (" ab a?<end_of_turn>\n", "x\n\ny", "世"):
        as_pieces = [[found.backend.id_to_token(i) for i in found.encode(text)] for found in (converted, gemma_like)]
        assert as_pieces[0] == as_pieces[1]
        assert converted.decode(converted.encode(text), skip_special=False) == text


@pytest.mark.parametrize("name", ["<pad>", "<bos>", "<eos>", "<unk>"])
def test_other_ids_than_gemmas_are_refused(tmp_path: Path, gemma_folder: Path, name: str):
    _edited(gemma_folder, tmp_path, lambda vocab: vocab.update({name: vocab["z"], "z": vocab[name]}))
    with pytest.raises(TokenizerError, match=f"{name} has id"):
        tokenizer.load(tmp_path)


def test_a_turn_mark_that_is_not_one_token_is_refused(tmp_path: Path, gemma_folder: Path):
    content = json.loads((gemma_folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "<end_of_turn>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(TokenizerError, match="'<end_of_turn>' becomes"):
        tokenizer.load(tmp_path)


def test_missing_and_broken_folders_are_named(tmp_path: Path):
    with pytest.raises(TokenizerError, match="no such folder"):
        tokenizer.load(tmp_path / "nowhere")
    with pytest.raises(TokenizerError, match=r"neither tokenizer\.json nor tokenizer\.model"):
        tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(TokenizerError, match="not a tokenizer file"):
        tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.model").write_bytes(b"\x00not a model")
    with pytest.raises(TokenizerError, match=r"cannot convert tokenizer\.model"):
        tokenizer.load(tmp_path)


@pytest.mark.parametrize("rows", [10, 256_000])
def test_a_vocabulary_of_another_model_is_refused(nano: TextTokenizer, rows: int):
    with pytest.raises(TokenizerError, match=rf"{nano.size} ids, the model's embedding {rows} rows"):
        nano.require_fits(rows)


def test_a_folder_cannot_run_code(tmp_path: Path):
    """A tokenizer_config.json that points at code beside it does not get it run."""
    (tmp_path / "tokenizer.model").write_bytes(b"x")
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    config = {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}, "tokenizer_class": "Evil"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(TokenizerError):
        tokenizer.load(tmp_path)


def test_loading_nano_needs_no_transformers():
    code = "import sys; from lora_demo.data import tokenizer; tokenizer.nano(); print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def _edited(source: Path, target: Path, change) -> None:
    content = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    change(content["model"]["vocab"])
    for token in content["added_tokens"]:
        token["id"] = content["model"]["vocab"][token["content"]]
    (target / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
