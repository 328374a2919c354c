"""The sources: complete entries, refused faults, and numbers that fit together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lora_demo.figures.literature import BrokenLiterature, cited, cited_definitions, read
from lora_demo.results.paths import literature_file

GOOD = """
a2020:
  title: "A paper"
  authors: A et al.
  year: 2020
  arxiv: "2001.00001"
  checked: full text
  items:
    score: {value: 0.5, unit: acc, where: Table 1, checked: full text, title: {zh: 分, en: score}}
"""


def test_every_source_says_who_when_where_and_how_far_it_was_checked() -> None:
    """Each entry has authors, a year and an address; each item its place and its own mark."""
    sources = read(literature_file())
    items = [item for source in sources.values() for item in source.items.values()]
    assert len(sources) >= 30
    assert len(items) >= 250
    assert all(s.arxiv or s.url or s.checked == "the notes" for s in sources.values())
    assert all(item.title.zh != item.title.en and item.where for item in items)


def test_each_item_becomes_a_cited_figure_with_its_place() -> None:
    """The figure's conditions say where the number stands and how it was checked."""
    by_name = {definition.name: definition for definition in cited_definitions(literature_file())}
    figure = by_name["hu2021.table6.wikisql.qv.r1"].figure()
    assert (figure.kind, figure.source, figure.value) == ("cited", "hu2021", 0.734)
    assert "Table 6" in figure.conditions["en"]
    assert "Table 6" in figure.conditions["zh"]
    assert len(by_name) == sum(len(source.items) for source in read(literature_file()).values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(("year: 2020", "year: soon"), "source 'a2020', field year", id="year"),
        pytest.param(("checked: full text\n", "checked: maybe\n"), "field checked", id="mark"),
        pytest.param(('  arxiv: "2001.00001"\n', ""), "give an arxiv id or a url", id="address"),
        pytest.param(("where: Table 1, ", ""), "field items.score.where", id="place"),
        pytest.param(("zh: 分, ", ""), "field items.score.title.zh", id="one language"),
        pytest.param(("authors:", "autors:"), "field authors", id="misspelt"),
        pytest.param(("  year: 2020", "  year: 2020\n  year: 2021"), "'year' stands twice", id="twice"),
        pytest.param(("a2020:", "a2020"), "literature.yaml", id="no yaml"),
    ],
)
def test_faulty_entry_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """File, source and field stand in the message."""
    assert change[0] in GOOD
    file = tmp_path / "literature.yaml"
    file.write_text(GOOD.replace(*change), encoding="utf-8")
    with pytest.raises(BrokenLiterature, match=r"literature\.yaml") as caught:
        read(file)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "can't decode byte"),
        (b"a: 2026-99-99", "month must be in 1..12"),
        (b"a: !!bool x", "not what it looks like: 'x'"),
        (b"a: " + b"1" * 5000, "Exceeds the limit"),
        (b"1: [2]", "source 1, field"),
        (GOOD.replace("value: 0.5", "value: true").encode(), "field items.score.value"),
        (None, "is no regular file"),
    ],
)
def test_a_file_of_any_kind_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    """No content of the file ends in a traceback, and a pipe is not waited for."""
    file = tmp_path / "literature.yaml"
    if content is None:
        os.mkfifo(file)
    else:
        file.write_bytes(content)
    with pytest.raises(BrokenLiterature, match=r"literature\.yaml") as caught:
        list(cited_definitions(file))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(BrokenLiterature, match="is not there; the command works in a checkout, or with LORA_DEMO_ROOT"):
        read(tmp_path / "literature.yaml")


def test_good_entry_is_read(tmp_path: Path) -> None:
    """The sample that the faults above start from is itself fine."""
    file = tmp_path / "literature.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert read(file)["a2020"].items["score"].value == 0.5


def test_missing_item_is_named() -> None:
    """Arithmetic on a number that is not there says which."""
    with pytest.raises(BrokenLiterature, match="no item 'table9' under 'hu2021'"):
        cited("hu2021.table9")


def test_houlsby_gap_is_the_difference_of_its_two_scores() -> None:
    """80.4 - 80.0 is the 0.4 points of the abstract."""
    gap = 100 * (cited("houlsby2019.glue.full") - cited("houlsby2019.glue.adapter"))
    assert gap == pytest.approx(cited("houlsby2019.glue.gap"))


def test_printed_latency_percentages_follow_from_the_printed_times() -> None:
    """Each slow-down of Table 1 is its time over the base's."""
    checked = 0
    for batch in ("b32", "b16", "b1"):
        base = cited(f"hu2021.latency.base.{batch}.ms")
        for method in ("adapter_l", "adapter_h"):
            slower = cited(f"hu2021.latency.{method}.{batch}.ms") / base - 1
            assert slower == pytest.approx(cited(f"hu2021.latency.{method}.{batch}"), abs=0.001)
            checked += 1
    assert checked == 6


def test_qlora_saving_is_what_the_block_sizes_give() -> None:
    """0.373 bits per parameter from 32/64 - 8/64 - 32/(64 * 256)."""
    assert pytest.approx(cited("dettmers2023qlora.double_quant.saving"), abs=5e-4) == 32 / 64 - 8 / 64 - 32 / (64 * 256)


def test_gemma_report_and_checkpoint_differ_by_128_vocabulary_rows() -> None:
    """The report counts 256,128 rows, the published checkpoint has 256,000."""
    assert cited("gemma2024.embedding") == cited("gemma2024.vocab") * 2048
    assert cited("gemma2024.rest") + 256_000 * 2048 == 2_506_172_416
