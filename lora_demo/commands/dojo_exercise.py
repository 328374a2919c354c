"""An exercise as the judge takes it, and whether it is sound: a slip that nothing catches would teach what is wrong."""

from __future__ import annotations

from lora_demo.judge.judging import Job, judge_all
from lora_demo.judge.verdict import Verdict
from lora_demo.pages.bank.exercise import Exercise
from lora_demo.results.paths import project_root

NOT_A_SLIP = ("NameError", "SyntaxError", "ImportError", "ModuleNotFoundError")


def job_of(exercise: Exercise) -> Job:
    """What the judge needs to know of an exercise."""
    names = tuple(check.name for check in exercise.meta.checks)
    return Job(project_root() / exercise.checks_file, tuple(exercise.meta.gives), names)


def faults(exercise: Exercise) -> list[str]:
    """What is wrong with it, in words; empty if its solution passes, its starter does not and each slip is caught."""
    meta = exercise.meta
    answers = [exercise.solution, exercise.starter, *map(exercise.with_slip, meta.slips)]
    solution, starter, *slips = judge_all(job_of(exercise), answers)
    found = []
    if solution.status != "pass":
        found.append(f"the solution does not pass: {_first_failure(solution)}")
    if starter.status == "pass":
        found.append("the starter passes as it stands")
    for slip, verdict in zip(meta.slips, slips, strict=True):
        if reason := _missed(slip.by, verdict):
            found.append(f"slip {slip.says.en!r}: {reason}")
    return found


def _missed(by: str, verdict: Verdict) -> str | None:
    results = {result.name: result for result in verdict.tests}
    if not verdict.ended:
        return "the answer does not come to an end"
    if broken := next((one for one in verdict.tests if any(name in one.message for name in NOT_A_SLIP)), None):
        return f"is no slip but broken code: {broken.message}"
    if by not in results or results[by].status == "pass":
        return f"the check {by} does not catch it"
    return None


def _first_failure(verdict: Verdict) -> str:
    return next(f"{one.name}: {one.message} ({one.counterexample})" for one in verdict.tests if one.status != "pass")
