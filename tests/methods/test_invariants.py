"""One matrix: what every method promises, for every method it holds for."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lora_demo.methods import merging, own_format, registry, surgery
from lora_demo.methods.counting import count_parameters
from lora_demo.methods.errors import MergeRefused, MethodError
from lora_demo.methods.registry import METHODS

DECODERS, EVERYWHERE = ("llama",), ("gemma", "bert")
LINEARS = {"gemma": "q_proj+v_proj+down_proj", "llama": "q_proj+v_proj+down_proj", "bert": "query+value+output.dense"}
FEED = {"gemma": "down_proj", "llama": "down_proj", "bert": "output.dense"}
SPECS = {
    "full": ("full", EVERYWHERE),
    "lora": ("lora:r=3,alpha=6,dropout=0.3,targets={linears}", EVERYWHERE),
    "rslora": ("lora:r=3,alpha=6,rslora=true,targets=all", EVERYWHERE),
    "dora": ("dora:r=3,alpha=6,dropout=0.3,targets={linears}", EVERYWHERE),
    "pissa": ("pissa:r=3,alpha=6,targets={linears}", EVERYWHERE),
    "adalora": ("adalora:r=3,alpha=6,dropout=0.3,targets={linears}", EVERYWHERE),
    "qlora": ("qlora:r=3,alpha=6,dropout=0.3,targets={linears}", EVERYWHERE),
    "ia3": ("ia3:targets={linears},feedforward={feed}", EVERYWHERE),
    "adapter": ("adapter:bottleneck=4,targets={feed}", EVERYWHERE),
    "prefix": ("prefix:count=3", DECODERS),
    "prefix-network": ("prefix:count=3,hidden=8", DECODERS),
    "prompt": ("prompt:count=3", DECODERS),
    "bitfit": ("bitfit", ("bert",)),
    "layernorm": ("layernorm", EVERYWHERE),
}
SPECS_BY_TEXT = dict(SPECS.values())
CASES = [pytest.param(spec, family, id=f"{name}-{family}") for name, (spec, on) in SPECS.items() for family in on]


class Case:
    """A base, an adapted copy of it, and what the registry says about the method."""

    def __init__(self, base: nn.Module, spec: str, family: str) -> None:
        self.name, self.settings = registry.parse(spec.format(linears=LINEARS[family], feed=FEED[family]))
        self.base, self.model, self.says = base, copy.deepcopy(base), METHODS[self.name]
        torch.manual_seed(0)
        registry.apply(self.model, self.name, **self.settings)
        self.at_start = copy.deepcopy(self.model)


@pytest.fixture
def case(tiny, perturb, request):
    spec, family = request.param
    case = Case(tiny(family), spec, family)
    perturb(case.model)
    return case


def _over(cases: list) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(c.values, id=c.id) for c in cases], indirect=True)


every_method = _over(CASES)
# tracing is slow and sees shapes only: one family per method is enough
once_per_method = _over([c for c in CASES if c.values[1] == SPECS_BY_TEXT[c.values[0]][0]])


def _logits(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(tokens).logits


def test_the_matrix_covers_every_method():
    assert {registry.parse(spec)[0] for spec, _ in SPECS.values()} == set(METHODS)


@every_method
def test_identity_at_init(case, tokens):
    start, base = _logits(case.at_start, tokens), _logits(case.base, tokens)
    if case.says.identity_at_init:
        torch.testing.assert_close(start, base, rtol=1e-5, atol=1e-5)
    else:
        assert (start - base).abs().max() > 1e-4, "the registry says that this start is not neutral"


@every_method
def test_the_adapter_matters(case, tokens):
    assert (_logits(case.model, tokens) - _logits(case.at_start, tokens)).abs().max() > 1e-4


@every_method
def test_trainable_is_counted_is_saved(case, tmp_path):
    trained = {name: p for name, p in case.model.named_parameters() if p.requires_grad}
    assert trained
    assert set(surgery.adapter_parameters(case.model)) == set(trained) == set(surgery.collect(case.model))
    assert count_parameters(case.model).trainable == sum(p.numel() for p in trained.values())
    if case.name != "pissa":
        own_format.save(case.model, tmp_path / "adapter", case.name, case.settings)
        _, tensors = own_format.folder.read(tmp_path / "adapter", own_format.FILES)
        assert set(tensors) == set(trained)


@every_method
def test_save_and_load_is_exact(case, tokens, tmp_path):
    if case.name == "pissa":
        with pytest.raises(MethodError, match=r"rewrites the base"):
            own_format.save(case.model, tmp_path / "adapter", case.name, case.settings)
        return
    own_format.save(case.model, tmp_path / "adapter", case.name, case.settings)
    loaded = copy.deepcopy(case.base)
    own_format.load(loaded, tmp_path / "adapter")
    assert torch.equal(_logits(loaded, tokens), _logits(case.model, tokens))


@every_method
def test_frozen_weights_carry_no_state(case, tokens):
    model = case.model.train()
    frozen = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
    packed = {name: b.clone() for name, b in model.named_buffers()}
    trained = {name: p.detach().clone() for name, p in surgery.adapter_parameters(model).items()}
    optimizer = torch.optim.AdamW(surgery.adapter_parameters(model).values(), lr=1e-2, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(tokens).logits.float().square().mean().backward()
        optimizer.step()
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    assert all(torch.equal(parameters[name], value) for name, value in frozen.items())
    assert all(torch.equal(buffers[name], value) for name, value in packed.items())
    assert all(parameters[name].grad is None for name in frozen)
    assert {id(p) for p in optimizer.state} <= {id(parameters[name]) for name in trained}
    moved = [name for name, value in trained.items() if not torch.equal(parameters[name], value)]
    assert len(moved) > 0.5 * len(trained)


@every_method
def test_dropout_is_off_in_eval(case, tokens):
    model = case.model.eval()
    assert torch.equal(_logits(model, tokens), _logits(model, tokens))
    if case.settings.get("dropout"):
        model.train()
        assert not torch.equal(_logits(model, tokens), _logits(model, tokens))


@every_method
def test_disabled_is_the_base(case, tokens):
    if not case.says.wraps:
        with pytest.raises(MethodError), merging.disabled(case.model):
            pass
        return
    adapted = _logits(case.model, tokens)
    with merging.disabled(case.model):
        off = _logits(case.model, tokens)
    if case.name != "qlora":
        assert torch.equal(off, _logits(case.base, tokens))
    assert not torch.equal(off, adapted)
    assert torch.equal(_logits(case.model, tokens), adapted)


@every_method
def test_merge_and_unmerge(case, tokens, bits):
    before = bits(case.model)
    if not case.says.mergeable:
        with pytest.raises(MergeRefused):
            merging.merge(case.model)
        assert all(torch.equal(value, before[name]) for name, value in bits(case.model).items())
        return
    model = case.model.double()
    apart, before = _logits(model, tokens), bits(model)
    merging.merge(model)
    torch.testing.assert_close(_logits(model, tokens), apart, rtol=1e-12, atol=1e-12)
    with pytest.raises(MergeRefused, match=r"already merged"):
        merging.merge(model)
    merging.unmerge(model)
    for name, value in bits(model).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=1e-13)
    torch.testing.assert_close(_logits(model, tokens), apart, rtol=1e-12, atol=1e-12)


@once_per_method
def test_works_on_fake_and_meta_tensors(case, tokens):
    from lora_demo.methods.skeleton import adapted_shapes

    shapes = adapted_shapes(case.base, lambda bare: registry.apply(bare, case.name, **case.settings))
    assert shapes == {name: tuple(p.shape) for name, p in surgery.adapter_parameters(case.model).items()}
    with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = copy.deepcopy(case.base, {id(t): _fake(mode, t) for t in _tensors(case.base)})
        registry.apply(fake, case.name, **case.settings)
        logits = fake.train()(mode.from_tensor(tokens)).logits
        logits.sum().backward()
    assert logits.shape == _logits(case.base, tokens).shape
    assert all(p.grad is not None for p in surgery.adapter_parameters(fake).values())


def _tensors(model: nn.Module) -> list[torch.Tensor]:
    return [*model.parameters(), *model.buffers()]


def _fake(mode: torch._subclasses.FakeTensorMode, tensor: torch.Tensor) -> torch.Tensor:
    fake = mode.from_tensor(tensor.detach())
    return nn.Parameter(fake) if isinstance(tensor, nn.Parameter) else fake
