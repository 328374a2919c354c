"""Every figure of the repository comes out again: computed, derived from its record, or read from its source."""

from __future__ import annotations

from lora_demo.figures.known import definitions
from lora_demo.figures.verification import verify
from lora_demo.results.paths import figures_file
from lora_demo.results.store import load


def test_every_figure_comes_out_again(recomputed: set[str]) -> None:
    """The committed file holds exactly what the registry computes now."""
    verdicts = verify(load(figures_file()), definitions(), whole=True)
    wrong = {v.name: (v.status, v.field, v.old, v.new) for v in verdicts if v.status != "fresh"}
    recomputed.update(v.name for v in verdicts if v.status == "fresh")
    assert wrong == {}, "run: lora-demo figures"
    assert len(verdicts) >= 300


def test_at_least_sixty_exact_figures_describe_mgm_2b() -> None:
    """The real model's geometry stands behind most numbers."""
    exact = [f for f in load(figures_file()).values() if f.kind == "exact" and f.name.startswith("mgm2b.")]
    assert len(exact) >= 60
