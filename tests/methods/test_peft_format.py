"""PEFT's folders: ours load there, theirs load here, with equal logits; what does not fit is refused."""

from __future__ import annotations

import copy
import json

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_demo.methods import peft_format, registry, surgery
from lora_demo.methods.errors import MethodError

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

SPECS = {
    "lora": "lora:r=3,alpha=6,dropout=0.1,targets=all",
    "rslora": "lora:r=4,alpha=6,rslora=true,targets=q_proj+v_proj",
    "dora": "dora:r=2,alpha=6,targets=q_proj+down_proj",
    "pissa": "pissa:r=3,alpha=6,targets=q_proj+v_proj",
    "ia3": "ia3:targets=k_proj+v_proj+down_proj,feedforward=down_proj",
    "prefix": "prefix:count=3",
    "prefix-network": "prefix:count=3,hidden=8",
}
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
every_format = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())


def _adapted(base, spec, perturb):
    name, settings = registry.parse(spec)
    model = copy.deepcopy(base)
    registry.apply(model, name, **settings)
    perturb(model)
    return model.eval()


@pytest.mark.parametrize("family", ["gemma", "llama"])
@every_format
def test_ours_loads_in_peft(tiny, tokens, perturb, tmp_path, spec, family):
    base = tiny(family)
    model = _adapted(base, spec, perturb)
    folder = peft_format.save(model, tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), folder).eval()
    mask = torch.ones_like(tokens)
    expected = model(tokens).logits
    torch.testing.assert_close(theirs(input_ids=tokens, attention_mask=mask).logits, expected, **CLOSE)
    assert (expected - base(tokens).logits).abs().max() > 1e-3
    theirs.save_pretrained(tmp_path / "back")
    back = copy.deepcopy(base)
    peft_format.load(back, tmp_path / "back")
    torch.testing.assert_close(back.eval()(tokens).logits, expected, **CLOSE)


def test_bert_needs_full_names(tiny, tokens, perturb, tmp_path):
    base = tiny("bert")
    model = _adapted(base, "lora:r=2,targets=attention.output.dense", perturb)
    folder = peft_format.save(model, tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), folder).eval()
    torch.testing.assert_close(theirs(input_ids=tokens).logits, model(tokens).logits, **CLOSE)
    assert json.loads((folder / "adapter_config.json").read_text())["target_modules"][0].startswith("bert.encoder")


@pytest.mark.parametrize("targets", ["all-linear", r".*\.self_attn\.[qk]_proj"])
def test_targets_as_peft_writes_them(tiny, tokens, tmp_path, targets):
    base = tiny("gemma")
    theirs = peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(r=2, target_modules=targets)).eval()
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    theirs.save_pretrained(tmp_path)
    peft_format.load(base, tmp_path)
    torch.testing.assert_close(base(tokens).logits, theirs(input_ids=tokens).logits, **CLOSE)


def test_peft_refuses_a_trainable_prefix_and_we_do_not(tiny, perturb, tmp_path):
    folder = peft_format.save(_adapted(tiny("gemma"), SPECS["prefix"], perturb), tmp_path / "adapter")
    with pytest.raises(ValueError, match=r"Cannot set a prompt learning adapter to trainable"):
        peft.PeftModel.from_pretrained(tiny("gemma"), folder, is_trainable=True)
    ours = tiny("gemma")
    peft_format.load(ours, folder)
    assert all(parameter.requires_grad for parameter in surgery.adapter_parameters(ours).values())


def _tamper(folder, change):
    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


KEY = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(KEY), f"missing {KEY}"),
        (lambda t: t.update(extra=torch.zeros(1)), "unexpected extra"),
        (lambda t: t.update({KEY: torch.zeros(5, 32)}), r"q_proj.lora_A.weight has shape \(5, 32\).*needs \(4, 32\)"),
        (lambda t: t.update({KEY: torch.full((4, 32), torch.nan)}), "q_proj.lora_A.weight holds NaN"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(tiny, perturb, bits, tmp_path, change, message):
    folder = peft_format.save(_adapted(tiny("gemma"), SPECS["rslora"], perturb), tmp_path / "adapter")
    _tamper(folder, change)
    model, before = tiny("gemma"), bits(tiny("gemma"))
    with pytest.raises(MethodError, match=message):
        peft_format.load(model, folder)
    after = bits(model)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    "setting", [{"rank_pattern": {"q_proj": 2}}, {"modules_to_save": ["lm_head"]}, {"bias": "all"}]
)
def test_settings_we_do_not_implement_are_refused(tiny, perturb, tmp_path, setting):
    folder = peft_format.save(_adapted(tiny("gemma"), SPECS["rslora"], perturb), tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | setting))
    with pytest.raises(MethodError, match=rf"{next(iter(setting))}.*PEFT"):
        peft_format.load(tiny("gemma"), folder)


@pytest.mark.parametrize(
    ("spec", "setting"), [("rslora", "r"), ("rslora", "lora_alpha"), ("prefix", "num_virtual_tokens")]
)
def test_a_configuration_without_its_sizes_is_refused(tiny, perturb, tmp_path, spec, setting):
    folder = peft_format.save(_adapted(tiny("gemma"), SPECS[spec], perturb), tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    del config[setting]
    (folder / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(MethodError, match=setting):
        peft_format.load(tiny("gemma"), folder)


def test_methods_without_a_peft_format(tiny, perturb, tmp_path):
    for spec in ("adapter:bottleneck=4", "adalora:r=2,targets=q_proj"):
        with pytest.raises(MethodError, match=r"own_format"):
            peft_format.save(_adapted(tiny("gemma"), spec, perturb), tmp_path / "adapter")
    with pytest.raises(MethodError, match=r"exactly one kind"):
        peft_format.save(tiny("gemma"), tmp_path / "adapter")
    assert not list(tmp_path.iterdir())
