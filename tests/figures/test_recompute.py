"""Every figure of the repository comes out again: computed, derived from its record, or read from its source."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lora_demo.figures.known import definitions
from lora_demo.figures.verification import Verdict, verify
from lora_demo.results.paths import figures_file
from lora_demo.results.store import load


def judged(kinds: set[str], recomputed: set[str]) -> list[Verdict]:
    """Verdicts on the figures of these kinds; the fresh ones count as verified in this run."""
    wanted = {name: definition for name, definition in definitions().items() if definition.kind in kinds}
    verdicts = verify(load(figures_file()), wanted, whole=False)
    recomputed.update(v.name for v in verdicts if v.status == "fresh")
    wrong = {v.name: (v.status, v.field, v.old, v.new) for v in verdicts if v.status != "fresh"}
    assert wrong == {}, "run: lora-demo figures"
    return verdicts


def test_every_computed_and_cited_figure_comes_out_again(recomputed: set[str]) -> None:
    """The committed file holds exactly what the registry computes now."""
    assert len(judged({"exact", "cited", "measured"}, recomputed)) >= 300


@pytest.mark.timeout(900)
def test_every_predicted_figure_comes_out_again(recomputed: set[str]) -> None:
    """Each traced step is traced again, in a process without shape checking, which would take three times as long."""
    names = sorted(name for name, definition in definitions().items() if definition.kind == "predicted")
    assert len(names) >= 30
    command = [sys.executable, "-m", "lora_demo", "figures", *names, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    recomputed.update(names)


def test_the_file_holds_nothing_that_no_function_computes() -> None:
    assert set(load(figures_file())) == set(definitions())


def test_at_least_sixty_exact_figures_describe_mgm_2b() -> None:
    """The real model's geometry stands behind most numbers."""
    exact = [f for f in load(figures_file()).values() if f.kind == "exact" and f.name.startswith("mgm2b.")]
    assert len(exact) >= 60
