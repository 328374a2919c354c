"""Registering figures: families, duplicates, and the kinds that come from runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora_demo.figures.registry import Registry, both
from lora_demo.figures.verification import verify
from lora_demo.results.figure import FigureError
from lora_demo.results.record import Record

TITLE = both("个数", "count")


def test_name_is_given_once() -> None:
    """A second registration is refused and names both functions."""
    registry = Registry()
    registry.figure("a.b", unit="1", title=TITLE)(test_name_is_given_once)
    with pytest.raises(FigureError, match=r"figure a\.b: registered twice.*test_registry:test_name"):
        registry.figure("a.b", unit="1", title=TITLE)(test_name_is_given_once)


def test_family_registers_every_combination_with_its_own_title() -> None:
    """Axes fill the name, the titles and the call."""
    registry = Registry()

    @registry.figure(
        "m.{part}.r{rank}",
        unit="params",
        title=both("{part} 的 r={rank}", "r={rank} of {part}"),
        over={"part": ("q", "all"), "rank": (4, 8)},
        words={"part": {"all": both("全部", "everything")}},
    )
    def count(part: str, rank: int) -> int:
        return rank * len(part)

    assert sorted(registry.definitions) == ["m.all.r4", "m.all.r8", "m.q.r4", "m.q.r8"]
    figure = registry.definitions["m.all.r8"].figure()
    assert (figure.value, figure.title["zh"], figure.title["en"]) == (24, "全部 的 r=8", "r=8 of everything")
    assert figure.source.endswith(":count")


def test_exact_figure_allows_no_tolerance() -> None:
    """Exact means equal."""
    registry = Registry()
    registry.figure("a.b", unit="1", title=TITLE, tolerance=0.1)(lambda: 1)
    with pytest.raises(FigureError, match="an exact figure has tolerance 0"):
        registry.definitions["a.b"].figure()


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved run of three readings."""
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    run = Record("step", {"rank": 8}, {"peak": [3, 5, 4]}, 0, "cpu", {"torch": "2.13.0"}, "2026-01-02")
    return run.save(tmp_path / "qa" / "records")


def measured() -> Registry:
    registry = Registry()
    registry.measured("run.peak", record="step", unit="B", title=TITLE)(lambda run: max(run.samples["peak"]))
    return registry


def test_measured_figure_follows_from_its_record(record: Path) -> None:
    """The value is derived from raw samples, and versions and device come along."""
    figure = measured().definitions["run.peak"].figure()
    assert (figure.value, figure.kind, figure.source) == (5, "measured", "qa/records/step.json")
    assert figure.environment == {"torch": "2.13.0", "device": "cpu", "date": "2026-01-02"}


def test_changed_record_makes_its_figure_stale(record: Path) -> None:
    """Another reading in the record no longer derives the stored value."""
    definitions = measured().definitions
    stored = {"run.peak": definitions["run.peak"].figure()}
    record.write_text(record.read_text(encoding="utf-8").replace("5", "6"), encoding="utf-8")
    (verdict,) = verify(stored, definitions, whole=True)
    assert (verdict.status, verdict.old, verdict.new) == ("stale", 5, 6)


@pytest.mark.parametrize(("now", "status"), [(101.9, "fresh"), (98.1, "fresh"), (103.0, "stale")])
def test_predicted_figure_may_move_within_its_tolerance(now: float, status: str) -> None:
    """A recomputed prediction is held against the stored one with the tolerance it states."""

    def predict(value: float):
        registry = Registry()
        register = registry.figure("p.peak", unit="B", title=TITLE, kind="predicted", tolerance=0.02)
        register(lambda: value)
        return registry.definitions

    stored = {"p.peak": predict(100.0)["p.peak"].figure()}
    (verdict,) = verify(stored, {"p.peak": predict(now)["p.peak"]}, whole=True)
    # the two lambdas share a name, so nothing but the value can differ
    assert verdict.status == status


def test_stored_name_that_nothing_registers_is_reported() -> None:
    """A leftover in the file does not stay unseen."""
    registry = Registry()
    registry.figure("a.b", unit="1", title=TITLE)(lambda: 1)
    stored = {"a.b": registry.definitions["a.b"].figure()}
    (verdict,) = verify(stored, {}, whole=True)
    assert (verdict.name, verdict.status, verdict.fix) == ("a.b", "unregistered", "lora-demo figures")
    assert verify(stored, {}, whole=False) == []
