"""Each planted fault is found, with the file, the line and the fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lora_demo.pages.bank.problem import Problem

QUESTION = "qa/questions/memory/what-is-saved.md"
EXERCISE = "qa/exercises/total/exercise.yaml"


@dataclass(frozen=True)
class Fault:
    """Replace `old` by `new` (first occurrence) in `path`; the problem stands on the line that holds `at`."""

    name: str
    path: str
    old: str
    new: str
    at: str
    field: str
    says: str
    fix: str


FAULTS = [
    Fault(
        "unknown figure", QUESTION, "{{ fig:net.states.full|short }}", "{{ fig:net.state.full|short }}",
        "状态按项列", "zh.in-depth", "unknown figure `net.state.full`", "`net.states.full`",
    ),
    Fault(
        "unknown form", QUESTION, "net.states.full|short", "net.states.full|loud",
        "状态按项列", "zh.in-depth", "unknown form `loud`", "spoken, short, exact",
    ),
    Fault(
        "unused figure", "qa/reference-figures.yaml", "figures: [net.table.*]", "figures: [net.params.total]",
        "net.table.only", "net.table.only", "nothing uses this figure", "qa/reference-figures.yaml",
    ),
    Fault(
        "bare number", QUESTION, "激活省得有限，因为反向还要穿过", "激活只省 18 GB，因为反向还要穿过",
        "激活只省 18 GB", "zh.sixty-seconds", "`18 GB` has no source", "fig:net.states.full|spoken",
    ),
    Fault(
        "bare number in words", QUESTION, "the logits do not shrink at all", "the logits are three times as large",
        "three times as large", "en.sixty-seconds", "`three times` has no source", "{{ fig:NAME }}",
    ),
    Fault(
        "bare number in a claim", QUESTION, "zh: 全参的状态放不下。", "zh: 全参的状态要三十亿。",
        "三十亿", "claims[1].zh", "`三十亿` has no source", "fig:net.params.total|spoken",
    ),
    Fault(
        "bare number in a hand-written page", "docs/en/index.md", "# Home\n", "# Home\n\nSaves 99% of it.\n",
        "Saves 99%", "text", "`99%` has no source", "{{ fig:NAME }}",
    ),
    Fault(
        "missing test", QUESTION, "weights_carry_no_state\"", "weights_carry_no_stats\"",
        "weights_carry_no_stats", "claims[0].by[0]", "there is no test", "test_frozen_weights_carry_no_state",
    ),
    Fault(
        "claim without proof", QUESTION, 'by: ["fig:net.states.full", "cite:paper2021"]', "by: []",
        "by: []", "claims[1].by", "nothing proves this claim", "cite:KEY",
    ),
    Fault(
        "unknown work", QUESTION, "cite:paper2021", "cite:paper2012",
        "cite:paper2012", "claims[1].by[1]", "not in qa/literature.yaml", "`paper2021`",
    ),
    Fault(
        "unknown figure in a claim", QUESTION, '"fig:net.states.full"', '"fig:net.states.half"',
        "fig:net.states.half", "claims[1].by[0]", "unknown figure `net.states.half`", "`net.states.full`",
    ),
    Fault(
        "missing language", QUESTION, "## en\n", "",
        "Name the convention", "en", "the part `## en` is missing", "add `## en`",
    ),
    Fault(
        "missing section", QUESTION, "### Common mistakes\n", "",
        "Name the convention", "en", "`### Common mistakes` is missing", "add it under `## en`",
    ),
    Fault(
        "empty section", QUESTION, "主动报出口径，再给数字。见 {{ q:memory.activations }}。", "",
        "### 加分点", "zh", "`### 加分点` is empty", "write it",
    ),
    Fault(
        "sections out of order", QUESTION, "### 常见误区", "### 加分点\n先讲口径。\n\n### 常见误区",
        "主动报出口径", "zh", "unexpected or doubled section `### 加分点`", "keep exactly",
    ),
    Fault(
        "unknown follow-up", QUESTION, "followups: [memory.activations]", "followups: [memory.activation]",
        "followups:", "followups[0]", "unknown question `memory.activation`", "`memory.activations`",
    ),
    Fault(
        "follow-up without a line", QUESTION, "看挂在哪几层。→ memory.activations", "看挂在哪几层。",
        "followups:", "followups[0]", "has no line under `### 追问`", "→ memory.activations",
    ),
    Fault(
        "arrow to nowhere", QUESTION, "depends on the layers. → memory.activations", "→ memory.activations → math.zero",
        "math.zero", "en.follow-ups", "`→ math.zero` is not among", "add `math.zero`",
    ),
    Fault(
        "id differs from path", QUESTION, "id: memory.what-is-saved", "id: memory.what-is-lost",
        "id: memory.what-is-lost", "id", "does not match the path", "id: memory.what-is-saved",
    ),
    Fault(
        "invalid YAML", QUESTION, "level: mid", "level: [mid",
        "kind: concept", "yaml", "not valid YAML", "quote",
    ),
    Fault(
        "unknown field", QUESTION, "level: mid\n", "level: mid\nlevle: mid\n",
        "levle", "levle", "unknown field `levle`", "`level`",
    ),
    Fault(
        "missing field", QUESTION, "kind: concept\n", "",
        "---", "kind", "the field `kind` is missing", "add `kind: …`",
    ),
    Fault(
        "doubled field", QUESTION, "kind: concept\n", "kind: concept\nkind: math\n",
        "kind: math", "kind", "the key stands twice", "keep one",
    ),
    Fault(
        "wrong level", QUESTION, "level: mid\n", "level: middle\n",
        "level: middle", "level", "'middle' is not allowed", "'junior', 'mid' or 'senior'",
    ),
    Fault(
        "wrong type", QUESTION, "lists: 8", "lists: eight",
        "lists: eight", "asked.lists", "'eight' is not a whole number", "write a whole number",
    ),
    Fault(
        "comma splits a text", QUESTION, "en: names gradients}", "en: names gradients, and says why}",
        "and says why", "rubric[0].and says why", "unknown field", "quote the text",
    ),
    Fault(
        "unknown topic", "qa/topics.yaml", "- id: memory", "- id: memories",
        "topic: memory", "topic", "unknown topic `memory`", "`memories`",
    ),
    Fault(
        "too long for sixty seconds", QUESTION, "训练的人真正付的就是这几份。", "训练的人真正付的就是这几份。" * 12,
        "LoRA 省的不是模型", "zh.sixty-seconds", "Chinese characters after rendering", "cut it: 150 to 300",
    ),
    Fault(
        "exact figure for the ear", QUESTION, "total|spoken }} parameters", "total|exact }} parameters",
        "LoRA does not shrink", "en.sixty-seconds", "the exact form of `net.params.total`", "|spoken }}`",
    ),
    Fault(
        "mark for the ear", QUESTION, "光是状态就要", "光是状态就要{{ mark:predicted }}",
        "LoRA 省的不是模型", "zh.sixty-seconds", "stands in a text for the ear", "mark it in depth",
    ),
    Fault(
        "figures differ between languages", QUESTION, "score {{ fig:paper2021.score }}", "a score",
        "In one sentence", "en", "only `## zh` quotes paper2021.score", "under `## en`",
    ),
    Fault(
        "code differs between languages", QUESTION, "#### Code\n{{ code:pkg/count.py#Counter.add }}\n", "#### Code\n",
        "### In depth", "en", "1 code blocks, 2 under `## zh`", "the same code",
    ),
    Fault(
        "unknown symbol", QUESTION, "pkg/count.py#Counter.add", "pkg/count.py#Counter.sub",
        "Counter.sub", "zh.in-depth", "defines no `Counter.sub`", "`path.py#Class.method`",
    ),
    Fault(
        "unreadable formula", QUESTION, "$x^2$ 在行内", "$\\frac{x$ 在行内",
        "在行内", "zh.in-depth", "cannot read the formula", "TeX",
    ),
    Fault(
        "unknown TeX command", QUESTION, "$x^2$ 在行内", "$\\alphabet x$ 在行内",
        "在行内", "zh.in-depth", "unknown command `\\alphabet`", "TeX",
    ),
    Fault(
        "unknown placeholder", "docs/zh/index.md", "{{ list:most-asked 20 }}", "{{ lists:most-asked }}",
        "lists:most-asked", "text", "is no placeholder", "list:",
    ),
    Fault(
        "unknown list", "docs/zh/index.md", "{{ list:most-asked 20 }}", "{{ list:most-liked }}",
        "most-liked", "text", "unknown list `most-liked`", "most-asked",
    ),
    Fault(
        "dead link", "docs/zh/index.md", "q/memory/what-is-saved.md", "q/memory/what-is-lost.md",
        "what-is-lost", "link", "dead link `q/memory/what-is-lost.md`", "`q/memory/what-is-saved.md`",
    ),
    Fault(
        "dead link in a question", QUESTION, "再给数字。见", "再给[数字](../math/none.md)。见",
        "再给[数字]", "link", "dead link `../math/none.md`", "link to a page that is there",
    ),
    Fault(
        "ledger names no question", "qa/ledger.yaml", "page: memory.what-is-saved", "page: memory.what-is-sawed",
        "page:", "[0].page", "unknown question `memory.what-is-sawed`", "`memory.what-is-saved`",
    ),
    Fault(
        "ledger with an unknown verdict", "qa/ledger.yaml", "verdict: holds", "verdict: true-ish",
        "verdict:", "[0].verdict", "'true-ish' is not allowed", "'holds'",
    ),
    Fault(
        "section of the notes uncovered", "qa/coverage.yaml", "ledger.md]", "leger.md]",
        "leger.md", "[0].pages[1]", "no page `leger.md`", "`ledger.md`",
    ),
    Fault(
        "table of unknown figures", "qa/reference-figures.yaml", "net.table.*", "net.tables.*",
        "net.tables", "[0].figures[0]", "no figure matches", "`net.",
    ),
    Fault(
        "wrong spelling", QUESTION, "Name the convention", "Name the agreement",
        "Name the agreement", "en.extra-credit", "rules out `agreement`", "write `convention`",
    ),
    Fault(
        "term that nobody uses", "qa/glossary.yaml", "en: convention}", "en: covenant}",
        "en: covenant", "[0].term.en", "no question uses `covenant`", "add the spelling",
    ),
    Fault(
        "term of no topic", "qa/glossary.yaml", "topic: memory", "topic: memories",
        "topic: memories", "[0].topic", "unknown topic `memories`", "`memory`",
    ),
    Fault(
        "term explained nowhere", "qa/glossary.yaml", "page: memory.what-is-saved", "page: memory.what-is-sawed",
        "page: memory", "[1].page", "unknown question `memory.what-is-sawed`", "`memory.what-is-saved`",
    ),
    Fault(
        "myth without a test", "qa/myths.yaml", "weights_carry_no_state", "weights_carry_no_stats",
        "carry_no_stats", "[0].by[0]", "there is no test", "test_frozen_weights_carry_no_state",
    ),
    Fault(
        "broken figure file", "qa/figures.json", '"kind": "exact",', '"kind": "exact"',
        '"kind": "exact"', "file", "Expecting ',' delimiter", "restore",
    ),
    Fault(
        "slip that edits nothing", EXERCISE, "old: return Counter().add(1)", "old: return Counter().sub(1)",
        "Counter().sub(1)", "slips[2].old", "stands 0 times in `pkg/count.py`", "stands there once",
    ),
    Fault(
        "slip caught by no check", EXERCISE, "by: is_a_number", "by: is_an_number",
        "is_an_number", "slips[2].by", "there is no check `is_an_number`", "`is_a_number`",
    ),
    Fault(
        "check that is not described", EXERCISE, "name: is_right", "name: is_correct",
        "checks:", "checks", "`checks.py` has is_a_number, is_right", "in the order of the file",
    ),
    Fault(
        "starter without the name", EXERCISE, "gives: [total]", "gives: [totals]",
        "gives:", "gives", "`starter.py` defines no `totals`", "define it there",
    ),
    Fault(
        "exercise without an explanation", EXERCISE, "question: memory.what-is-saved", "question: memory.what-is-kept",
        "what-is-kept", "question", "unknown question `memory.what-is-kept`", "`memory.what-is-saved`",
    ),
    Fault(
        "bare number in a hint", EXERCISE, "en: Think of the unit.", "en: It saves 18 GB.",
        "18 GB", "hints[0].en", "`18 GB` has no source", "fig:net.states.full|spoken",
    ),
    Fault(
        "exercise in one language", EXERCISE, "{zh: 求总数, en: A total}", "{zh: 求总数}",
        "title", "title.en", "the field `en` is missing", "add `en: …`",
    ),
    Fault(
        "solution that is not there", EXERCISE, "solution: pkg/count.py", "solution: pkg/counts.py",
        "pkg/counts.py", "solution", "there is no file `pkg/counts.py`", "name a tested file",
    ),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_planted_fault_is_found(fault: Fault, small_repo: Path, problems_of: Callable[[], list[Problem]]) -> None:
    file = small_repo / fault.path
    text = file.read_text(encoding="utf-8")
    assert fault.old in text
    broken = text.replace(fault.old, fault.new, 1)
    file.write_text(broken, encoding="utf-8")
    found = [p for p in problems_of() if p.field == fault.field and fault.says in p.message]
    assert found, "\n".join(map(str, problems_of()))
    assert fault.fix in found[0].fix
    where = (small_repo / found[0].path).read_text(encoding="utf-8").splitlines()
    assert fault.at.strip() in "\n".join(where[found[0].line - 2 : found[0].line])
    assert str(found[0]).startswith(f"{found[0].path}:{found[0].line}:")


def test_the_unbroken_repository_has_no_problem(problems_of: Callable[[], list[Problem]]) -> None:
    assert problems_of() == []


def test_duplicate_id_is_found(small_repo: Path, problems_of: Callable[[], list[Problem]]) -> None:
    copy = small_repo / "qa/questions/memory/copy.md"
    copy.write_text((small_repo / QUESTION).read_text(encoding="utf-8"), encoding="utf-8")
    (problem,) = problems_of()
    assert (problem.path, problem.line, problem.field) == ("qa/questions/memory/copy.md", 2, "id")
    assert "`memory.what-is-saved` does not match the path" in problem.message
    assert "id: memory.copy" in problem.fix


def test_page_in_one_language_only_is_found(small_repo: Path, problems_of: Callable[[], list[Problem]]) -> None:
    (small_repo / "docs/zh/only.md").write_text("# 只有中文\n", encoding="utf-8")
    (problem,) = problems_of()
    assert problem.path == "docs/zh/only.md"
    assert "docs/en/only.md" in problem.message


def test_all_problems_are_collected(small_repo: Path, problems_of: Callable[[], list[Problem]]) -> None:
    for name in ("what-is-saved", "activations"):
        file = small_repo / f"qa/questions/memory/{name}.md"
        file.write_text(
            file.read_text(encoding="utf-8")
            .replace("level: mid\n", "level: x\n")
            .replace("level: senior\n", "level: x\n"),
            encoding="utf-8",
        )
    assert len([p for p in problems_of() if p.field == "level"]) == 2


def test_a_repository_without_questions_works(small_repo: Path, problems_of: Callable[[], list[Problem]]) -> None:
    for file in (small_repo / "qa").rglob("*.*"):
        file.unlink()
    for lang in ("zh", "en"):
        (small_repo / f"docs/{lang}/index.md").write_text("# x\n\n{{ list:most-asked 20 }}\n", encoding="utf-8")
    assert problems_of() == []
