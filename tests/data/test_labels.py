"""Labels: our construction from segments against the rule of the public code, written anew from its description."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.data.labels import IGNORE, IMAGE_ID, Encoded, encode, prompt_ids
from lora_demo.data.template import EOS, IMAGE, MODEL_HEADER, TURN_END, Turn, ask, image_first, render
from lora_demo.data.tokenizer import TextTokenizer
from lora_demo.models.presets import mgm_preset

WORDS = st.text(st.sampled_from("abz 17?.\n世"), max_size=12)
ANSWERS = WORDS.filter(lambda text: text != "" and not text.startswith("\n"))


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    turns: list[Turn] = []
    for place in range(draw(st.integers(1, 3))):
        question = draw(WORDS)
        if place == 0 and draw(st.booleans()):
            question = image_first(question + IMAGE)
        turns += [Turn("user", question), Turn("model", draw(ANSWERS))]
    return turns


def by_spans(turns: list[Turn], tokenizer: TextTokenizer) -> Encoded:
    """The original's way: tokenise the whole text once, then measure each round by tokenising it a second time.

    The text is cut at the image, each chunk gets a bos, and only the first is kept. A round is what stands between two
    `<eos>`; its own bos stands in for the eos that the cut has taken away. All up to the model header is ignored.
    """
    text = render(turns).removeprefix("<bos>")
    ids = _around_images(text, tokenizer)
    labels = list(ids)
    labels[0] = IGNORE
    position = 1
    for part in text.split(EOS):
        if not part:
            break
        question, _answer = part.split(MODEL_HEADER)
        asked = len(_around_images(question + MODEL_HEADER, tokenizer)) - 1
        labels[position : position + asked] = [IGNORE] * asked
        position += len(_around_images(part, tokenizer))
    if position != len(ids):
        labels = [IGNORE] * len(ids)
    return Encoded(ids, labels)


def _around_images(text: str, tokenizer: TextTokenizer) -> list[int]:
    chunks = [[tokenizer.bos, *tokenizer.encode(chunk)] for chunk in text.split(IMAGE)]
    ids = chunks[0]
    for chunk in chunks[1:]:
        ids = [*ids, IMAGE_ID, *chunk[1:]]
    return ids


def on_both(test: Callable) -> Callable:
    return pytest.mark.parametrize("name", ["nano", "gemma_like"])(test)


@pytest.fixture(scope="session")
def tokenizers(nano: TextTokenizer, gemma_like: TextTokenizer) -> dict[str, TextTokenizer]:
    return {"nano": nano, "gemma_like": gemma_like}


@on_both
@given(turns=conversations())
def test_segments_give_the_ids_and_spans_of_the_original_rule(tokenizers, name: str, turns: list[Turn]):
    ours, theirs = encode(turns, tokenizers[name]), by_spans(turns, tokenizers[name])
    assert ours == theirs
    assert theirs.supervised > 0


@on_both
@given(turns=conversations())
def test_supervised_tokens_are_the_answers_with_their_end_marks(tokenizers, name: str, turns: list[Turn]):
    tokenizer = tokenizers[name]
    encoded = encode(turns, tokenizer)
    learned = [label for label in encoded.labels if label != IGNORE]
    answers = "".join(turn.text + TURN_END + EOS for turn in turns if turn.role == "model")
    assert tokenizer.decode(learned, skip_special=False) == answers
    assert all(label in (IGNORE, token) for token, label in zip(encoded.input_ids, encoded.labels, strict=True))
    assert tokenizer.decode(encoded.input_ids, skip_special=False) == render(turns).replace(IMAGE, "")


@on_both
@given(turns=conversations(), length=st.integers(0, 60))
def test_cutting_keeps_the_beginning(tokenizers, name: str, turns: list[Turn], length: int):
    whole, cut = encode(turns, tokenizers[name]), encode(turns, tokenizers[name], max_length=length)
    assert cut.input_ids == whole.input_ids[:length]
    assert cut.labels == whole.labels[:length]
    assert len(cut) == min(length, len(whole))


@on_both
@given(turns=conversations())
def test_training_continues_exactly_what_generation_starts_from(tokenizers, name: str, turns: list[Turn]):
    """At each answer, the ids so far are those of a prompt that ends with this question."""
    tokenizer = tokenizers[name]
    whole = encode(turns, tokenizer)
    for asked in range(1, len(turns), 2):
        prompt = prompt_ids(turns[:asked], tokenizer)
        assert whole.input_ids[: len(prompt)] == prompt
        assert whole.labels[len(prompt) - 1] == IGNORE
        assert whole.labels[len(prompt)] != IGNORE


def test_an_answer_that_begins_with_a_line_break_keeps_its_mask(gemma_like: TextTokenizer):
    """The original's spans slip here, because the line breaks of header and answer merge into one token."""
    turns = [Turn("user", "a"), Turn("model", "\nb")]
    ours, theirs = encode(turns, gemma_like), by_spans(turns, gemma_like)
    assert ours.input_ids != theirs.input_ids
    learned = [label for label in ours.labels if label != IGNORE]
    assert gemma_like.decode(learned, skip_special=False) == "\nb" + TURN_END + EOS
    lost = [label for label in theirs.labels if label != IGNORE]
    assert gemma_like.decode(lost, skip_special=False) != "\nb" + TURN_END + EOS


def test_one_round_by_hand(nano: TextTokenizer):
    encoded = encode([*ask("Is there a 7?", image=True), Turn("model", "no")], nano)
    start, end, line = nano.start_of_turn, nano.end_of_turn, nano.newline
    question = [nano.bos, start, *nano.encode("user"), line, IMAGE_ID, line, *nano.encode("Is there a 7?"), end, line]
    header = [start, *nano.encode("model"), line]
    answer = [*nano.encode("no"), end, line, nano.eos]
    assert encoded.input_ids == question + header + answer
    assert encoded.labels == [IGNORE] * len(question + header) + answer
    assert encoded.supervised == len(answer)
    assert encoded.length_with_images(16) == len(encoded) + 15


def test_a_picture_costs_what_the_model_says(nano: TextTokenizer):
    encoded = encode([*ask("?", image=True), Turn("model", "1")], nano)
    assert encoded.length_with_images(mgm_preset("mgm-2b").image_tokens) - len(encoded) == 575
    assert IGNORE not in encoded.input_ids


def test_a_prompt_ends_with_a_question(nano: TextTokenizer):
    with pytest.raises(ValueError, match="ends with a user turn"):
        prompt_ids([Turn("user", "a"), Turn("model", "b")], nano)
    with pytest.raises(ValueError, match="ends with a user turn"):
        prompt_ids([], nano)
