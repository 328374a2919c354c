"""What a person sees while training: a bar with loss, speed, memory and time left, or lines where no bar can move."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, runtime_checkable

import psutil
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lora_demo.results.units import GIB


@runtime_checkable
class Display(Protocol):
    """Where progress and remarks go."""

    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def start(self, name: str, done: int, total: int) -> None: ...
    def advance(self, step: int, loss: float, tokens_per_second: float) -> None: ...
    def say(self, remark: str) -> None: ...


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def start(self, name: str, done: int, total: int) -> None:
        return None

    def advance(self, step: int, loss: float, tokens_per_second: float) -> None:
        return None

    def say(self, remark: str) -> None:
        return None


class Bar:
    """A Rich progress bar on `console`."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TextColumn("{task.fields[speed]:,.0f} tokens/s"),
            TextColumn("{task.fields[memory]:.2f} GiB"),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=2,
        )

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, name: str, done: int, total: int) -> None:
        self._task = self._progress.add_task(
            name, total=total, completed=done, loss=float("nan"), speed=0.0, memory=memory_in_use() / GIB
        )

    def advance(self, step: int, loss: float, tokens_per_second: float) -> None:
        self._progress.update(
            self._task, completed=step, loss=loss, speed=tokens_per_second, memory=memory_in_use() / GIB
        )

    def say(self, remark: str) -> None:
        self._progress.console.print(remark, markup=False, highlight=False, soft_wrap=True)


class Lines(Quiet):
    """A line now and then on `console`, for log files: at the first step, then every `pause` seconds, and remarks."""

    def __init__(self, console: Console, pause: float = 30.0) -> None:
        self._console, self._pause = console, pause

    def start(self, name: str, done: int, total: int) -> None:
        self._name, self._first, self._total = name, done, total
        self._began, self._due = time.monotonic(), 0.0

    def advance(self, step: int, loss: float, tokens_per_second: float) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._pause
        left = (now - self._began) / (step - self._first) * (self._total - step)
        self.say(
            f"{self._name}: step {step} of {self._total}, loss {loss:.3f}, {tokens_per_second:,.0f} tokens/s, "
            f"{memory_in_use() / GIB:.2f} GiB, about {left / 60:.1f} min left"
        )

    def say(self, remark: str) -> None:
        self._console.print(remark, markup=False, highlight=False, soft_wrap=True)


def memory_in_use() -> int:
    """Bytes: PyTorch's peak on the GPU if there is one, otherwise the process's resident memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return psutil.Process().memory_info().rss
