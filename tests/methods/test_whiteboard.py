"""The whiteboard page: what it shows is run as shown, and agrees with the package's full implementations."""

from __future__ import annotations

import copy
import math
import re
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lora_demo.methods import adapter, counting, lora, nf4, prefix, subspace, surgery
from lora_demo.methods.whiteboard.chunked_loss import ChunkedLoss
from lora_demo.models.loss import next_token_loss
from lora_demo.pages.writing.excerpt import excerpt
from lora_demo.results.paths import project_root

SHOWN = re.compile(r"^\{\{ code:([\w/]+\.py)#([\w.]+) \}\}$", re.MULTILINE)
SNIPPETS = ("linear", "inject", "merge", "count", "adapter", "prefix", "nf4", "memory", "rank", "low-rank")


def sections(lang: str) -> dict[str, list[tuple[str, str]]]:
    """Snippet -> the code that its section of the page shows."""
    text = (project_root() / "docs" / lang / "whiteboard.md").read_text(encoding="utf-8")
    parts = re.split(r"^## .*\{ #([\w-]+) \}$", text, flags=re.MULTILINE)
    return {name: SHOWN.findall(body) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.fixture(scope="module")
def shown() -> SimpleNamespace:
    """Everything the page shows, executed as text in the order of the page, with imports and nothing else around it."""
    names: dict[str, Any] = {
        "torch": torch,
        "nn": nn,
        "F": F,
        "math": math,
        "NormalDist": NormalDist,
        "Tensor": Tensor,
        "Float": Float,
        "UInt8": UInt8,
    }
    for codes in sections("zh").values():
        for path, symbol in codes:
            code = "from __future__ import annotations\n" + excerpt(project_root(), path, symbol).code
            exec(compile(code, path, "exec"), names)
    return SimpleNamespace(**names)


def test_ten_snippets_of_forty_lines_in_both_languages():
    assert sections("zh") == sections("en")
    assert tuple(sections("zh")) == SNIPPETS
    for name, codes in sections("zh").items():
        lines = sum(len(excerpt(project_root(), *code).code.splitlines()) for code in codes)
        assert 3 <= lines <= 40, f"{name} shows {lines} lines"


def test_linear_is_the_full_lora_layer(shown):
    base, x = nn.Linear(12, 10), torch.randn(5, 12)
    full, short = lora.LoRALinear(copy.deepcopy(base), 4, 8), shown.LoRALinear(base, 4, 8)
    assert torch.equal(short(x), base(x))
    short.A.data.copy_(full.lora_A)
    for parameter in (short.B, full.lora_B):
        parameter.data = torch.arange(40.0).view(10, 4) / 40
    torch.testing.assert_close(short(x), full(x))
    assert [name for name, p in short.named_parameters() if p.requires_grad] == ["A", "B"]
    assert short.A.abs().max() <= 1 / math.sqrt(12)


def test_inject_hits_and_freezes_what_the_full_one_does(shown, tiny, tokens):
    short, full = tiny("llama"), tiny("llama")
    hit = shown.inject(short, {"q_proj", "down_proj"}, r=2, alpha=4)
    assert hit == lora.apply_lora(full, ["q_proj", "down_proj"], r=2, alpha=4)
    trains = {name for name, p in short.named_parameters() if p.requires_grad}
    assert trains == {f"{name}.{factor}" for name in hit for factor in "AB"}
    assert torch.equal(short(tokens).logits, tiny("llama")(tokens).logits)
    with pytest.raises(ValueError, match="query"):
        shown.inject(short, {"query"}, r=2, alpha=4)


def test_merge_keeps_the_output_and_does_nothing_twice(shown, tiny, tokens):
    model = tiny("llama")
    shown.inject(model, {"q_proj", "up_proj"}, r=2, alpha=6)
    for name, parameter in model.named_parameters():
        if name.endswith(".B"):
            parameter.data.normal_(std=0.1)
    before, layer = model(tokens).logits, model.model.layers[0].mlp.up_proj
    shown.merge(layer)
    once = layer.base.weight.clone()
    assert torch.equal(shown.merge(layer).weight, once)
    shown.merge_all(model)
    assert not any(isinstance(module, shown.LoRALinear) for module in model.modules())
    torch.testing.assert_close(model(tokens).logits, before, rtol=1e-4, atol=1e-4)


def test_count_is_the_full_count(shown, tiny):
    short, full = tiny("gemma"), tiny("gemma")
    shown.inject(short, {"q_proj", "v_proj"}, r=4, alpha=4)
    lora.apply_lora(full, ["q_proj", "v_proj"], r=4, alpha=4)
    counted = counting.count_parameters(full)
    assert shown.count(short) == (counted.trainable, counted.total)
    packed = nn.Linear(8, 4, bias=False)
    packed.weight = nn.Parameter(torch.zeros(16, dtype=torch.uint8), requires_grad=False)
    packed.weight.quant_state = SimpleNamespace(shape=(4, 8))
    assert shown.count(packed) == (0, 32)


def test_adapter_is_the_full_adapter(shown):
    base, x = nn.Linear(12, 10), torch.randn(3, 12)
    full, short = adapter.BottleneckAdapter(copy.deepcopy(base), 4), shown.Adapter(base, 10, 4)
    assert torch.equal(short(x), base(x))
    full.up.reset_parameters()
    short.load_state_dict({name.replace("base.", "sublayer."): value for name, value in full.state_dict().items()})
    torch.testing.assert_close(short(x), full(x))
    assert surgery.adapter_parameters(full).keys() == {n for n, p in short.named_parameters() if p.requires_grad}


def test_prefix_is_what_the_cache_makes_of_it(shown, tiny, tokens, monkeypatch):
    model, calls = tiny("gemma"), []
    prefix.apply_prefix(model, count=3)
    attend = F.scaled_dot_product_attention

    def record(q: Tensor, k: Tensor, v: Tensor, **settings: Any) -> Tensor:
        out = attend(q, k, v, **settings)
        calls.append((q, k.expand(-1, q.shape[1], -1, -1), v.expand(-1, q.shape[1], -1, -1), settings, out))
        return out

    monkeypatch.setattr(F, "scaled_dot_product_attention", record)
    model(tokens)
    monkeypatch.undo()
    assert len(calls) == 2
    for (q, k, v, settings, out), (keys, values) in zip(calls, model.prefix(), strict=True):
        short = shown.Prefix(3, q.shape[1], q.shape[3])
        short.keys.data, short.values.data = keys.expand(q.shape[1], -1, -1), values.expand(q.shape[1], -1, -1)
        scale = settings.get("scale") or q.shape[3] ** -0.5
        torch.testing.assert_close(short(q * scale * q.shape[3] ** 0.5, k[:, :, 3:], v[:, :, 3:]), out)


def test_nf4_differs_from_the_full_one_by_the_second_quantisation_only(shown):
    weight = torch.randn(8, 256, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(shown.levels(), torch.tensor(nf4.code_book()), rtol=0, atol=1e-7)
    packed, scale = shown.quantise(weight)
    full = nf4.quantise(weight)
    assert torch.equal(packed, full.codes)
    back = shown.dequantise(packed, scale, (8, 256))
    steps = full.constants.view(torch.float32)[:-1].max()
    assert (back - nf4.dequantise(full, (8, 256), torch.float32)).abs().max() <= 0.51 * steps
    assert torch.equal(shown.quantise(torch.zeros(64))[1], torch.full((1, 1), 1e-12))


def test_estimate_gives_the_figures_of_the_catalogue(shown):
    from lora_demo.figures.catalogue import conventions, mgm2b_activations, mgm2b_logits, seven_b

    total, adapters = seven_b.total("llama2_7b"), seven_b.trainable("llama2_7b", "all", 16)
    assert shown.step_bytes(total + adapters, adapters)["total"] == seven_b.lora_states("llama2_7b")
    assert shown.step_bytes(total, total)["total"] == seven_b.full_states("llama2_7b", "full_bf16")
    for state, convention in ((6, "full_bf16"), (4, "full_adam8bit"), (14, "full_mixed")):
        assert 2 + state == conventions.bytes_per_parameter(convention)
    parts = shown.step_bytes(0, 0, tokens=2048, layers=18, hidden=2048, vocabulary=256_000)
    assert parts["logits"] == mgm2b_logits.naive_at(2048)
    assert parts["layer inputs"] == mgm2b_activations.layer_inputs(2048)
    assert parts["total"] == parts["logits"] + parts["layer inputs"]


def test_rank_needed_is_that_of_the_whole_product(shown):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(8, 40, generator=generator), torch.randn(30, 8, generator=generator)
    b = b * torch.tensor([8.0, 4, 2, 1, 0.1, 0.01, 0.001, 0])
    energy = torch.linalg.svdvals(b @ a).square()
    for share in (0.5, 0.9, 0.99, 0.9999):
        kept = (energy.cumsum(0) / energy.sum() < share).sum().item() + 1
        assert shown.rank_needed(a, b, share) == kept
    assert shown.rank_needed(a, b, 0.99) < 8
    assert shown.rank_needed(a, torch.zeros(30, 8)) == 0
    assert shown.rank_needed(a[:1], b[:, :1], 1.0) == 1


def test_low_rank_check_tells_the_weight_from_the_update(shown):
    """The weight is not low-rank, the update is; and rounding to bf16 makes the update's plain rank full."""
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(96, 64, generator=generator)
    after = before + torch.randn(96, 4, generator=generator) @ torch.randn(4, 64, generator=generator)
    found = shown.low_rank_check(before, after, 4)
    assert found["weight"] < 0.3
    assert found["update"] > 0.999
    assert found["matrix_rank"] == 4
    rounded = shown.low_rank_check(before.bfloat16(), after.bfloat16(), 4)
    assert rounded["update"] > 0.999
    assert rounded["matrix_rank"] == 64
    assert subspace.similarity((after - before), (after - before), 4, 4) > 0.999


def test_an_update_below_the_rounding_of_bf16_no_longer_looks_low_rank(shown):
    """A weight near 0.02 has neighbours 1.2e-4 apart in bf16; an update of 1e-5 drowns in the rounding."""
    generator = torch.Generator().manual_seed(0)
    before = 0.02 * torch.randn(96, 64, generator=generator)
    update = torch.randn(96, 4, generator=generator) @ torch.randn(4, 64, generator=generator)
    after = before + 1e-5 * update / update.std()
    assert shown.low_rank_check(before, after, 4)["update"] > 0.999
    assert shown.low_rank_check(before.bfloat16(), after.bfloat16(), 4)["update"] < 0.5


def test_chunked_loss_keeps_no_logits_and_gives_the_whole_ones_gradient():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(11, 6, generator=generator, requires_grad=True)
    weight, targets = torch.randn(50, 6, generator=generator), torch.randint(0, 50, (11,), generator=generator)
    next_token_loss(states @ weight.T, targets, denominator=3).backward()
    whole, states.grad = states.grad, None
    kept: list[torch.Size] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        loss = ChunkedLoss.apply(states, weight, targets, 4) / 3
    loss.backward()
    torch.testing.assert_close(states.grad, whole)
    torch.testing.assert_close(loss, next_token_loss(states @ weight.T, targets, denominator=3))
    assert kept == [states.shape]
