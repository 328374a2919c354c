"""The properties as a whole: each has a test and a claim, and judging tells right from wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lora_demo.methods import surgery
from lora_demo.methods.properties import judging
from lora_demo.methods.properties.catalogue import PROPERTIES, THEMES, of_theme
from lora_demo.methods.properties.implementation import FOLDER, OURS, Implementation, UnknownModule


def test_every_property_has_a_test_of_its_name():
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_property_*.py"))]
    assert len(texts) == len(THEMES) + 1
    tested = [name for text in texts for name in re.findall(r'^def test_(\w+)\(\):\n    prove\("\1"\)$', text, re.M)]
    assert sorted(tested) == sorted(PROPERTIES)
    assert len(PROPERTIES) == sum(len(of_theme(theme)) for theme in THEMES) >= 60


@pytest.mark.parametrize("name", PROPERTIES)
def test_claims_stand_in_both_languages(name):
    claim = PROPERTIES[name].claim
    assert re.search("[\u4e00-\u9fff]", claim["zh"])
    assert claim["zh"].endswith("。")
    assert re.fullmatch("[A-Zα].*[.]", claim["en"], re.S)


def test_the_same_examples_each_time(monkeypatch):
    monkeypatch.setenv("HYPOTHESIS_PROFILE", "default")
    wrong = Implementation({"lora": _text("lora").replace("else alpha / r", "else alpha / (r + 1)")})
    told = [judging.objection(PROPERTIES["output_is_base_plus_scaled_product"], wrong) for _ in range(2)]
    assert told[0] == told[1]
    assert told[0].startswith("AssertionError: output against Wx + b + (α/r)BAx: got ")


def test_right_code_meets_no_objection():
    assert judging.objection(PROPERTIES["merging_twice_is_refused"], OURS) is None
    # the same text, executed anew: private modules behave like the package's
    assert judging.objection(PROPERTIES["merging_twice_is_refused"], Implementation({"lora": _text("lora")})) is None


def test_replacing_a_module_reaches_those_that_import_it():
    wrong = Implementation({"module": _text("module").replace("if self.merged:", "if False:")})
    assert wrong.dora.LinearAdapter is wrong.module.LinearAdapter is not OURS.module.LinearAdapter
    assert {"dora", "module", "surgery", "lora", "errors"} <= wrong.loaded
    assert OURS.surgery is surgery


def test_crashes_are_objections():
    crash = Implementation({"lora": _text("lora").replace("else alpha / r", "else undefined")})
    assert "NameError" in str(judging.objection(PROPERTIES["rank_is_at_most_r"], crash))


def test_unknown_names(monkeypatch):
    with pytest.raises(UnknownModule, match=r"no method module 'lorra'"):
        Implementation({"lorra": ""})
    with pytest.raises(KeyError):
        judging.prove("no_such_property")
    monkeypatch.setenv("HYPOTHESIS_PROFILE", "huge")
    with pytest.raises(judging.UnknownProfile, match=r"huge: there are default, thorough"):
        judging.prove("rank_is_at_most_r")


def _text(name: str) -> str:
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")
