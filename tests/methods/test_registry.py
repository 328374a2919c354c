"""Methods by name, and the short text form of their settings."""

from __future__ import annotations

import pytest

from lora_demo.methods import registry
from lora_demo.methods.errors import MethodError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full", ("full", {})),
        ("lora:r=16,targets=all", ("lora", {"r": 16, "alpha": 16, "targets": "all"})),
        ("lora:r=8,alpha=32,targets=q_proj+v_proj", ("lora", {"r": 8, "alpha": 32, "targets": ["q_proj", "v_proj"]})),
        ("lora:r=8,dropout=0.05,rslora=true", ("lora", {"r": 8, "alpha": 8, "dropout": 0.05, "rslora": True})),
        ("prefix:count=20", ("prefix", {"count": 20})),
    ],
)
def test_parse(text, expected):
    assert registry.parse(text) == expected


@pytest.mark.parametrize("text", ["lora:r", "lora:r=1,r=2", "lora:r=many"])
def test_parse_refuses(text):
    with pytest.raises(MethodError, match=r"key=value|not a number"):
        registry.parse(text)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("lorra", {}, "no method 'lorra'; there are: full, lora"),
        ("lora", {"rank": 8}, "no setting 'rank'; it has: targets, r, alpha"),
        ("lora", {"targets": "all", "alpha": 1}, "needs the setting 'r'"),
        ("lora", {"model": 3}, "no setting 'model'"),
        ("full", {"r": 3, "alpha": 3}, "no setting 'r'; it has: none"),
        ("prefix", {"count": 2, "hidden": 0}, "hidden=0: the network needs at least one unit"),
    ],
)
def test_apply_refuses(tiny, name, settings, message):
    with pytest.raises(MethodError, match=message):
        registry.apply(tiny("gemma"), name, **settings)
