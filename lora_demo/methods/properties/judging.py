"""Run a property on an implementation, with Hypothesis drawing the inputs.

Profiles, chosen by the environment variable HYPOTHESIS_PROFILE: `default` draws the same examples each time, so that a
continuous check does not flicker; `thorough` draws ten times as many, new ones each time.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import HypothesisException

from lora_demo.methods.properties.catalogue import PROPERTIES
from lora_demo.methods.properties.claims import Property
from lora_demo.methods.properties.implementation import OURS, Implementation

FACTORS = {"default": 1, "thorough": 10}


class UnknownProfile(ValueError):
    """HYPOTHESIS_PROFILE names no profile of ours."""


def profile() -> str:
    name = os.environ.get("HYPOTHESIS_PROFILE", "default")
    if name not in FACTORS:
        raise UnknownProfile(f"HYPOTHESIS_PROFILE={name}: there are {', '.join(FACTORS)}")
    return name


def prove(name: str, implementation: Implementation = OURS) -> None:
    """Raise AssertionError, with a shrunk example, unless the property holds on all that was drawn."""
    chosen = profile()
    _run(PROPERTIES[name], implementation, FACTORS[chosen], chosen == "default", tuple(Phase))


def objection(judged: Property, implementation: Implementation, at_most: int = 1000) -> str | None:
    """The first objection to an implementation, not shrunk; None if there is none. A crash is an objection too.

    at_most  examples, where fewer than the default profile's are enough
    """
    fewer = replace(judged, examples=min(judged.examples, at_most))
    try:
        _run(fewer, implementation, 1, True, (Phase.generate,))
    except HypothesisException:
        raise
    except Exception as error:  # judged code may fail in any way; whichever it is, it is told
        return f"{type(error).__name__}: {error}"
    return None


def _run(
    judged: Property, implementation: Implementation, factor: int, derandomise: bool, phases: tuple[Phase, ...]
) -> None:
    def check(**drawn: Any) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            judged.check(implementation, **drawn)

    # Hypothesis derives its fixed examples from the function: without a name of its own all would draw alike
    check.__qualname__ = judged.name
    drawn = given(**judged.drawn)(check) if judged.drawn else check
    settings(
        max_examples=judged.examples * factor,
        deadline=None,
        database=None,
        derandomize=derandomise,
        phases=phases,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )(drawn)() if judged.drawn else check()
