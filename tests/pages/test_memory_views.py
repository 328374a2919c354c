"""The memory page's pictures and tables say what the records say."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from lora_demo.pages.bank import content
from lora_demo.pages.writing import memory_views
from lora_demo.results.paths import project_root

CONTENT = content.load(project_root())


def samples(record: str) -> dict[str, Any]:
    path = project_root() / "qa" / "records" / f"{record}.json"
    return json.loads(path.read_text(encoding="utf-8"))["samples"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_step_is_a_bar_as_long_as_its_peak(lang: str) -> None:
    steps = samples("memory-waterfall")["steps"]
    svg = memory_views.waterfall(CONTENT, lang, "memory.md")
    widths: dict[str, float] = {}
    for y, width in re.findall(r'<rect class="kind-\w+" x="[\d.]+" y="(\d+)" width="([\d.]+)"', svg):
        widths[y] = widths.get(y, 0) + float(width)
    assert len(widths) == len(steps) >= 7
    lengths = [widths[y] for y in sorted(widths, key=int)]
    scale = lengths[0] / steps[0]["peak"]
    # Each piece is rounded to a tenth of a pixel.
    assert lengths == pytest.approx([step["peak"] * scale for step in steps], abs=0.5)
    assert all(f"{step['peak'] / 2**30:.1f} GiB" in svg for step in steps)


def test_the_way_leads_from_above_a_4090_to_below_six_gigabytes() -> None:
    found = samples("memory-waterfall")
    peaks = [step["peak"] for step in found["steps"]]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[0] > found["cards"]["RTX 4090"]
    assert peaks[-2] < found["cards"]["8 GB"]
    assert peaks[-1] < found["cards"]["6 GB"]
    assert all(sum(step["parts"].values()) == step["peak"] for step in found["steps"])


@pytest.mark.parametrize("step", ["naive"])
def test_what_is_alive_adds_up_to_the_peak_at_every_level(step: str) -> None:
    found = samples("memory-waterfall")
    nodes = found["alive"][step]
    assert sum(node["bytes"] for node in nodes) == next(s["peak"] for s in found["steps"] if s["name"] == step)
    inner = [node for node in nodes if node.get("children")]
    while inner:
        node = inner.pop()
        assert sum(child["bytes"] for child in node["children"]) == node["bytes"]
        inner += [child for child in node["children"] if child.get("children")]
    html = memory_views.alive(CONTENT, "en", "memory.md", step)
    assert html.count("<details>") == html.count("</details>") >= len(nodes)
    with pytest.raises(ValueError, match="no tree for `nosuch`; there are naive"):
        memory_views.alive(CONTENT, "en", "memory.md", "nosuch")


def test_every_open_run_is_a_row_with_what_three_calculators_say() -> None:
    runs, fitcheck = samples("memory-validation")["runs"], samples("fitcheck-llm")["runs"]
    rows = memory_views.validation(CONTENT, "en", "memory.md").splitlines()[2:]
    assert len(rows) == len(runs) >= 26
    said = {row.split("`")[1]: row for row in rows}
    for name, run in runs.items():
        row = said[name.replace("llama-3.2-3B-", "")]
        assert f"{run['measured'] / 1e9:.2f} GB | {run['predicted'] / 1e9:.2f} GB" in row
        total = fitcheck[name]["memory_mib"]["total"] * 2**20 / 1e9 if name in fitcheck else None
        assert row.endswith(" – |") if total is None else f"{total:.1f} GB (" in row
    assert len(fitcheck) == 5


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_errors_are_those_of_the_runs(lang: str) -> None:
    runs = samples("memory-validation")["runs"].values()
    errors = [abs(run["predicted"] / run["measured"] - 1) for run in runs]
    text = memory_views.errors(CONTENT, lang, "memory.md")
    first = text.splitlines()[-5].split("|")
    wanted = [np.median(errors), np.percentile(errors, 95), max(errors)]
    assert first[2].strip() == str(len(errors))
    assert [cell.strip() for cell in first[3:6]] == [f"{100 * number:.1f}%" for number in wanted]
    assert text.count("<circle") == len(errors)
