"""`lora-demo measure`: records that can be run again, and a matrix that goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import measure as command
from lora_demo.commands import measure_matrix
from lora_demo.commands.measure import Request, command_line, recipe_of
from lora_demo.models.presets import MGM_NANO, PRESETS, mgm_preset
from lora_demo.results.record import Record
from lora_demo.training import loop
from lora_demo.training.preparation.synthetic import sizes
from lora_demo.training.recipes.recipe_data import SyntheticData
from lora_demo.training.recipes.recipe_files import RecipeError
from lora_demo.training.step import NonFiniteLoss

CLI = CliRunner()
SHIPPED = ("mgm-2b-short", "mgm-2b")
MATRICES = [path.name for path in resources.files("lora_demo.training.measurement").joinpath("matrices").iterdir()]


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
        (("mgm-2b-lora-r16-all", "--set", "model.preset=gemma-2b"), "gemma-2b is measured only"),
        (("mgm-2b-lora-r8-qv", "--length", "704", "--supervised", "128"), "take 127 or fewer, or a length of 705"),
        (("nano-lora", "--as-written", "--length", "100"), "--length: not with --as-written"),
        (("nano-lora", "--as-written", "--supervised", "0"), "--supervised: not with --as-written"),
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


@pytest.mark.parametrize(
    ("length", "supervised"), [(None, 24), (100, 24), (20, 10), (12, 2)], ids=["usual", "room", "short", "shortest"]
)
def test_the_usual_supervised_positions_fit_the_length(length, supervised):
    data = recipe_of(Request("nano-lora-b", length=length)).data
    assert isinstance(data, SyntheticData)
    assert data.supervised == supervised
    assert sizes(data, mgm_preset("mgm-nano"))[1] == supervised


def test_the_shortest_full_size_rows_are_fully_supervised():
    data = recipe_of(Request("mgm-2b-lora-r8-qv", length=704)).data.model_dump()
    assert (data["length"], data["supervised"]) == (704, 704 - 576 - 1)
    own = recipe_of(Request("mgm-2b-lora-cpu")).data.model_dump()
    assert (own["length"], own["supervised"]) == (639, 15)


def test_a_stopped_run_is_told_in_one_message(root, monkeypatch):
    def diverges(*_):
        raise NonFiniteLoss("the loss is nan")

    monkeypatch.setattr(loop, "step", diverges)
    done = measure("nano-lora", "--length", "20", "--set", "threads=1", "--record")
    assert done.exit_code == 1
    assert "step 1: the loss is nan; the update was not made" in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert not list((root / "qa" / "records").iterdir())


def test_a_place_that_takes_no_record_is_named_before_anything_runs(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path / "file"))
    monkeypatch.setattr(command, "measure", lambda recipe: pytest.fail("measured although no record can be written"))
    (tmp_path / "mine.yaml").write_text(MATRIX)
    for arguments in (("nano-lora", "--record"), ("--matrix", str(tmp_path / "mine.yaml"))):
        done = measure(*arguments)
        assert done.exit_code == 2
        assert "no record can be written" in done.stderr


def test_the_recipes_own_rows_have_a_record_of_their_own():
    random, written = Request("nano-lora", batch=2), Request("nano-lora", batch=2, as_written=True)
    assert written.name == "measured-nano-lora-as-written-b2-cpu" != random.name
    assert "--as-written" in command_line(written)


def test_a_full_size_run_on_a_cpu_is_foretold(root, monkeypatch):
    told = []
    monkeypatch.setattr(command, "foretell", lambda recipe, console: told.append((recipe.data.length, console.stderr)))
    assert measure("nano-lora", "--length", "20", "--steps", "1", "--set", "threads=1").exit_code == 0
    assert told == [(20, True)]


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
    assert counts == {"ran": 1, "out of memory": 0, "died": 1, "refused": 0, "there already": 0, "left out": 2}
    died = Record.load(root / "qa" / "records" / "measured-nano-prefix-t100-cpu.json")
    assert died.samples["outcome"] == "died"
    assert "status -9" in died.samples["stopped"]
    assert measure_matrix.walk(todo, lambda line: None, gpu=False)["there already"] == 2
    assert started == ["nano-lora-b", "nano-prefix"]


@pytest.mark.parametrize(("status", "outcome"), [(1, "died"), (2, "refused")])
def test_what_ended_with_a_message_is_no_result(status, outcome, root, monkeypatch):
    """Neither a stopped run nor bad input: the next call takes it up again, and says so by its exit status."""
    (root / "mine.yaml").write_text(MATRIX.replace("[null, rtx4090]", "[null]"))
    started = []
    monkeypatch.setattr(measure_matrix, "_run", lambda request: started.append(request.recipe) or status)
    for _ in range(2):
        done = measure("--matrix", str(root / "mine.yaml"))
        assert (done.exit_code, done.stdout) == (1, f"2 {outcome}\n")
    assert started == ["nano-lora-b", "nano-prefix"] * 2
    assert not list((root / "qa" / "records").iterdir())


def test_sizes_that_cannot_be_stop_a_matrix_before_it_starts(root):
    (root / "mine.yaml").write_text(MATRIX.replace("[100]", "[20], supervised: [11]"))
    done = measure("--matrix", str(root / "mine.yaml"), "--dry")
    assert done.exit_code == 2
    assert "measured-nano-lora-b-t20-s11-cpu: data.supervised 11" in done.stderr
    assert "take 10 or fewer" in done.stderr
    assert "lora-demo measure nano-lora-b --length 20 --supervised 11" in done.stderr


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
    for family in ("gemma-2b-", "nano-"):
        assert {one.as_gpu for one in found if one.recipe.startswith(family)} == {None, "rtx4090"}


def test_the_short_matrix_is_a_part_of_the_long_one():
    short, long = ({one.name for one in measure_matrix.requests(measure_matrix.load(name))} for name in SHIPPED)
    assert short < long
    assert 40 < len(short) < 60
    assert {name.removesuffix(".yaml") for name in MATRICES} == set(SHIPPED)


def test_a_language_model_alone_is_measured_and_not_trained(root, monkeypatch):
    small = replace(MGM_NANO.llm, num_hidden_layers=2)
    monkeypatch.setitem(PRESETS, "gemma-2b", small)
    done = measure("gemma-2b-lora-r16-all", "--steps", "2", "--length", "40", "--batch", "2", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert len(record["samples"]["readings"]) == 2
    assert record["samples"]["total"] > record["samples"]["trainable"] > 0
    assert record["configuration"]["recipe"]["data"]["supervised"] == 39
    refused = CLI.invoke(app, ["train", "gemma-2b-lora-r16-all", "--out", str(root / "run")])
    assert (refused.exit_code, "for `lora-demo measure`; train mgm-2b" in refused.stderr) == (2, True)


def test_a_wrong_recipe_in_a_matrix_stops_it_before_it_starts(root):
    (root / "mine.yaml").write_text(MATRIX.replace("nano-prefix", "nano-prefixx"))
    with pytest.raises(RecipeError, match="did you mean nano-prefix"):
        measure_matrix.requests(measure_matrix.load(str(root / "mine.yaml")))
    (root / "mine.yaml").write_text(MATRIX.replace("length", "lenght"))
    with pytest.raises(RecipeError, match="lenght"):
        measure_matrix.load(str(root / "mine.yaml"))
