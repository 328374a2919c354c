"""From the points of traced steps to the closed form: which targets add what, and which points a peak can be at.

What a point holds depends on the targets one by one and on whether any of a group is targeted (q, k and v read the same
input; a first layer saves nothing below its first adapter). So each coefficient is a sum over such indicators, solved
from the steps of a few choices of targets. Hundreds of points come out; kept are those without which some drawn
setting's peak would be missed by more than TOLERATED.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lora_demo.memory.formula.closed_form import ALL, GROUPS, Dimensions, Request, Terms, counted, indicators, value
from lora_demo.memory.formula.closed_form import variables as variables_of
from lora_demo.memory.formula.points import COUNTED, Formula, Variant, points
from lora_demo.memory.formula.probe_subject import FAMILIES
from lora_demo.memory.tracing.trace import Kind

CHOICES: tuple[tuple[str, ...], ...] = (
    ALL,
    ALL[:4],
    ALL[4:],
    *((name,) for name in ALL),
    ("q_proj", "v_proj"),
    ("q_proj", "up_proj"),
    ("v_proj", "gate_proj", "down_proj"),
)
DRAWS = 1500
TOLERATED = 0.002
NEGLIGIBLE = 2e-4
"""Share of the total below which a term is dropped."""
EXACT = 0.01
"""Bytes per monomial: what a solution may miss."""
Known = dict[tuple[tuple[str, ...], bool], dict[str, Formula]]
"""(targets, tied) -> point -> formula"""


def variants() -> Iterator[Variant]:
    """All that the closed form knows."""
    for family, checkpointing, selected in itertools.product(FAMILIES, (False, True), (False, True)):
        yield Variant(family, "full", False, checkpointing, selected)
        for fp32 in (True, False):
            yield Variant(family, "lora", fp32, checkpointing, selected)


def known_points(variant: Variant) -> Known:
    """The points of every choice of targets; for full fine-tuning, with the head tied to the embedding and not."""
    if variant.method == "full":
        ties = (True, False) if variant.family == "llama" else (True,)
        return {((), tied): points(variant, (), tied=tied) for tied in ties}
    return {(targets, True): points(variant, targets, tied=True) for targets in CHOICES}


def fit(variant: Variant, known: Known, *, seed: int = 0) -> dict[str, Terms]:
    """Point -> kind -> monomial -> bytes."""
    formulas = general(known)
    drawn = [_draw(variant, random.Random(f"{seed}/{variant.name}/{number}"), list(known)) for number in range(DRAWS)]
    table = _Table(formulas, known, drawn)
    return {point: _terms(table.without_trifles(point)) for point in table.needed()}


def general(known: Known) -> dict[str, Formula]:
    """Each point's formula for any targets: its coefficients written as sums over indicators."""
    found = {}
    for point in sorted(set().union(*known.values())):
        # Without targets there are two cases only, tied and not: a point that one of them lacks holds nothing there.
        cases = {case: formulas.get(point, {}) for case, formulas in known.items() if point in formulas or not case[0]}
        found[point] = _solve(point, cases)
    return found


def _solve(point: str, cases: Mapping[tuple[tuple[str, ...], bool], Formula]) -> Formula:
    """Exact with as few indicators as will do; as near as all of them come where none will (`_Table` judges that)."""
    always, _, adapter = point.partition(".adapter")
    only = f"t{always.rpartition('.')[2][0]}*" if adapter else ""
    terms = sorted(set().union(*cases.values()))
    wanted = np.array([[one.get(term, 0.0) for term in terms] for one in cases.values()])
    formula: Formula = {}
    names, solution = (), np.empty((0, 0))
    for names, matrix in _indicators([indicators(targets, tied) for targets, tied in cases]):
        solution = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
        exact = np.abs(matrix @ solution - wanted).max(axis=0) < EXACT
        for term, column, done in zip(terms, solution.T, exact, strict=True):
            if done and term not in formula:
                formula |= _written(term, names, column, only)
        left = [number for number, done in enumerate(exact) if not done]
        terms, wanted, solution = [terms[number] for number in left], wanted[:, left], solution[:, left]
    for term, column in zip(terms, solution.T, strict=True):
        formula |= _written(term, names, column, only)
    return formula


def _written(term: tuple[Kind, str], names: Sequence[str], column: Any, only: str) -> Formula:
    kind, monomial = term
    return {
        (kind, only + (monomial if name == "1" else f"{name}*{monomial}")): float(bytes_)
        for name, bytes_ in zip(names, column, strict=True)
        if abs(bytes_) > EXACT
    }


def _indicators(rows: Sequence[Mapping[str, int]]) -> Iterator[tuple[list[str], Any]]:
    """Names that tell the cases apart, with their values: single targets first, then with groups, then all."""
    columns = {name: tuple(row[name] for row in rows) for name in rows[0]}
    first: dict[tuple[int, ...], str] = {}
    for name, column in columns.items():
        if any(column):
            first.setdefault(column, name)
    found = list(first.values())
    near = [name for name in found if len(name) <= 3 or name in GROUPS[:3]]
    for names in ([name for name in near if name not in GROUPS], near, found):
        yield names, np.array([columns[name] for name in names], dtype=float).T


