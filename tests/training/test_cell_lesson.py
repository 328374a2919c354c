"""The lesson of towers and projectors: which words it uses, what it trains, and how attention starts out."""

from __future__ import annotations

import torch

from lora_demo.data import tokenizer
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_NANO
from lora_demo.training.preparation.cell_lesson import CellLesson, Vocabulary
from lora_demo.training.preparation.fresh_weights import SIMILARITY, fresh_model
from lora_demo.training.preparation.prepare import cell_source


def fresh() -> MGM:
    torch.manual_seed(0)
    model = MGM(MGM_NANO)
    fresh_model(model)
    return model


def test_each_word_of_a_cell_is_one_token_of_its_own():
    text, words = tokenizer.nano(), Vocabulary.of_cells()
    ids = (*words.digits, *words.rows, *words.columns)
    assert len(set(ids)) == len(ids) == 11 + 3 + 3
    assert [text.decode([i]) for i in words.digits] == ["none", *map(str, range(10))]
    assert text.decode(list(words.rows)) == " top middle bottom"
    assert text.decode(list(words.columns)) == " left centre right"


def test_the_lesson_trains_towers_projectors_and_words_and_nothing_else():
    model = fresh()
    lesson = CellLesson(model.requires_grad_(False))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(lesson.parameters(), lr=0.1)
    lesson(**cell_source("train", 4, 0.5, 0).inputs(range(4))).loss.backward()
    optimizer.step()
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert not any(".layers." in name for name in changed if name.startswith("language_model"))
    for part in ("vision_tower.", "vision_tower_aux.", "mm_projector.", "vlm_uni_val_projector.", "embed_tokens"):
        assert any(part in name for name in changed), part
    frozen = lesson.finish()
    assert not any(p.requires_grad for n, p in frozen.named_parameters() if n.startswith("vision_tower"))


def test_half_of_attention_starts_out_looking_for_its_like():
    llm = MGM_NANO.llm
    half = llm.num_attention_heads * llm.head_dim // 2
    for layer in fresh().language_model.model.layers:
        query, key = layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight
        value, out = layer.self_attn.v_proj.weight, layer.self_attn.o_proj.weight
        assert torch.equal(query[:half], key[:half])
        assert torch.equal(out[:, :half], value[:half].T)
        likeness = query[:half].T @ key[:half]
        expected = torch.tensor(SIMILARITY**2 * half / llm.hidden_size)
        assert torch.isclose(likeness.diagonal().mean(), expected, rtol=0.15)
        assert likeness.diagonal().mean() > 3 * (likeness - likeness.diagonal().diag()).abs().mean()
        other = query[half:].T @ key[half:]
        assert other.diagonal().mean().abs() < 0.3 * expected
        assert not torch.allclose(out[:, half:], value[half:].T, atol=0.01)
