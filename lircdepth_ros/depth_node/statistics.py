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
        self._under_way = 0  # frames that were handed to the network, and have not ended
        self.last_error = ""
        self._last_error_at = 0.0

    def count(self, name: str, number: int = 1) -> None:
        """Count an event: in all, and for its rate."""
        with self._lock:
            self._count(name, number)

    def _count(self, name: str, number: int) -> None:
        now = time.monotonic()
        self._counters[name] += number
        if number:
            self._last[name] = now
            recent = self._recent.setdefault(name, deque())
            recent.append(now)
            while recent[0] < now - RATE_WINDOW_S:
                recent.popleft()

    def drop(self, cause: str, reason: str = "", under_way: bool = False) -> None:
        """Count a frame that gives no depth, by cause. ``reason`` is the text of the error behind it.

        under_way: whether it was handed over to the network before.
        """
        self._count_together(("dropped", f"dropped_{cause}"), -1 if under_way else 0)
        if reason:
            self.error(reason)

    def hand_over(self) -> None:
        """Count a frame that is on its way to the network: it ends by ``publish`` or by ``drop``."""
        self._count_together((), 1)

    def publish(self, fused: bool) -> None:
        """Count a frame whose depth is published."""
        self._count_together(("frames_out", "fused" if fused else "camera_only"), -1)

    def _count_together(self, names: tuple[str, ...], under_way: int) -> None:
        """Count events such that whoever reads the values sees all of them or none."""
        with self._lock:
            self._under_way += under_way
            for name in names:
                self._count(name, 1)

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

    def unaccounted(self, waiting: int) -> int:
        """Return how many images were neither published nor dropped, nor are under way. 0, or there is an error here.

        waiting: images that wait for their radar scan or a transform.
        """
        with self._lock:
            done = self._counters["frames_out"] + self._counters["dropped"]
            return self._counters["frames_in"] - done - waiting - self._under_way

    def values(self, waiting: int = 0) -> dict[str, float]:
        """Return everything to report as {name: number}: counters, rates [Hz], p50 and p99 of each sample.

        frames_waiting are those that wait for a scan (``waiting``), for the network, or are in it.
        """
        now = time.monotonic()
        with self._lock:
            values: dict[str, float] = {name: self._counters.get(name, 0) for name in _ALWAYS_REPORTED}
            values["frames_waiting"] = waiting + self._under_way
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
