"""The calculator's peaks against Python's closed form: the same bytes, part by part, in Node and in a real browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lora_demo.memory.formula.closed_form import FILE
from tests.practice.calculator_form import expected_memory
from tests.practice.calculator_settings import Settings, drawn
from tests.practice.conftest import ROOT, Run
from tests.practice.visitor import Visitor

ENOUGH = 200
IN_PAGE = """async ([folder, drawn]) => {
  const { result } = await import(`${folder}calculator-result.js`);
  const form = await (await fetch(`${folder}closed-form.json`)).json();
  return drawn.map(settings => result(settings, form).memory);
}"""


@pytest.fixture(scope="module")
def presets(node: Run) -> dict[str, Any]:
    done = node(
        "--eval", "import('./docs/practice/calculator-models.js').then(m => console.log(JSON.stringify(m.MODELS)))"
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def settings(presets: dict[str, Any]) -> list[Settings]:
    """Presets and own dimensions under every method; most have a closed form."""
    with_form = [one for one in drawn(11, 1500, presets) if one["method"] in ("full", "lora", "qlora")]
    others = [one for one in drawn(12, 100, presets) if one["method"] not in ("full", "lora", "qlora")]
    return with_form + others


def agree(found: list[dict[str, Any] | None], settings: list[Settings]) -> None:
    for one, memory in zip(settings, found, strict=True):
        said = None if memory is None else {key: memory[key] for key in ("point", "peak", "parts")}
        assert said == expected_memory(one), one
    known = [memory for memory in found if memory is not None]
    assert len(known) >= ENOUGH
    assert all(sum(memory["parts"].values()) == memory["peak"] for memory in known)
    assert None in found, "some settings have no closed form, and the page must say so"


def test_node_and_python_find_the_same_bytes(node: Run, settings: list[Settings]) -> None:
    program = (
        "const { result } = await import('./docs/practice/calculator-result.js');"
        "const { form, drawn } = JSON.parse(await new Response(process.stdin).text());"
        "console.log(JSON.stringify(drawn.map(settings => result(settings, form).memory)));"
    )
    given = json.dumps({"form": json.loads(FILE.read_text(encoding="utf-8")), "drawn": settings})
    done = node("--input-type=module", "--eval", program, input=given)
    assert done.returncode == 0, done.stderr
    agree(json.loads(done.stdout), settings)


def test_the_formula_on_the_page_adds_up_to_its_part(node: Run, settings: list[Settings]) -> None:
    """What stands beside a part is its formula: evaluated, it gives the part to the three digits written."""
    program = (
        "const { result } = await import('./docs/practice/calculator-result.js');"
        "const { variables } = await import('./docs/practice/calculator-memory.js');"
        "const { form, settings } = JSON.parse(await new Response(process.stdin).text());"
        "const found = result(settings, form).memory, request = { ...settings, supervised: settings.logits || null };"
        "const values = variables(form, form.models[settings.model], request);"
        "console.log(JSON.stringify([found, values]));"
    )
    plain = {"method": "lora", "size": 16, "rank": 16, "targets": ["q_proj", "v_proj"], "batch": 2, "length": 1500}
    plain |= {"model": "llama-2-7b", "dims": {}, "adapter": "float32", "optimizer": "foreach", "logits": 0}
    plain |= {"checkpointing": False}
    given = json.dumps({"form": json.loads(FILE.read_text(encoding="utf-8")), "settings": plain})
    found, values = json.loads(node("--input-type=module", "--eval", program, input=given).stdout)
    evaluated = 0
    for kind in ("activations", "logits"):
        formula = found["formulas"].get(kind, "0").replace("−", "+ -").replace("·", "*").replace("+ - ", "+ -")
        assert "MiB" not in formula
        total = sum(_product(term.strip(), values) for term in formula.split("+"))
        assert total == pytest.approx(found["parts"][kind], rel=2e-3), (kind, formula)
        evaluated += 1
    assert evaluated == 2


def _product(term: str, values: Mapping[str, float]) -> float:
    found = -1.0 if term.startswith("-") else 1.0
    for factor in term.removeprefix("-").split("*"):
        found *= values[factor] if factor in values else float(factor)
    return found


def test_a_browser_and_python_find_the_same_bytes(visitor: Visitor, settings: list[Settings]) -> None:
    page = visitor.open("calculator")
    agree(page.evaluate(IN_PAGE, [f"{visitor.address}app/", settings]), settings)


def test_the_site_serves_the_form_as_the_package_has_it(visitor: Visitor) -> None:
    page = visitor.open("calculator", "en")
    assert page.request.get(f"{visitor.address}app/closed-form.json").body() == FILE.read_bytes()
    assert (ROOT / "lora_demo/memory/formula/closed_form.json").samefile(FILE)
