"""Splicing against a second computation that walks the batch token by token."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lora_demo.models.config import SpliceConfig
from lora_demo.models.splice import SpliceError, assemble, plan_splice

IMAGE, IGNORE, PAD = -200, -100, 0
BLOCK, WIDTH = 3, 4


def token_by_token(ids, mask, labels, text, images, side, limit):
    """Rows of (vector, label), padded: the rules spelled out one token at a time."""
    rows, used = [], 0
    for r in range(len(ids)):
        row, had_image = [], False
        for t, token in enumerate(ids[r]):
            if mask[r][t] == 0:
                continue
            if token == IMAGE:
                had_image = True
                row += [(vector, IGNORE) for vector in images[used]]
                used += 1
            else:
                row.append((text[r, t], labels[r][t]))
        used += not had_image
        rows.append(row[:limit])
    longest = max(map(len, rows))
    blank = (torch.zeros(WIDTH), IGNORE)
    filled = [[blank] * (longest - len(row)) + row if side == "left" else row for row in rows]
    filled = [row + [blank] * (longest - len(row)) for row in filled]
    real = [[0] * (longest - len(row)) + [1] * len(row) if side == "left" else [1] * len(row) for row in rows]
    real = [row + [0] * (longest - len(row)) for row in real]
    vectors = torch.stack([torch.stack([vector for vector, _ in row]) for row in filled])
    return vectors, [[label for _, label in row] for row in filled], real


@st.composite
def batches(draw):
    length = draw(st.integers(1, 7))
    token = st.one_of(st.integers(1, 50), st.just(IMAGE))
    row = st.tuples(st.lists(token, min_size=length, max_size=length), st.integers(1, length), st.booleans())
    rows = draw(st.lists(row, min_size=1, max_size=4))
    masks = [
        [0] * (length - real) + [1] * real if left else [1] * real + [0] * (length - real) for _, real, left in rows
    ]
    return [ids for ids, _, _ in rows], masks


@settings(max_examples=200, deadline=None)
@given(batch=batches(), side=st.sampled_from(["left", "right"]), limit=st.one_of(st.none(), st.integers(1, 9)))
def test_same_rows_as_token_by_token(batch, side, limit):
    ids, mask = batch
    labels = [[1000 + 10 * r + t for t in range(len(row))] for r, row in enumerate(ids)]
    needed = sum(
        max(1, sum(token == IMAGE and keep for token, keep in zip(row, kept, strict=True)))
        for row, kept in zip(ids, mask, strict=True)
    )
    text, images = torch.randn(len(ids), len(ids[0]), WIDTH), torch.randn(needed, BLOCK, WIDTH)
    vectors, expected_labels, real = token_by_token(ids, mask, labels, text, images, side, limit)
    plan = plan_splice(
        torch.tensor(ids),
        torch.tensor(mask),
        torch.tensor(labels),
        images=needed,
        image_tokens=BLOCK,
        config=SpliceConfig(padding_side=side, max_length=limit),
    )
    assert torch.equal(assemble(plan, text, images), vectors)
    assert [list(row) for row in plan.labels] == expected_labels
    assert [list(row) for row in plan.mask] == real
    assert plan.needs_mask == any(row != sorted(row, reverse=True) for row in real)


CASES = {
    "text before and after": [[5, 6, IMAGE, 7, 8, 9]],
    "image first, image last": [[IMAGE, 5, 6, 7], [5, 6, 7, IMAGE]],
    "image alone": [[IMAGE, PAD, PAD], [5, IMAGE, 6]],
    "text-only row between": [[5, IMAGE, 6, 7], [8, 9, 10, 11], [IMAGE, 12, PAD, PAD]],
    "two images in a row": [[5, IMAGE, IMAGE, 6], [7, IMAGE, 8, PAD]],
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("limit", [None, 11])
@pytest.mark.parametrize("case", CASES)
def test_every_row_is_as_if_it_were_alone(case, limit, side, make_model, make_images, deviation):
    """Logits and loss of the batch against the language model run on each row without padding or splice code."""
    model = make_model(padding_side=side, max_length=limit)
    ids = torch.tensor(CASES[case])
    mask = (ids != PAD).long()
    labels = ids.masked_fill((ids == IMAGE) | (ids == PAD), IGNORE)
    count = sum(max(1, row.count(IMAGE)) for row in CASES[case])
    views = make_images(count)
    output = model(ids, mask, *views, labels)

    images, used, total, supervised = model.encode_images(*views), 0, 0.0, 0
    table, scale = model.language_model.model.embed_tokens.weight, model.config.llm.hidden_size**0.5
    for r, row in enumerate(CASES[case]):
        pieces, targets = [], []
        for token in row:
            if token == IMAGE:
                pieces.append(images[used] * scale)
                targets += [IGNORE] * len(images[used])
                used += 1
            elif token != PAD:
                pieces.append(table[token][None] * scale)
                targets.append(token)
        used += IMAGE not in row
        alone = torch.cat(pieces)[:limit][None]
        expected = model.language_model(inputs_embeds=alone).logits[0]
        real = torch.tensor(output.plan.mask[r]).bool()
        assert deviation(output.logits[r][real], expected) < 1e-5
        wanted = torch.tensor(targets[:limit][1:])
        total += F.cross_entropy(expected[:-1], wanted, ignore_index=IGNORE, reduction="sum")
        supervised += int((wanted != IGNORE).sum())
    assert deviation(output.loss, total / supervised) < 1e-5


def test_logits_of_supervised_positions_only(make_model, make_images, deviation):
    model = make_model()
    ids = torch.tensor(CASES["text-only row between"])
    labels = ids.masked_fill((ids == IMAGE) | (ids == PAD), IGNORE)
    batch = (ids, (ids != PAD).long(), *make_images(3), labels)
    whole, selected = model(*batch), model(*batch, supervised_only=True)
    places = whole.plan.supervised
    assert selected.logits.shape == (len(places), model.config.llm.vocab_size)
    assert deviation(selected.loss, whole.loss) < 1e-6
    assert deviation(selected.logits, torch.stack([whole.logits[r, t] for r, t, _ in places])) < 1e-5
    gradients = [
        torch.autograd.grad(result.loss, [model.mm_projector[0].weight, model.language_model.model.norm.weight])
        for result in (whole, selected)
    ]
    for expected, found in zip(*gradients, strict=True):
        assert deviation(found, expected) < 1e-5


def test_the_loss_is_transformers_own_on_text(make_model, deviation):
    model = make_model()
    ids = torch.tensor([[2, 5, 6, 7, 8], [2, 9, 10, 11, 12]])
    labels = ids.masked_fill(torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]).bool(), IGNORE)
    expected = model.language_model(input_ids=ids, labels=labels).loss
    assert deviation(model(ids, labels=labels).loss, expected) < 1e-6


def test_denominator_weighs_tokens_of_accumulated_batches_equally(make_model):
    model = make_model()
    ids = torch.tensor([[2, 5, 6, 7, 8], [2, 9, 10, 11, 12]])
    labels = ids.masked_fill(torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]).bool(), IGNORE)
    together = model(ids, labels=labels).loss
    parts = [model(ids[r : r + 1], labels=labels[r : r + 1], denominator=4).loss for r in range(2)]
    torch.testing.assert_close(sum(parts), together)


def test_wrong_number_of_images_is_named(make_model, make_images):
    ids = torch.tensor([[5, IMAGE, 6], [7, 8, 9]])
    with pytest.raises(SpliceError, match=r"needs 2 images .* but brings 1"):
        make_model()(ids, None, *make_images(1))
    with pytest.raises(SpliceError, match="row 0 has an image placeholder at position 1, but no images"):
        make_model()(ids)
    with pytest.raises(ValueError, match="two views"):
        make_model()(ids, None, make_images(2)[0])


def test_nothing_left_to_supervise_is_an_error(make_model, make_images):
    ids = torch.tensor([[5, IMAGE, 6, 7]])
    labels = torch.tensor([[IGNORE, IGNORE, 6, 7]])
    with pytest.raises(ValueError, match="no label in this batch counts"):
        make_model(max_length=8)(ids, None, *make_images(1), labels)
