"""What the depth node counts and times, and how it says so on /diagnostics."""

import threading
from collections import Counter, deque

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

_LATENCIES_KEPT = 1000  # frames over which p50 and p99 are taken


class Statistics:
    """Counters and stage latencies of one activation, safe between the executor's thread and the worker."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counters = Counter()
        self._latencies = {}
        self.last_error = ""

    def count(self, name, number=1):
        with self._lock:
            self._counters[name] += number

    def drop(self, cause, reason=""):
        """Count a frame that gives no depth. ``reason`` is the text of the error that caused it."""
        with self._lock:
            self._counters[f"dropped_{cause}"] += 1
            if reason:
                self.last_error = reason

    def time(self, seconds):
        """Add one frame's stage durations {stage: seconds}."""
        with self._lock:
            for stage, duration in seconds.items():
                self._latencies.setdefault(stage, deque(maxlen=_LATENCIES_KEPT)).append(duration)

    def values(self):
        """Return what there is to report as {name: number}: counters, dropped in all, latencies p50/p99 in ms."""
        with self._lock:
            counters = dict(self._counters)
            latencies = {stage: np.array(durations) * 1e3 for stage, durations in self._latencies.items()}
        values = {name: counters.get(name, 0) for name in ("frames_in", "frames_out", "fused", "camera_only")}
        values["dropped"] = sum(number for name, number in counters.items() if name.startswith("dropped_"))
        values.update(counters)
        for stage, milliseconds in latencies.items():
            for percentile in (50, 99):
                values[f"{stage}_ms_p{percentile}"] = round(float(np.percentile(milliseconds, percentile)), 2)
        return values


def diagnostic_array(stamp, name, level, message, values):
    """Return a DiagnosticArray with one status; level is DiagnosticStatus.OK, WARN or ERROR."""
    status = DiagnosticStatus(level=level, name=name, message=message, hardware_id="lircdepth")
    status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array
