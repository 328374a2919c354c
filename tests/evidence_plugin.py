"""A pytest plugin: after the tests, what stands behind the pages.

Prints one table of figures (quoted, recomputed now, from records, cited, owed) and one of claims (which named tests
ran and passed). In a full run a claim whose test was skipped, deselected or is missing fails the run; in a partial
run it is only reported. `--stamp` writes qa/verified.json for the questions whose every claim held in this run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pytest

from lora_demo.pages.bank.content import Content, load
from lora_demo.pages.bank.handwritten import written_pages
from lora_demo.pages.bank.language import LANGUAGES
from lora_demo.pages.bank.question import Question
from lora_demo.pages.lint.check_question import figures_in
from lora_demo.results.record import today
from lora_demo.results.store import write_atomically

RECOMPUTED = "recomputed figures"
RANK = {"passed": 0, "xfailed": 1, "skipped": 2, "failed": 3}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("evidence", "evidence behind the pages")
    group.addoption(
        "--stamp",
        action="store_true",
        help="write qa/verified.json for the questions whose every claim held in this run",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Evidence(config), "evidence")


@pytest.fixture
def recomputed(request: pytest.FixtureRequest) -> set[str]:
    """Names of the figures that this run has recomputed or derived again; tests add to it."""
    return request.config.pluginmanager.get_plugin("evidence").recomputed


@dataclass(frozen=True)
class Proof:
    """One piece of evidence of a claim and how it fared: held, or why not."""

    by: str
    held: bool
    why: str = ""


# eq=False: pytest keeps its plugins in sets
@dataclass(eq=False)
class Evidence:
    """Listens to the run. A test counts by its node id without parameters: it passed if every variant did."""

    config: pytest.Config
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    recomputed: set[str] = field(default_factory=set)
    full: bool = False
    content: Content | None = None
    verdicts: dict[str, list[list[Proof]]] = field(default_factory=dict)

    @property
    def unproved(self) -> int:
        return sum(not proof.held for claims in self.verdicts.values() for claim in claims for proof in claim)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.note(report.nodeid, _outcome(report), str(report.longrepr or ""))

    def note(self, nodeid: str, outcome: str, reason: str = "") -> None:
        """Keep the worst outcome of a test's variants."""
        name = nodeid.partition("[")[0]
        if RANK[outcome] >= RANK[self.outcomes.get(name, "passed")]:
            self.outcomes[name] = outcome
            self.reasons[name] = reason

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist is done: take over what it recomputed. Its test reports have come already."""
        self.recomputed |= set(getattr(node, "workeroutput", {}).get(RECOMPUTED, ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (out := getattr(self.config, "workeroutput", None)) is not None:
            out[RECOMPUTED] = sorted(self.recomputed)
            return
        self.full = _full_run(session)
        self.content = load(self.config.rootpath)
        self.verdicts = {q.id: judge(q, self.content, self) for q in self.content.questions.values()}
        self.verdicts |= judge_lists(self.content, self)
        if self.config.getoption("--stamp"):
            stamp(self.content, self)
        if self.full and self.unproved and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.content is None:
            return
        terminalreporter.write_sep("=", "evidence")
        lines = [*figure_lines(self.content, self.recomputed), *claim_lines(self)]
        lines += [f"not judged: {problem}" for problem in self.content.problems]
        for line in lines:
            terminalreporter.write_line(line)


def _outcome(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and hasattr(report, "wasxfail"):
        return "xfailed"
    return report.outcome


def _full_run(session: pytest.Session) -> bool:
    """Whether the whole suite was asked for and ran to its end."""
    config = session.config
    narrowing = ("keyword", "lf", "deselect", "ignore", "ignore_glob", "collectonly")
    chosen = any(config.getoption(name, default=None) for name in narrowing)
    stopped = bool(session.shouldstop or session.shouldfail)
    everything = list(config.args) == list(config.getini("testpaths"))
    return everything and not chosen and not stopped and config.getoption("markexpr") == _default_marks(config)


def _default_marks(config: pytest.Config) -> str:
    words = list(config.getini("addopts"))
    return words[words.index("-m") + 1] if "-m" in words else ""


def judge(question: Question, content: Content, run: Evidence) -> list[list[Proof]]:
    """Per claim, its pieces of evidence."""
    return [[_prove(by, content, run) for by in claim.by] for claim in question.meta.claims]


def judge_lists(content: Content, run: Evidence) -> dict[str, list[list[Proof]]]:
    """The same for the claims that stand in lists: those of the source notes and those in circulation."""
    lists = {"ledger": content.ledger, "myths": content.myths}
    return {
        name: [[_prove(by, content, run) for by in entry.by] for entry in entries]
        for name, entries in lists.items()
        if entries
    }


def _prove(by: str, content: Content, run: Evidence) -> Proof:
    kind, _, name = by.partition(":")
    if kind == "fig":
        if name not in content.figures:
            return Proof(by, False, "owed: qa/figures.json lacks it")
        return Proof(by, name in run.recomputed, "" if name in run.recomputed else "not recomputed in this run")
    if kind == "cite":
        known = name in content.literature
        return Proof(by, known, "" if known else "qa/literature.yaml lacks it")
    test = by.partition("[")[0]
    if test not in content.tests:
        return Proof(by, False, "there is no such test")
    outcome = run.outcomes.get(test, "not run")
    return Proof(by, outcome == "passed", "" if outcome == "passed" else _short(outcome, run.reasons.get(test, "")))


def _short(outcome: str, reason: str) -> str:
    last = reason.strip().splitlines()[-1:] if outcome == "skipped" else []
    return f"{outcome}: {last[0]}" if last else outcome


def _complaints(proofs: Iterable[Iterable[Proof]]) -> Iterator[str]:
    for number, claim in enumerate(proofs, 1):
        for proof in claim:
            if not proof.held:
                yield f"claim {number}: {proof.by}: {proof.why}"


def quoted(content: Content) -> Counter[str]:
    """How often each figure is named: in texts, claims, the ledger and the hand-written pages."""
    found: Counter[str] = Counter()
    texts = [page.text for lang in LANGUAGES for page in written_pages(content.root, lang)]
    proofs: list[str] = []
    for question in content.questions.values():
        texts += [section.text for answer in question.answers.values() for section in answer.values()]
        texts += [text for part in (*question.meta.claims, *question.meta.rubric) for text in (part.zh, part.en)]
        proofs += [by for claim in question.meta.claims for by in claim.by]
    for entry in (*content.ledger, *content.myths):
        texts += [entry.claim.zh, entry.claim.en, entry.explanation.zh, entry.explanation.en]
        proofs += entry.by
    found.update(name for text in texts for name, _, _ in figures_in(text))
    found.update(by.removeprefix("fig:") for by in proofs if by.startswith("fig:"))
    return found


def figure_lines(content: Content, recomputed: Collection[str]) -> Iterator[str]:
    """The table of figures, one row per kind, and the names that pages owe."""
    named = quoted(content)
    yield f"{'figures':<12}{'known':>8}{'quoted':>8}{'verified now':>14}"
    rows = {"recomputed": ("exact", "predicted"), "from records": ("measured",), "cited": ("cited",)}
    for row, kinds in rows.items():
        names = {name for name, figure in content.figures.items() if figure.kind in kinds}
        counts = (len(names), len(names & set(named)), len(names & set(recomputed)))
        yield f"{row:<12}{counts[0]:>8}{counts[1]:>8}{counts[2]:>14}"
    owed = sorted(set(named) - set(content.figures))
    yield f"{'owed':<12}{len(owed):>8}" + (f"   {', '.join(owed)}" if owed else "")


def claim_lines(run: Evidence) -> Iterator[str]:
    """The table of claims; in a partial run only the questions whose tests were among those that ran."""
    shown = {name: claims for name, claims in run.verdicts.items() if run.full or _touched(claims, run)}
    if shown:
        yield ""
        yield f"{'question':<44}{'claims':>7}{'tests passed':>14}{'figures':>9}{'sources':>9}"
    for name, claims in sorted(shown.items()):
        proofs = [proof for claim in claims for proof in claim]
        held = sum(all(proof.held for proof in claim) for claim in claims)
        tests, figures, sources = (_ratio(proofs, kind) for kind in ("tests/", "fig:", "cite:"))
        yield f"{name:<44}{f'{held}/{len(claims)}':>7}{tests:>14}{figures:>9}{sources:>9}"
        yield from (f"    {line}" for line in _complaints(claims))
    if run.full:
        yield f"{len(shown)} questions, {run.unproved} proofs of their claims did not hold"
    else:
        yield f"partial run: {len(run.verdicts) - len(shown)} of {len(run.verdicts)} questions had no test in it"


def _touched(claims: Iterable[Iterable[Proof]], run: Evidence) -> bool:
    return any(proof.by.partition("[")[0] in run.outcomes for claim in claims for proof in claim)


def _ratio(proofs: Iterable[Proof], kind: str) -> str:
    chosen = {proof.by: proof.held for proof in proofs if proof.by.startswith(kind)}
    return f"{sum(chosen.values())}/{len(chosen)}" if chosen else "-"


def stamp(content: Content, run: Evidence) -> None:
    """Write date and version for what held; what failed loses its stamp, what did not run keeps it."""
    kept = {name: dict(entry) for name, entry in content.verified.items() if name in run.verdicts}
    now = {"date": today(), "version": metadata.version("lora-demo")}
    for name, claims in run.verdicts.items():
        proofs = [proof for claim in claims for proof in claim]
        if name not in content.questions:
            continue
        if all(proof.held for proof in proofs):
            kept[name] = now
        elif any(_broke(proof, run) for proof in proofs):
            kept.pop(name, None)
    write_atomically(content.root / "qa" / "verified.json", json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


def _broke(proof: Proof, run: Evidence) -> bool:
    return not proof.held and (run.full or run.outcomes.get(proof.by.partition("[")[0]) == "failed")
