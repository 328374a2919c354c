"""`lora-demo measure`: records that can be run again, and a matrix that goes on where it stopped."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import measure_matrix
from lora_demo.commands.measure import Request, command_line, recipe_of
from lora_demo.results.record import Record
from lora_demo.training.recipes.recipe_files import RecipeError

CLI = CliRunner()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout of its own, where records are written."""
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    return tmp_path


def measure(*arguments: str):
    return CLI.invoke(app, ["measure", *arguments])


def test_a_record_holds_what_was_run_and_what_came_out(root):
    done = measure(
        "nano-lora-b", "--steps", "2", "--length", "100", "--batch", "2", "--set", "threads=1", "--record", "--json"
    )
    assert done.exit_code == 0, done.output
    path = root / "qa" / "records" / "measured-nano-lora-b-t100-b2-threads-1-cpu.json"
    record = Record.load(path)
    assert json.loads(done.stdout) == json.loads(path.read_text())
    assert record.samples["outcome"] == "ran"
    assert len(record.samples["readings"]) == 2
    assert record.samples["peak_resident"] == max(one["resident"] for one in record.samples["readings"])
    assert (record.samples["peak_allocated"], record.configuration["driver"]) == (None, None)
    assert record.configuration["recipe"]["data"]["length"] == 100
    assert record.configuration["recipe"]["batch"] == 2
    assert record.versions["torch"]
    assert record.device.endswith("cores")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nano-lora", "--length", "9999"), "data.length 9999"),
        (("nano-lora", "--length", "100", "--supervised", "100"), "must be less than length"),
        (("nano-lara",), "did you mean nano-lora"),
        (("nano-lora", "--as-gpu", "rtx4090"), "no CUDA GPU here"),
        (("mgm-2b-bitfit",), "has no biases"),
        ((), "name a recipe, or a matrix"),
        (("nano-lora", "--matrix", "mgm-2b"), "not both"),
        (("--matrix", "absent"), "neither shipped nor"),
    ],
)
def test_bad_input_is_named(arguments, words, root):
    done = measure(*arguments)
    assert done.exit_code == 2, done.output
    assert words in " ".join(done.stderr.split())
    assert not (root / "qa").exists()


def test_a_request_is_the_command_line_that_makes_it(monkeypatch):
    made = {}
    monkeypatch.setattr("lora_demo.commands.measure.run", lambda request, **_: made.update(it=request) or 0)
    request = Request("nano-lora-b", ("optimizer.lr=1e-3", "clip_norm=null"), 4, 99, 3, 0, "rtx4090")
    assert measure(*command_line(request)).exit_code == 0
    assert made["it"] == request
    assert request.name == "measured-nano-lora-b-t99-b3-s0-lr-1e-3-clip-norm-null-as-rtx4090-cpu"
    assert recipe_of(request).data.model_dump()["supervised"] is None


MATRIX = """
about: Two that run and one that dies.
steps: 1
groups:
  small: {recipes: [nano-lora-b, nano-prefix], length: [100], as_gpu: [null, rtx4090]}
"""


def test_a_matrix_goes_on_where_it_stopped(root, monkeypatch):
    (root / "mine.yaml").write_text(MATRIX)
    real, started = measure_matrix._run, []

    def run(request):
        started.append(request.recipe)
        return -9 if request.recipe == "nano-prefix" else real(request)

    monkeypatch.setattr(measure_matrix, "_run", run)
    todo = measure_matrix.requests(measure_matrix.load(str(root / "mine.yaml")))
    assert len(todo) == 4
    counts = measure_matrix.walk(todo, lambda line: None, gpu=False)
    assert counts == {"ran": 1, "out of memory": 0, "died": 1, "there already": 0, "left out": 2}
    died = Record.load(root / "qa" / "records" / "measured-nano-prefix-t100-cpu.json")
    assert died.samples["outcome"] == "died"
    assert "status -9" in died.samples["stopped"]
    assert measure_matrix.walk(todo, lambda line: None, gpu=False)["there already"] == 2
    assert started == ["nano-lora-b", "nano-prefix"]


def test_the_shipped_matrix_covers_what_is_asked_for():
    matrix = measure_matrix.load("mgm-2b")
    found = [one for group in matrix.groups.values() for one in measure_matrix._of(group, matrix)]
    names = {one.name for one in found}
    assert len(found) == len(names), "two measurements would write one record"
    grid = [one for one in found if one.recipe.startswith("mgm-2b-lora-r") and one.supervised is None]
    assert len({one.recipe for one in grid}) == 18
    assert {(one.length, one.batch) for one in grid} == {(t, b) for t in (704, 1024, 2048) for b in (1, 2, 4)}
    assert {one.settings for one in grid} == {(), ("checkpointing=true",)}
    assert {one.as_gpu for one in grid} == {None, "rtx4090"}
    for recipe in ("mgm-2b-full-mixed", "mgm-2b-full-bf16-foreach", "mgm-2b-qlora", "mgm-2b-dora", "mgm-2b-adapter"):
        assert {one.as_gpu for one in found if one.recipe == recipe} == {None, "rtx4090"}
    assert {one.supervised for one in found} == {None, 64, 0}


def test_a_wrong_recipe_in_a_matrix_stops_it_before_it_starts(root):
    (root / "mine.yaml").write_text(MATRIX.replace("nano-prefix", "nano-prefixx"))
    with pytest.raises(RecipeError, match="did you mean nano-prefix"):
        measure_matrix.requests(measure_matrix.load(str(root / "mine.yaml")))
    (root / "mine.yaml").write_text(MATRIX.replace("length", "lenght"))
    with pytest.raises(RecipeError, match="lenght"):
        measure_matrix.load(str(root / "mine.yaml"))
