# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the depth node judges itself, and how it says so on /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from lircdepth_core.matching.radar_inputs import NO_EGO_MOTION
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.depth_node.statistics import Statistics

OK, WARN, ERROR, STALE = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE

_REPORT_PERIOD_S = 1.0  # between reports when the level does not change
_CLOCK_TOLERANCE_S = 60.0  # between stamps and the node's clock, beyond which they are of two clocks
_UNITS = (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600), ("minutes", 60))


def assess(
    statistics: Statistics,
    settings: Settings,
    remarks: Sequence[str] = (),
    waiting: Sequence[str] = (),
    no_scans: Sequence[str] = (),
    other_clock: str = "",
) -> tuple[bytes, str]:
    """Judge an active node: return (level, message). The message names the worst finding and its remedy.

    settings: its stale_after, latency_warn, latency_error, camera_only_warn and drop_warn are the limits.
    remarks: warnings that stand whatever the numbers say. waiting: why no image or depth can come, likeliest first.
    no_scans: why no radar scan can be in time. other_clock: that images are stamped by another clock than the node's.
    """
    stale_after = settings.stale_after
    silent = statistics.age("frames_in")
    if silent > stale_after:
        reason = waiting[0] if waiting else "the camera is silent"
        return STALE, f"no image for {silent:.1f} s: {reason}"
    reasons = "; ".join(text for text in (statistics.recent_error(), *waiting[:1]) if text)
    without_depth = statistics.age("frames_out")
    dropped, images = statistics.recent("dropped"), max(statistics.recent("frames_in"), 1)
    if without_depth > stale_after and dropped:
        return ERROR, f"no depth for {without_depth:.1f} s while images arrive: {reasons or 'dropped'}"
    if other_clock:
        return ERROR, other_clock
    latency = statistics.latest_median("total_ms") / 1e3
    if latency > settings.latency_error:
        return ERROR, f"depth is {latency:.2f} s late, more than latency_error ({settings.latency_error} s)"
    if latency > settings.latency_warn:
        return WARN, f"depth is {latency:.2f} s late, more than latency_warn ({settings.latency_warn} s)"
    if dropped / images > settings.drop_warn:
        cause = statistics.recent_error() or "the network does not keep up"
        return WARN, f"{dropped} of the last {images} images were dropped: {cause}"
    depth = statistics.recent("frames_out")
    alone = statistics.recent("camera_only") / max(depth, 1)
    if depth and alone > settings.camera_only_warn:
        reasons = "; ".join(no_scans) or reasons or "no radar scan came in time, or none was in view"
        return WARN, f"{100 * alone:.0f} % of depth is from the camera alone: {reasons}"
    if remarks:
        return WARN, remarks[0]
    return OK, "depth is published"


def other_clock_text(age_s: float, now_ns: int, simulated: bool) -> str:
    """Return what to say when images are stamped by another clock than the node's, or an empty text.

    age_s: of the images by the node's clock, which reads now_ns. simulated: whether that is /clock.
    """
    if simulated and now_ns == 0:
        return "use_sim_time is true, but /clock is silent: start the replay, or set use_sim_time to false"
    if abs(age_s) < _CLOCK_TOLERANCE_S:
        return ""
    unit, seconds = next(unit for unit in _UNITS if abs(age_s) >= unit[1])
    offset = f"images are stamped {abs(age_s) / seconds:.1f} {unit} {'before' if age_s > 0 else 'after'}"
    if simulated:
        return f"{offset} the time on /clock: is it of another recording? Without a replay set use_sim_time to false"
    return f"{offset} this node's clock: in a replay set use_sim_time to true, else set the driver's clock"


def standing_remarks(
    journal: Journal, silent: Sequence[str], caution: str, unaccounted: int = 0, ego_motion: str = ""
) -> list[str]:
    """Return the warnings that stand whatever the numbers say, the worst first.

    silent: why topics are silent. caution: what to know about untrained weights, or an empty text. unaccounted: images
    of which nothing is known. ego_motion: where it should come from.
    """
    statistics = journal.statistics
    remarks = list(journal.problems.values())
    if unaccounted:
        remarks.insert(0, f"{unaccounted} images are neither published nor dropped: an error of this program")
    if statistics.recent("scans_refused") or statistics.recent("scans_without_transform"):
        remarks.append(f"radar scans are left out: {statistics.recent_error()}")
    if statistics.recent("without_ego_motion"):
        remarks.append(f"{NO_EGO_MOTION} ({ego_motion})" if ego_motion else NO_EGO_MOTION)
    if statistics.recent("views_failed"):
        remarks.append(f"depth is published, but not all of its views: {statistics.recent_error()}")
    remarks += silent
    if caution:
        remarks.append(caution)
    return remarks


class ReportSchedule:
    """Decides when to report: once a second, and at once when the level of a camera changes."""

    def __init__(self) -> None:
        self._levels: Sequence[bytes] | None = None
        self._reported_at = 0.0

    def is_due(self, levels: Sequence[bytes]) -> bool:
        """Return whether to report now, at these levels; if so, the next report is due a period later."""
        now = time.monotonic()
        if levels == self._levels and now - self._reported_at < _REPORT_PERIOD_S:
            return False
        self._levels, self._reported_at = levels, now
        return True


def status_name(node: Node, camera: str = "") -> str:
    """Return the name of a node's status, or that of one of its cameras."""
    return f"{node.get_fully_qualified_name()}: depth{f' ({camera})' if camera else ''}"


def diagnostic_status(name: str, level: bytes, message: str, values: Mapping[str, object]) -> DiagnosticStatus:
    """Return a DiagnosticStatus; level is OK, WARN, ERROR or STALE."""
    status = DiagnosticStatus(level=level, name=name, message=message, hardware_id="lircdepth")
    status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return status


def diagnostic_array(stamp: Time, statuses: Sequence[DiagnosticStatus]) -> DiagnosticArray:
    """Return a DiagnosticArray."""
    array = DiagnosticArray(status=list(statuses))
    array.header.stamp = stamp
    return array
