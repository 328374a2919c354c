"""The tables of mutants and properties on the site."""

from __future__ import annotations

import json

import pytest

from lora_demo.pages.bank.content import Content
from lora_demo.pages.writing import judged
from lora_demo.results.paths import project_root


@pytest.fixture(scope="module")
def content():
    return Content(root=project_root(), repo_url="https://example.org/repo")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_mutant_has_a_row_that_links_to_a_test(content, lang):
    samples = json.loads((content.root / judged.RECORD).read_text(encoding="utf-8"))["samples"]
    rows = judged.mutants(content, lang, "mutants.md").splitlines()[2:]
    assert len(rows) == len(samples["mutants"]) >= 70
    for row, mutant in zip(rows, samples["mutants"].values(), strict=True):
        assert mutant["what"][lang] in row
        assert f"[`{mutant['rejected_by'][0]}`](https://example.org/repo/blob/main/tests/methods/test_property_" in row


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_property_has_a_row_with_its_claim(content, lang):
    rows = judged.properties(content, lang, "mutants.md").splitlines()[2:]
    samples = json.loads((content.root / judged.RECORD).read_text(encoding="utf-8"))["samples"]
    assert len(rows) == len(samples["properties"]) >= 60
    assert all(claim[lang] in row for row, claim in zip(rows, samples["properties"].values(), strict=True))


def test_the_tests_named_are_there(content):
    samples = json.loads((content.root / judged.RECORD).read_text(encoding="utf-8"))["samples"]
    for name, claim in samples["properties"].items():
        path, _, test = claim["test"].partition("::")
        assert f'def {test}():\n    prove("{name}")' in (content.root / path).read_text(encoding="utf-8")


def test_a_missing_record_says_how_to_make_it(tmp_path):
    with pytest.raises(ValueError, match=r"mutants.json cannot be read.*bench mutants --record"):
        judged.mutants(Content(root=tmp_path), "zh", "mutants.md")
