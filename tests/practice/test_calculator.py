"""The calculator's modules in Node against Python: real models, named figures, cards, spoken numbers."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from lora_demo.memory import cards
from lora_demo.memory.tracing import optimizer_choice
from lora_demo.models.presets import PRESETS, language_model_of
from lora_demo.pages.writing import rounding, spoken, written
from lora_demo.results.figure import Figure
from tests.practice.calculator_settings import METHODS, TARGETS, build, expected_count, total
from tests.practice.conftest import ROOT, Run

MODULES = "const at = name => import(`./docs/practice/calculator-${name}.js`);"
LORA_FIGURES = {
    "mgm2b": "mgm-2b",
    "llama2_7b": "llama-2-7b",
    "llama31_8b": "llama-3.1-8b",
    "llama32_3b": "llama-3.2-3b",
    "qwen25_7b": "qwen2.5-7b",
}
FIGURE_TARGETS = {
    "qv": ["q_proj", "v_proj"],
    "qkvo": TARGETS[:4],
    "qvo": ["q_proj", "v_proj", "o_proj"],
    "qvo_gate": ["q_proj", "v_proj", "o_proj", "gate_proj"],
    "qvo_mlp": ["q_proj", "v_proj", "o_proj", *TARGETS[4:]],
    "all": TARGETS,
}


@pytest.fixture(scope="module")
def ask(node: Run) -> Any:
    """Evaluates an expression over the modules with `given` in reach; JSON in, JSON out."""

    def evaluate(expression: str, given: Any = None) -> Any:
        program = f"{MODULES} const given = JSON.parse(await new Response(process.stdin).text() || 'null');"
        program += f"console.log(JSON.stringify(await (async () => {expression})()));"
        done = node("--input-type=module", "--eval", program, input=json.dumps(given))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


@pytest.fixture(scope="module")
def presets(ask: Any) -> dict[str, dict[str, Any]]:
    return ask('(await at("models")).MODELS')


def test_presets_are_those_of_the_models(presets: dict[str, dict[str, Any]]) -> None:
    """Own configurations field by field; totals of the others against transformers' classes."""
    ours = {name: language_model_of(config) for name, config in PRESETS.items() if name in presets}
    assert set(ours) == {"mgm-2b", "gemma-2b", "llama-3.2-3b"}
    for name, config in ours.items():
        dims = presets[name]
        assert (dims["vocab"], dims["hidden"]) == (config.vocab_size, config.hidden_size)
        assert (dims["intermediate"], dims["layers"]) == (config.intermediate_size, config.num_hidden_layers)
        assert (dims["heads"], dims["kvHeads"]) == (config.num_attention_heads, config.num_key_value_heads)
        assert (dims["headDim"], dims["tied"]) == (config.head_dim, config.tie_word_embeddings)


def test_totals_equal_the_real_models(ask: Any, presets: dict[str, dict[str, Any]]) -> None:
    found = ask('{ const c = await at("counts"); return given.map(c.baseTotal); }', list(presets.values()))
    assert found == [total(name, tuple(sorted(dims.items()))) for name, dims in presets.items()]
    # One preset at its full depth, so that the line through two depths is itself held to something.
    name = "qwen3-8b"
    model = build(name, presets[name], presets[name]["layers"])
    assert sum(p.numel() for p in model.parameters()) == found[list(presets).index(name)]


def test_every_method_counts_as_the_real_one_on_every_preset(ask: Any, presets: dict[str, dict[str, Any]]) -> None:
    drawn = [
        {"model": name, "method": method, "size": 16, "targets": targets}
        for name, dims in presets.items()
        for method in METHODS
        for targets in (["q_proj", "v_proj", "down_proj"],)
        if method != "bitfit" or dims.get("biased")
    ]
    found = ask(
        '{ const c = await at("counts"), { MODELS } = await at("models"); return given.map(s =>'
        " c.sum(c.trainedTerms(MODELS[s.model], s.method, s.size, s.targets))); }",
        drawn,
    )
    assert len(drawn) >= 85
    for settings, count in zip(drawn, found, strict=True):
        assert count == expected_count(settings, presets[settings["model"]]), settings


