"""mgm-nano's shipped base sees: the bars that everything built on it relies on, on pictures it was never trained on."""

from __future__ import annotations

import pytest
import torch

from lora_demo.data import labels
from lora_demo.data.tokenizer import nano
from lora_demo.lab import nano_evidence
from lora_demo.models import fingerprint, shipped
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record
from lora_demo.training.evaluation import evaluate, rows_right
from lora_demo.training.preparation.sources import NanoSource, micro_batch, select
from lora_demo.training.recipes import recipe_files
from lora_demo.training.run import run

IMAGES = 120
FORWARD = {"supervised_only": True}


@pytest.fixture(scope="module")
def model():
    return shipped.load_nano()


@pytest.fixture(scope="module")
def a(model):
    return nano_evidence.held_out("a", model, images=IMAGES)


@pytest.fixture(scope="module")
def sighted(model, a):
    return evaluate(model, a, forward=FORWARD)


def test_the_base_sees(model, a, sighted):
    """On pictures that nothing was trained on."""
    assert sighted.rows == IMAGES * nano_evidence.TEST_QUESTIONS
    assert sighted.accuracy >= 0.90


def test_without_the_picture_only_the_majority_answer_is_left(model, a):
    blank = evaluate(model, a, blind="both", forward=FORWARD)
    assert blank.accuracy <= nano_evidence.majority(a) + 0.03


def test_the_high_resolution_view_matters(model, a, sighted):
    assert evaluate(model, a, blind="aux", forward=FORWARD).accuracy <= sighted.accuracy - 0.10


def test_family_b_is_still_to_be_learned(model):
    b = nano_evidence.held_out("b", model, images=IMAGES)
    assert evaluate(model, b, forward=FORWARD).accuracy <= 0.50


def test_the_file_is_small():
    assert sum(path.stat().st_size for path in shipped.FOLDER.iterdir()) <= 8 * 2**20


def test_being_right_means_generating_the_answer(model, a):
    """The evaluation's one forward against real, greedy generation, row by row."""
    text, rows = nano(), list(range(24))
    micro = micro_batch(a.inputs(rows), model)
    judged = rows_right(model(**micro.inputs, **FORWARD).logits, micro)
    small, large = a.data.views([a.data.picture_of(row) for row in rows])
    for row in rows:
        prompt = labels.prompt_ids(a.data.turns(row)[:1], text)
        written = model.generate(
            torch.tensor([prompt]),
            images=small[row : row + 1],
            images_aux=large[row : row + 1],
            do_sample=False,
            max_new_tokens=12,
            eos_token_id=[text.eos],
            pad_token_id=text.pad,
        )
        wanted = a.data.turns(row)[1].text + "<end_of_turn>\n<eos>"
        assert (text.decode(written[0].tolist(), skip_special=False) == wanted) == judged[row]
    assert any(judged)


def test_features_kept_in_memory_change_nothing(model, a):
    rows = [0, 7, 31]
    kept, painted = (micro_batch(source.inputs(rows), model) for source in (a, NanoSource(a.data)))
    with torch.no_grad():
        losses = [model(**micro.inputs, **FORWARD).loss for micro in (kept, painted)]
    assert kept.terms == painted.terms
    assert torch.allclose(losses[0], losses[1], rtol=1e-5)
    assert torch.equal(select(a.features, torch.tensor([2])).query, a.features.query[2:3])


def test_the_records_hold_the_bars_and_belong_to_the_shipped_base_and_the_recipes(model):
    base, tuned = (Record.load(records_dir() / f"nano-{name}.json") for name in ("base", "fine-tuning"))
    assert base.samples["a"]["accuracy"] >= 0.90
    assert sum(cost["seconds"] for cost in base.samples["cost"].values()) <= 15 * 60
    assert tuned.samples["nano-lora-b-long"]["b"]["accuracy"] >= base.samples["b"]["accuracy"] + 0.20
    for record, names in ((base, nano_evidence.BASE), (tuned, nano_evidence.FINE_TUNING)):
        assert record.configuration["base"] == fingerprint.of(model)
        for name in names:
            assert recipe_files.parse(record.configuration[name], name) == recipe_files.load(name), name


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_lora_learns_family_b(model, tmp_path):
    source = nano_evidence.held_out("b", model)
    before = evaluate(model, source, forward=FORWARD).accuracy
    finished = run(recipe_files.load("nano-lora-b-long"), tmp_path / "run")
    after = evaluate(finished.model, source, forward=FORWARD).accuracy
    assert before <= 0.50
    assert after >= before + 0.20
