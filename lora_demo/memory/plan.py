"""Which ways of training fit a card, cheapest savers first: the closed form searches, the trace confirms.

A way is a method with a ladder of savers; each rung adds one, in the order of what it costs:

    fused AdamW               nothing
    supervised logits only    nothing, the loss is the same
    recomputed activations    about a third more compute
    8-bit AdamW               coarser moments (full fine-tuning; LoRA's are small)

A packed base (QLoRA) is a method of its own: it costs quality and slower layers. For each method the first rung that
fits batch 1 at the asked length is proposed, with the largest batch at that length and the largest length at batch 1.
What the allocator reserves beyond the formula's bytes is allowed for with the closed form's `slack`: the largest ratio
among the drawn settings of `closed_form_check`, apart for whole and selected logits, kept and recomputed activations:
what comes and goes leaves holes in the cache. Under pressure PyTorch gives the cache back and tries again, so a step
may fit with less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lora_demo.memory.cards import Card
from lora_demo.memory.formula.closed_form import ALL, Dimensions, Request, data, estimate, slack_key

LONGEST = 1 << 17
MOST_ROWS = 4096


@dataclass(frozen=True)
class Proposal:
    """One method at the first rung that fits; `needs` is what batch 1 at the asked length reserves.

    savers     names of the rungs taken, cheapest first
    batch      rows that fit at the asked length; 0 where even one does not
    length     positions that fit at batch 1, as far as the model takes them
    """

    method: str
    savers: tuple[str, ...]
    request: Request
    needs: int
    batch: int
    length: int

    @property
    def fits(self) -> bool:
        return self.batch > 0


METHODS: dict[str, Request] = {
    "full": Request(method="full"),
    "LoRA r=16, all linears": Request(rank=16, targets=ALL),
    "LoRA r=16, q and v": Request(rank=16, targets=("q_proj", "v_proj")),
    "QLoRA r=16, all linears": Request(rank=16, targets=ALL, base="nf4"),
}
"""Name -> request without savers; strongest first."""


def ladder(start: Request, supervised: int) -> Iterator[tuple[tuple[str, ...], Request]]:
    """Savers taken so far and the request with them, one more each time."""
    rungs: list[tuple[str, dict[str, object]]] = [
        ("fused AdamW", {"optimizer": "fused"}),
        ("logits at supervised positions", {"supervised": supervised}),
        ("recomputed activations", {"checkpointing": True}),
    ]
    if start.method == "full":
        rungs.append(("8-bit AdamW", {"optimizer": "adamw8bit"}))
    taken: tuple[str, ...] = ()
    yield taken, start
    for name, change in rungs:
        taken, start = (*taken, name), replace(start, **change)  # type: ignore[arg-type]  # keys are field names
        yield taken, start


def proposals(
    model: Dimensions, card: Card, length: int, supervised: int, longest: int | None = None
) -> list[Proposal]:
    """One per method: those that fit first, in the order of METHODS; the rest by what they lack.

    longest  positions at which the model cuts a row; None: it cuts none, and LONGEST bounds the search alone
    """
    most = LONGEST if longest is None else min(longest, LONGEST)
    found = [_propose(name, start, model, card, length, supervised, most) for name, start in METHODS.items()]
    return sorted(found, key=lambda one: (not one.fits, 0 if one.fits else one.needs))


def reserved(model: Dimensions, request: Request) -> int:
    """What a step reserves: the formula's peak with the allowance for the allocator."""
    return round(data()["slack"][slack_key(request)] * estimate(model, request).peak)


def _propose(
    name: str, start: Request, model: Dimensions, card: Card, length: int, supervised: int, most: int
) -> Proposal:
    proposal = None
    for savers, request in ladder(replace(start, length=length), supervised):
        needs = reserved(model, request)
        proposal = Proposal(name, savers, request, needs, 0, 0)
        if needs <= card.budget:
            rows = _largest(
                lambda batch, r=request: reserved(model, replace(r, batch=batch)) <= card.budget, 1, MOST_ROWS
            )
            longest = _largest(
                lambda size, r=request: reserved(model, replace(r, length=size)) <= card.budget, length, most
            )
            return replace(proposal, batch=rows, length=longest)
    assert proposal is not None, "a ladder has at least one rung"
    return proposal


def _largest(fits: Callable[[int], bool], least: int, most: int) -> int:
    """Largest n <= most with fits(n); fits(least) holds and fits is monotone."""
    low, high = least, 2 * least
    while high <= most and fits(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
