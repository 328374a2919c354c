"""What comes out of judging an answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

VERSION = 1
Status = Literal["pass", "fail", "error"]
LOADING = "loads"
"""The first result of every verdict: whether the answer could be read, run and has what the exercise asks for."""


@dataclass(frozen=True)
class CheckResult:
    """One check. "fail": a property does not hold; "error": the answer raised, or did not come to an end.

    counterexample  the smallest input that was found, as `name=value, …`
    """

    name: str
    status: Status
    message: str = ""
    counterexample: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Results in the order of the checks; what the answer printed, cut off after a while; whether it was judged to the
    end."""

    tests: tuple[CheckResult, ...]
    printed: str = ""
    ended: bool = True

    @property
    def status(self) -> Status:
        """`error` where the answer could not be loaded or judged to the end, `fail` where a check was not passed."""
        if not self.ended or any(result.name == LOADING and result.status != "pass" for result in self.tests):
            return "error"
        return "pass" if all(result.status == "pass" for result in self.tests) else "fail"

    def to_json(self) -> dict[str, Any]:
        return {"version": VERSION, "status": self.status, "tests": [asdict(result) for result in self.tests]}