class _Table:
    """Totals of every point at every drawn setting, and the true peaks."""

    def __init__(self, formulas: dict[str, Formula], known: Known, drawn: Sequence[tuple[Dimensions, Request]]) -> None:
        self.formulas, self.names = formulas, list(formulas)
        terms = sorted({monomial for formula in formulas.values() for _, monomial in formula})
        plain = sorted({m for one in known.values() for formula in one.values() for _, m in formula} - set(terms))
        values = [variables_of(model, request) for model, request in drawn]
        self.place = {name: number for number, name in enumerate([*terms, *plain])}
        self.values = np.array([[value(name, one) for name in self.place] for one in values])
        self.rest = np.array([sum(counted(model, request).values()) for model, request in drawn])
        self.totals = self.values @ self._matrix(formulas, self.names).T + self.rest[:, None]
        self.peaks = self._peaks(known, drawn)

    def needed(self) -> list[str]:
        """The fewest points, found greedily, that miss no peak by more than TOLERATED; none may exceed one by more."""
        ratio = self.totals / self.peaks[:, None]
        usable = ratio.max(axis=0) <= 1 + TOLERATED
        reached = np.where(usable, ratio, 0.0)
        best_of_all = reached.max(axis=1)
        if best_of_all.min() < 1 - 2 * TOLERATED:
            raise ValueError(f"a peak is missed by {1 - best_of_all.min():.2%}: trace more choices of targets")
        covers = reached >= np.minimum(1 - TOLERATED, best_of_all)[:, None]
        missed, found = np.full(len(covers), True), []
        while missed.any():
            best = int(covers[missed].sum(axis=0).argmax())
            found.append(self.names[best])
            missed &= ~covers[:, best]
        return found

    def without_trifles(self, point: str) -> Formula:
        """The point's formula without terms that nowhere make up a share worth counting."""
        share = {
            term: float(np.abs(bytes_ * self.values[:, self.place[term[1]]] / self.peaks).max())
            for term, bytes_ in self.formulas[point].items()
        }
        return {term: bytes_ for term, bytes_ in self.formulas[point].items() if share[term] > NEGLIGIBLE}

    def _peaks(self, known: Known, drawn: Sequence[tuple[Dimensions, Request]]) -> Any:
        peaks = np.zeros(len(drawn))
        for (targets, tied), formulas in known.items():
            rows = [
                number
                for number, (model, request) in enumerate(drawn)
                if (request.targets, model.tied) == (targets or ALL, tied)
            ]
            highest = (self.values[rows] @ self._matrix(formulas, list(formulas)).T).max(axis=1)
            peaks[rows] = highest + self.rest[rows]
        return peaks

    def _matrix(self, formulas: Mapping[str, Formula], names: Sequence[str]) -> Any:
        matrix = np.zeros((len(names), len(self.place)))
        for row, name in enumerate(names):
            for (_, monomial), bytes_ in formulas[name].items():
                matrix[row, self.place[monomial]] += bytes_
        return matrix


def _terms(formula: Formula) -> Terms:
    """By kind, whole bytes where the solution is as good as whole."""
    found: Terms = {}
    for kind in COUNTED:
        some = {monomial: bytes_ for (one, monomial), bytes_ in formula.items() if one == kind}
        if some:
            found[kind] = {monomial: _whole(bytes_) for monomial, bytes_ in sorted(some.items())}
    return found


def _whole(bytes_: float) -> float:
    return round(bytes_) if abs(bytes_ - round(bytes_)) < 0.02 else round(bytes_, 4)


def _draw(
    variant: Variant, source: random.Random, cases: Sequence[tuple[tuple[str, ...], bool]]
) -> tuple[Dimensions, Request]:
    """A decoder of the proportions of real ones, a request, and one of the choices whose points are known."""
    targets, tied = source.choice(cases)
    head_dim = source.choice((64, 128, 256))
    heads = source.randint(1024 // head_dim, 8192 // head_dim)
    hidden = 64 * round(heads * head_dim / 64 * source.uniform(0.7, 1.3))
    length = round(2 ** source.uniform(7, 13))
    # A picture's positions have logits but no targets, so the two numbers of rows come apart.
    positions = source.choice((0, round(length * source.uniform(0, 0.9)))) if variant.family == "gemma" else 0
    model = Dimensions(
        image={"positions": positions},
        family=variant.family,
        layers=source.randint(12, 80),
        hidden=hidden,
        intermediate=64 * round(hidden / 64 * source.uniform(2.5, 8)),
        heads=heads,
        kv_heads=source.choice([count for count in (1, 2, 4, 8, heads) if heads % count == 0]),
        head_dim=head_dim,
        vocabulary=1000 * source.randint(30, 260),
        tied=tied,
    )
    request = Request(
        method=variant.method,
        rank=source.choice((4, 8, 16, 32, 64, 128, 256)),
        targets=targets or ALL,
        batch=source.choice((1, 1, 2, 4, 8)),
        length=length,
        supervised=source.randint(1, min(512, length - positions - 1)) if variant.selected else None,
        checkpointing=variant.checkpointing,
        adapter_fp32=variant.adapter_fp32,
        optimizer=source.choice(("fused", "adamw8bit")),
    )
    return model, request
