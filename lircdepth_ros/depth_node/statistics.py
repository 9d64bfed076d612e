# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the depth node counts and times in one activation."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

import numpy as np

RATE_WINDOW_S = 5.0  # over which rates and shares are taken
_SAMPLES_KEPT = 1000  # over which p50 and p99 are taken
_LATEST_SAMPLES = 50  # on which the node is judged: some seconds
_ALWAYS_REPORTED = ("frames_in", "frames_out", "fused", "camera_only", "dropped")


class Statistics:
    """Counters, rates and durations of one activation; the executor's thread and the worker may both use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._recent: dict[str, deque[float]] = {}
        self._samples: dict[str, deque[float]] = {}
        self._last: dict[str, float] = {}
        self._started = time.monotonic()
        self.last_error = ""
        self._last_error_at = 0.0

    def count(self, name: str, number: int = 1) -> None:
        """Count an event: in all, and for its rate."""
        now = time.monotonic()
        with self._lock:
            self._counters[name] += number
            if number:
                self._last[name] = now
                recent = self._recent.setdefault(name, deque())
                recent.append(now)
                while recent[0] < now - RATE_WINDOW_S:
                    recent.popleft()

    def drop(self, cause: str, reason: str = "") -> None:
        """Count a frame that gives no depth, by cause. ``reason`` is the text of the error behind it."""
        self.count("dropped")
        self.count(f"dropped_{cause}")
        if reason:
            self.error(reason)

    def error(self, text: str) -> None:
        """Keep the text of an error, as the reason behind what is counted."""
        self.last_error, self._last_error_at = text, time.monotonic()

    def recent_error(self) -> str:
        """Return the last error's text if it is of the last seconds (RATE_WINDOW_S), else an empty one."""
        return self.last_error if time.monotonic() - self._last_error_at < RATE_WINDOW_S else ""

    def latest_median(self, name: str) -> float:
        """Return the median of the latest measurements of a name, or 0."""
        with self._lock:
            kept = self._samples.get(name)
            latest = [kept[i] for i in range(-min(len(kept), _LATEST_SAMPLES), 0)] if kept else [0.0]
        return float(np.median(latest))

    def sample(self, values: dict[str, float]) -> None:
        """Add one frame's measurements {name: value}."""
        with self._lock:
            for name, value in values.items():
                self._samples.setdefault(name, deque(maxlen=_SAMPLES_KEPT)).append(value)

    def recent(self, name: str) -> int:
        """Return how many events of a name there were in the last seconds (RATE_WINDOW_S)."""
        now = time.monotonic()
        with self._lock:
            return sum(moment > now - RATE_WINDOW_S for moment in self._recent.get(name, ()))

    def age(self, name: str) -> float:
        """Return the seconds since the last event of a name, or since the activation if there was none."""
        with self._lock:
            return time.monotonic() - self._last.get(name, self._started)

    def seconds_active(self) -> float:
        """Return the seconds since the activation."""
        return time.monotonic() - self._started

    def values(self) -> dict[str, float]:
        """Return everything to report as {name: number}: counters, rates [Hz], p50 and p99 of each sample."""
        now = time.monotonic()
        with self._lock:
            values: dict[str, float] = {name: self._counters.get(name, 0) for name in _ALWAYS_REPORTED}
            values |= self._counters
            samples = {name: np.array(kept) for name, kept in self._samples.items()}
            recent = {name: sum(m > now - RATE_WINDOW_S for m in moments) for name, moments in self._recent.items()}
        duration = min(RATE_WINDOW_S, max(now - self._started, 1.0))
        for name in ("frames_in", "frames_out", *(name for name in recent if name.startswith("scans_in"))):
            values[f"{name}_hz"] = round(recent.get(name, 0) / duration, 2)
        for name, kept in samples.items():
            for percentile in (50, 99):
                values[f"{name}_p{percentile}"] = round(float(np.percentile(kept, percentile)), 2)
        return values
