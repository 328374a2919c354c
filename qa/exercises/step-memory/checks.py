"""What the estimate of one step must give, part by part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

PARTS = ["weights", "gradients and moments", "layer inputs", "logits"]
COUNTS = st.integers(1, 1000)
SMALL = st.integers(1, 9)
BYTES = st.sampled_from([2.0, 4.0, 0.5])
STATES = st.sampled_from([6.0, 4.0, 14.0])


def part(found, name, expected):
    assert name in found, f"there is no part {name!r}; there are {sorted(found)}"
    assert abs(found[name] - expected) <= 1e-6 * expected, f"{name}: {found[name]:g} bytes, expected {expected:g}"


@given(st.just(1))
def check_four_parts_and_their_total(answer, params):
    names = sorted(answer.step_bytes(params, params))
    assert names == sorted([*PARTS, "total"]), f"the parts are {names}"


@given(frozen=COUNTS, trained=COUNTS, weight=BYTES)
def check_every_parameter_has_a_weight(answer, frozen, trained, weight):
    part(answer.step_bytes(frozen + trained, trained, weight), "weights", (frozen + trained) * weight)


@given(frozen=COUNTS, trained=COUNTS, state=STATES)
def check_only_what_trains_has_a_state(answer, frozen, trained, state):
    part(answer.step_bytes(frozen + trained, trained, 2.0, state), "gradients and moments", trained * state)


@given(params=COUNTS)
def check_full_training_in_bf16_takes_eight_bytes_each(answer, params):
    part(answer.step_bytes(params, params), "total", 8 * params)


@given(tokens=SMALL, layers=SMALL, hidden=SMALL)
def check_one_bf16_input_per_layer(answer, tokens, layers, hidden):
    found = answer.step_bytes(10, 1, tokens=tokens, layers=layers, hidden=hidden)
    part(found, "layer inputs", sum(2 * hidden for _ in range(tokens) for _ in range(layers)))


@given(tokens=SMALL, layers=SMALL, vocabulary=st.integers(10, 99))
def check_logits_in_both_types_with_their_gradients(answer, tokens, layers, vocabulary):
    found = answer.step_bytes(10, 1, tokens=tokens, layers=layers, hidden=3, vocabulary=vocabulary)
    bf16, fp32 = 2, 4
    part(found, "logits", (bf16 + fp32) * tokens * vocabulary + (bf16 + fp32) * tokens * vocabulary)


@given(frozen=COUNTS, trained=COUNTS, tokens=SMALL, layers=SMALL, hidden=SMALL, vocabulary=SMALL)
def check_total_is_the_sum_of_the_parts(answer, frozen, trained, tokens, layers, hidden, vocabulary):
    sizes = {"tokens": tokens, "layers": layers, "hidden": hidden, "vocabulary": vocabulary}
    found = answer.step_bytes(frozen + trained, trained, 0.5, 4.0, **sizes)
    part(found, "total", sum(found[name] for name in PARTS))
