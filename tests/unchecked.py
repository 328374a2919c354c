"""Long computations in a process of their own, without the shape checking that the tests put on every function.

A trace takes thrice as long with it. What is called keeps its own tests under shape checking, on small models.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def unchecked(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What the function returns or raises there. Function, arguments and result have to pickle."""
    return _process().submit(function, *given, **named).result()


@functools.cache
def _process() -> ProcessPoolExecutor:
    # Spawned, not forked: a fork would inherit the checked modules.
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
