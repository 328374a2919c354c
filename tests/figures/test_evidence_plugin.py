"""The report after a run, on a small repository of its own: what counts as proved, and what fails a full run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lora_demo.results.figure import Figure
from lora_demo.results.paths import project_root
from lora_demo.results.record import today
from lora_demo.results.store import save

QUESTION = "principles.what-is-lora"
PASSES = "tests/test_one.py::test_passes"
SKIPS = "tests/test_one.py::test_skips"
SLOW = "tests/test_one.py::test_slow"
TESTS = """
import pytest

@pytest.mark.parametrize("value", [1, 2])
def test_passes(value, recomputed):
    recomputed.add("a.b")
    assert value

def test_skips():
    pytest.skip("no such device")

@pytest.mark.slow
def test_slow():
    pass

def test_breaks():
    import os
    assert "BREAK" not in os.environ
"""
BREAKS = "tests/test_one.py::test_breaks"


def small_repository(root: Path, proofs: list[str]) -> None:
    (root / "pytest.ini").write_text(
        "[pytest]\ntestpaths = tests\naddopts = -m 'not slow'\nmarkers = slow: long\n", encoding="utf-8"
    )
    (root / "tests").mkdir()
    (root / "tests" / "conftest.py").write_text('pytest_plugins = ["evidence_plugin"]\n', encoding="utf-8")
    (root / "tests" / "test_one.py").write_text(TESTS, encoding="utf-8")
    save(root / "qa" / "figures.json", {"a.b": Figure("a.b", 1, "1", "exact", 0.0, "m:f", {"zh": "一", "en": "one"})})
    (root / "qa" / "literature.yaml").write_text("hu2021: {title: LoRA}\n", encoding="utf-8")
    write_question(root, proofs)


def write_question(root: Path, proofs: list[str]) -> None:
    """A real question with one claim of ours."""
    _, front, body = _original().split("---\n", 2)
    meta = yaml.safe_load(front)
    meta["claims"] = [{"zh": "说法", "en": "claim", "by": proofs}]
    file = root / "qa" / "questions" / "principles" / "what-is-lora.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = f"---\n{yaml.safe_dump(meta, allow_unicode=True)}---\n{_without_placeholders(body)}"
    file.write_text(text, encoding="utf-8")


def _original() -> str:
    return (project_root() / "qa" / "questions" / "principles" / "what-is-lora.md").read_text(encoding="utf-8")


def _without_placeholders(body: str) -> str:
    return body.replace("{{", "").replace("}}", "")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs pytest in the small repository, whose single claim rests on `proofs`."""

    def start(proofs: list[str], *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        if (tmp_path / "tests").exists():
            write_question(tmp_path, proofs)
        else:
            small_repository(tmp_path, proofs)
        plugins = f"{project_root() / 'tests'}{os.pathsep}{project_root()}"
        env = {**os.environ, "PYTHONPATH": plugins, "PYTEST_ADDOPTS": "", **environment}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return start


@pytest.fixture
def verified(tmp_path: Path) -> Callable[[], dict[str, dict[str, str]]]:
    """What the stamps say now."""
    file = tmp_path / "qa" / "verified.json"
    return lambda: json.loads(file.read_text(encoding="utf-8"))


def test_full_run_with_every_proof_is_green_and_stamped(run, verified) -> None:
    """A passed test, a recomputed figure and a known source hold; the question gets date and version."""
    result = run([PASSES, "fig:a.b", "cite:hu2021"], "--stamp")
    assert result.returncode == 0, result.stdout
    row = next(line for line in result.stdout.splitlines() if line.startswith(QUESTION))
    assert row.split() == [QUESTION, "1/1", "1/1", "1/1", "1/1"]
    assert verified()[QUESTION]["date"] == today()
    assert set(verified()[QUESTION]) == {"date", "version"}


FAULTS = {
    SKIPS: "skipped: ",
    SLOW: "not run",
    "tests/test_one.py::test_gone": "there is no such test",
    "fig:a.gone": "owed: qa/figures.json lacks it",
    "cite:nobody2020": "qa/literature.yaml lacks it",
}


def test_full_run_fails_for_proofs_that_did_not_hold(run, verified) -> None:
    """All tests passed, yet the run fails and names claim, proof and reason; no stamp is given."""
    result = run([PASSES, *FAULTS], "--stamp")
    assert result.returncode == 1, result.stdout
    for proof, why in FAULTS.items():
        assert f"claim 1: {proof}: {why}" in result.stdout
    assert f"{len(FAULTS)} proofs of their claims did not hold" in result.stdout
    assert verified() == {}
    (owed,) = [line for line in result.stdout.splitlines() if line.startswith("owed")]
    assert owed.split() == ["owed", "1", "a.gone"]


def test_partial_run_only_reports(run) -> None:
    """When files were selected, a claim that could not be proved is shown and the run stays green."""
    result = run([PASSES, SKIPS], "tests/test_one.py")
    assert result.returncode == 0, result.stdout
    assert f"claim 1: {SKIPS}: skipped: " in result.stdout
    assert "partial run" in result.stdout


def test_failed_proof_loses_its_stamp_and_a_partial_run_keeps_the_rest(run, verified) -> None:
    """Stamps follow what ran: untouched without the tests, gone after a failure."""
    run([BREAKS], "--stamp")
    run([BREAKS], "--stamp", "tests/test_one.py::test_passes")
    assert list(verified()) == [QUESTION]
    assert run([BREAKS], "--stamp", BREAK="1").returncode == 1
    assert verified() == {}
