# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the depth node counts and times, how it judges that, and how it says so on /diagnostics."""

import threading
import time
from collections import Counter, deque

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

OK, WARN, ERROR, STALE = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE

_WINDOW = 5.0  # seconds over which rates and shares are taken
_SAMPLES = 1000  # over which p50 and p99 are taken
_LATEST = 50  # samples on which the node is judged: some seconds
_REPORT_PERIOD = 1.0  # seconds between reports when nothing changes
_ALWAYS = ("frames_in", "frames_out", "fused", "camera_only", "dropped")


class Statistics:
    """Counters, rates and durations of one activation, safe between the executor's thread and the worker."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counters = Counter()
        self._recent = {}
        self._samples = {}
        self._last = {}
        self._started = time.monotonic()
        self.last_error = ""
        self._last_error_at = 0.0
        self.problems = {}  # what stays wrong until the node is activated again, by key

    def count(self, name, number=1):
        """Count an event: in all, and for its rate."""
        now = time.monotonic()
        with self._lock:
            self._counters[name] += number
            if number:
                self._last[name] = now
                recent = self._recent.setdefault(name, deque())
                recent.append(now)
                while recent[0] < now - _WINDOW:
                    recent.popleft()

    def drop(self, cause, reason=""):
        """Count a frame that gives no depth, by cause. ``reason`` is the text of the error behind it."""
        self.count("dropped")
        self.count(f"dropped_{cause}")
        if reason:
            self.error(reason)

    def error(self, text):
        """Keep the text of an error, as the reason behind what is counted."""
        self.last_error, self._last_error_at = text, time.monotonic()

    def recent_error(self):
        """Return the last error's text if it is of the last seconds, else an empty one."""
        return self.last_error if time.monotonic() - self._last_error_at < _WINDOW else ""

    def latest_median(self, name):
        """Return the median of the latest measurements of a name, or 0."""
        with self._lock:
            kept = self._samples.get(name)
            return float(np.median([kept[i] for i in range(-min(len(kept), _LATEST), 0)])) if kept else 0.0

    def sample(self, values):
        """Add one frame's measurements {name: value}."""
        with self._lock:
            for name, value in values.items():
                self._samples.setdefault(name, deque(maxlen=_SAMPLES)).append(value)

    def recent(self, name):
        """Return how many events of a name there were in the last seconds (_WINDOW)."""
        now = time.monotonic()
        with self._lock:
            return sum(moment > now - _WINDOW for moment in self._recent.get(name, ()))

    def age(self, name):
        """Return the seconds since the last event of a name, or since the activation if there was none."""
        with self._lock:
            return time.monotonic() - self._last.get(name, self._started)

    def seconds_active(self):
        """Return the seconds since the activation."""
        return time.monotonic() - self._started

    def values(self):
        """Return what there is to report as {name: number}: counters, rates [Hz], p50 and p99 of each sample."""
        now = time.monotonic()
        with self._lock:
            values = {name: self._counters.get(name, 0) for name in _ALWAYS} | dict(self._counters)
            samples = {name: np.array(kept) for name, kept in self._samples.items()}
            recent = {name: sum(m > now - _WINDOW for m in moments) for name, moments in self._recent.items()}
        duration = min(_WINDOW, max(now - self._started, 1.0))
        for name in ("frames_in", "frames_out", *(name for name in recent if name.startswith("scans_in"))):
            values[f"{name}_hz"] = round(recent.get(name, 0) / duration, 2)
        for name, kept in samples.items():
            for percentile in (50, 99):
                values[f"{name}_p{percentile}"] = round(float(np.percentile(kept, percentile)), 2)
        return values


def assess(statistics, settings, remarks=(), waiting=()):
    """Judge an active node: return (level, message). The message names the worst finding and its remedy.

    settings: the parameters stale_after, latency_warn, latency_error, camera_only_warn, drop_warn.
    remarks: warnings that stand whatever the numbers say. waiting: why no image or depth can come, likeliest first.
    """
    stale_after = settings["stale_after"]
    silent = statistics.age("frames_in")
    if silent > stale_after:
        reason = waiting[0] if waiting else "the camera is silent"
        return STALE, f"no image for {silent:.1f} s: {reason}"
    reasons = "; ".join(text for text in (statistics.recent_error(), *waiting[:1]) if text)
    without_depth = statistics.age("frames_out")
    dropped, images = statistics.recent("dropped"), max(statistics.recent("frames_in"), 1)
    if without_depth > stale_after and dropped:
        return ERROR, f"no depth for {without_depth:.1f} s while images arrive: {reasons or 'dropped'}"
    latency = statistics.latest_median("total_ms") / 1e3
    if latency > settings["latency_error"]:
        return ERROR, f"depth is {latency:.2f} s late, more than latency_error ({settings['latency_error']} s)"
    if latency > settings["latency_warn"]:
        return WARN, f"depth is {latency:.2f} s late, more than latency_warn ({settings['latency_warn']} s)"
    if dropped / images > settings["drop_warn"]:
        cause = statistics.recent_error() or "the network does not keep up"
        return WARN, f"{dropped} of the last {images} images were dropped: {cause}"
    depth = statistics.recent("frames_out")
    alone = statistics.recent("camera_only") / max(depth, 1)
    if depth and alone > settings["camera_only_warn"]:
        reasons = reasons or "no radar scan came in time, or none was in view"
        return WARN, f"{100 * alone:.0f} % of depth is from the camera alone: {reasons}"
    if remarks:
        return WARN, remarks[0]
    return OK, "depth is published"


class Reporter:
    """Decides when to report: once a second, and at once when the level changes."""

    def __init__(self):
        self._level, self._reported = None, 0.0

    def is_due(self, level):
        """Return whether to report now, at this level; if so, the next report is due a period later."""
        now = time.monotonic()
        if level == self._level and now - self._reported < _REPORT_PERIOD:
            return False
        self._level, self._reported = level, now
        return True


def diagnostic_array(stamp, name, level, message, values):
    """Return a DiagnosticArray with one status; level is OK, WARN, ERROR or STALE."""
    status = DiagnosticStatus(level=level, name=name, message=message, hardware_id="lircdepth")
    status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array