def test_counts_and_files_equal_the_named_figures(ask: Any) -> None:
    figures = json.loads((ROOT / "qa" / "figures.json").read_text(encoding="utf-8"))
    named, wanted = [], []
    for name, entry in figures.items():
        model, _, rest = name.partition(".")
        kind, _, place = rest.partition(".")
        parts = place.split(".")
        if (
            model in LORA_FIGURES
            and kind in ("lora", "adapter_file")
            and len(parts) == 2
            and parts[0] in FIGURE_TARGETS
        ):
            rank, _, dtype = parts[1].removeprefix("r").partition("_")
            if not rank.isdigit() or dtype not in ("", "fp32") or entry["unit"] not in ("params", "B"):
                continue
            settings = {"model": LORA_FIGURES[model], "method": "lora", "size": int(rank)}
            settings |= {"targets": FIGURE_TARGETS[parts[0]], "adapter": "float32" if dtype else "bfloat16"}
            named.append((settings, "file" if entry["unit"] == "B" else "trained"))
            wanted.append(entry["value"])
    for name, model in LORA_FIGURES.items():
        named.append(({"model": model, "method": "full", "targets": []}, "total"))
        wanted.append(figures[f"{name}.params.total"]["value"])
    named.append(({"model": "mgm-2b", "method": "full", "targets": []}, "trained"))
    wanted.append(figures["mgm2b.full.trainable"]["value"])
    found = ask('{ const r = await at("result"); return given.map(([s, what]) => r.count(s)[what]); }', named)
    assert len(wanted) >= 60
    assert found == wanted


def test_cards_and_optimizers_are_those_of_the_predictor(ask: Any) -> None:
    found = ask('(await at("memory")).CARDS')
    assert {name: card["budget"] for name, card in found.items()} == {
        name: card.budget for name, card in cards.CARDS.items()
    }
    assert set(ask('(await at("memory")).OPTIMIZERS')) <= set(optimizer_choice.OPTIMIZERS)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_numbers_are_written_and_spoken_as_on_every_other_page(ask: Any, lang: str) -> None:
    source = random.Random(3)
    counts = [int(10 ** source.uniform(0, 12)) for _ in range(400)]
    sizes = [int(10 ** source.uniform(3.1, 13)) for _ in range(400)]
    shares = [10 ** source.uniform(-6, 0) for _ in range(400)] + [0.9935, 0.99991, 0.5, 1.0]
    edges = [0.645, 0.655, 12.45, 12.55, 2.5, 3.5, 999.5, 0.0009995, 100.0]
    found = ask(
        '{ const r = await at("rounding"), [counts, sizes, shares, edges] = given, lang = ' + json.dumps(lang) + ";"
        " return [counts.map(n => r.spokenCount(n, lang)), sizes.map(n => r.spokenBytes(n, lang)),"
        " sizes.map(n => r.spokenBytes(n, lang, false)), shares.map(n => r.spokenShare(n, lang)),"
        " counts.map(n => r.shortCount(n, lang)), sizes.map(r.shortBytes), edges.map(r.threeDigits)]; }",
        [counts, sizes, shares, edges],
    )

    def figure(value: float, unit: str, kind: Any = "exact") -> Figure:
        return Figure("x", value, unit, kind, 0.0, "test", {"zh": "x", "en": "x"})

    assert found[0] == [spoken.spoken(figure(n, "params"), lang) for n in counts]
    assert found[1] == [spoken.spoken(figure(n, "B"), lang) for n in sizes]
    assert found[2] == [spoken.spoken(figure(n, "B", "predicted"), lang) for n in sizes]
    assert found[3] == [spoken.spoken(figure(n, "%"), lang) for n in shares]
    assert found[4] == [written.short(figure(n, "params"), lang) for n in counts]
    assert found[5] == [written.short(figure(n, "B"), lang) for n in sizes]
    assert found[6] == [rounding.three_digits(n) for n in edges]
