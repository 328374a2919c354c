"""Generation: padding on the left, cache, images."""

from __future__ import annotations

import torch

GREEDY = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None}


def greedy_without_cache(model, ids, views, steps):
    """Append the likeliest token again and again, running the whole row each time."""
    new = []
    for _ in range(steps):
        row = torch.tensor([[*ids, *new]])
        new.append(int(model(row, None, *views).logits[0, -1].argmax()))
    return new


def test_a_padded_batch_generates_what_each_row_generates_alone(make_model, make_images):
    model = make_model().eval()
    rows = [[2, 5, -200, 6, 7, 8], [2, -200, 9]]
    small, large = make_images(2)
    ids = torch.tensor([rows[0], rows[1] + [0] * 3])
    found = model.generate(ids, (ids != 0).long(), small, large, **GREEDY).tolist()
    for r, row in enumerate(rows):
        views = (small[r : r + 1], large[r : r + 1])
        assert found[r] == greedy_without_cache(model, row, views, GREEDY["max_new_tokens"])


def test_text_only_prompts_with_right_padding_are_generated_from_their_last_token(make_model):
    model = make_model().eval()
    rows = [[2, 5, 6, 7, 8], [2, 9]]
    ids = torch.tensor([rows[0], rows[1] + [0] * 3])
    found = model.generate(ids, (ids != 0).long(), **GREEDY).tolist()
    for row, continued in zip(rows, found, strict=True):
        assert continued == greedy_without_cache(model, row, (), GREEDY["max_new_tokens"])


def test_the_image_is_seen(make_model, make_images):
    model = make_model().eval()
    ids = torch.tensor([[2, -200, 9, 10]])
    small, large = make_images(1)
    seen = model(ids, None, small, large).logits
    assert not torch.allclose(seen, model(ids, None, torch.zeros_like(small), large).logits)
    assert not torch.allclose(seen, model(ids, None, small, torch.zeros_like(large)).logits)
