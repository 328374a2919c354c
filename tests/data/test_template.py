import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.data.template import (
    CONTROL_MARKS,
    IMAGE,
    Segment,
    TemplateError,
    Turn,
    ask,
    count_images,
    image_first,
    render,
    segments,
)

TWO_ROUNDS = [Turn("user", "one?"), Turn("model", "1"), Turn("user", "two?"), Turn("model", "2")]


def test_the_rendered_text_is_gemmas_format():
    from jinja2 import Template

    gemma = Template(
        "<bos>{% for turn in turns %}<start_of_turn>{{ turn.role }}\n{{ turn.text }}<end_of_turn>\n"
        "{% if turn.role == 'model' %}<eos>{% endif %}{% endfor %}"
        "{% if turns[-1].role == 'user' %}<start_of_turn>model\n{% endif %}",
        keep_trailing_newline=True,
    )
    for end in range(1, len(TWO_ROUNDS) + 1):
        turns = TWO_ROUNDS[:end]
        assert render(turns) == gemma.render(turns=turns)


def test_only_answers_and_their_end_marks_are_supervised():
    supervised = [segment.text for segment in segments(TWO_ROUNDS) if segment.supervised]
    assert supervised == ["1<end_of_turn>\n<eos>", "2<end_of_turn>\n<eos>"]


def test_a_question_alone_ends_with_the_model_header():
    (only,) = segments(ask("Which digit?", image=True))
    assert only == Segment(f"<start_of_turn>user\n{IMAGE}\nWhich digit?<end_of_turn>\n<start_of_turn>model\n", False)
    assert count_images(ask("Which digit?", image=False)) == 0


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("What is this? <image>", "<image>\nWhat is this?"),
        ("<image>\nWhat is this?", "<image>\nWhat is this?"),
        ("A <image> and <image> B", "<image>\nA  and  B"),
        ("<image>", "<image>\n"),
        ("  untouched \n", "  untouched \n"),
    ],
)
def test_the_image_moves_to_the_front_once(text: str, moved: str):
    assert image_first(text) == moved


@given(st.text(st.sampled_from("ab \n"), max_size=8), st.text(st.sampled_from("ab \n"), max_size=8))
def test_moving_the_image_twice_changes_nothing_more(before: str, after: str):
    once = image_first(before + IMAGE + after)
    assert once.count(IMAGE) == 1
    assert image_first(once) == once


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "empty"),
        ([Turn("model", "x")], "turn 0 is by 'model'"),
        ([Turn("user", "a"), Turn("user", "b")], "turn 1 is by 'user'"),
        ([Turn("user", "a"), Turn("model", "see <image>")], "turn 1 is an answer"),
    ],
)
def test_turns_that_do_not_alternate_are_refused(turns: list[Turn], reason: str):
    with pytest.raises(TemplateError, match=reason):
        segments(turns)


@pytest.mark.parametrize("mark", CONTROL_MARKS)
@pytest.mark.parametrize("place", [0, 1])
def test_nobody_may_say_a_control_mark(mark: str, place: int):
    turns = [Turn("user", "a"), Turn("model", "b")]
    turns[place] = Turn(turns[place].role, f"x{mark}y")
    with pytest.raises(TemplateError, match=f"turn {place} contains '{mark}'"):
        render(turns)
