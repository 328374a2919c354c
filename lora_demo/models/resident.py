"""Peak resident memory of a stretch of this process's work."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

INTERVAL = 0.005


class PeakResident:
    """Watches the process from a thread while the `with` block runs.

    before, peak  resident bytes at entry and the largest seen since. Sampled every 5 ms: a shorter spike can be missed
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.peak = 0

    def __enter__(self) -> PeakResident:
        self.before = self.peak = self._resident()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.peak = max(self.peak, self._resident())

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            self.peak = max(self.peak, self._resident())

    def _resident(self) -> int:
        return self._process.memory_info().rss
