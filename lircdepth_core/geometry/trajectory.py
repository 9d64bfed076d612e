# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ego vehicle's recent poses, and where it was in between."""

from bisect import bisect_left

from lircdepth_core import geometry


class Trajectory:
    """Poses over time, bounded in number. Times are integer nanoseconds; poses are 4x4 ``odom_from_base``.

    ``max_extrapolation`` and ``max_gap`` [ns] bound how far past the newest pose, and over how long a gap between
    two poses, the vehicle is assumed to move on uniformly.
    """

    def __init__(self, capacity=2000, max_extrapolation=100_000_000, max_gap=1_000_000_000):
        self._capacity = capacity
        self._max_extrapolation = max_extrapolation
        self._max_gap = max_gap
        self._stamps = []
        self._poses = []

    def __len__(self):
        return len(self._stamps)

    def add(self, stamp, pose):
        """Append a pose. Poses that are not older than this one are forgotten: time has gone back."""
        self.forget_after(stamp - 1)
        self._stamps.append(stamp)
        self._poses.append(pose)
        if len(self._stamps) > self._capacity:
            # Half at once, so that the cost of moving the lists is paid rarely.
            del self._stamps[: self._capacity // 2], self._poses[: self._capacity // 2]

    def forget_after(self, stamp):
        """Forget poses later than ``stamp``."""
        keep = bisect_left(self._stamps, stamp + 1)
        del self._stamps[keep:], self._poses[keep:]

    def covers(self, stamp):
        """Whether the pose at ``stamp`` is known without extrapolation."""
        return bool(self._stamps) and self._stamps[0] <= stamp <= self._stamps[-1]

    def pose_at(self, stamp):
        """Return the pose at ``stamp``, interpolated or extrapolated within the bounds, or None."""
        if not self._stamps:
            return None
        after = bisect_left(self._stamps, stamp)
        if after < len(self._stamps) and self._stamps[after] == stamp:
            return self._poses[after]
        if after == 0 or len(self._stamps) < 2:
            return None
        after = min(after, len(self._stamps) - 1)
        start, end = self._stamps[after - 1], self._stamps[after]
        if stamp > end + self._max_extrapolation or end - start > self._max_gap:
            return None
        return geometry.interpolate(self._poses[after - 1], self._poses[after], (stamp - start) / (end - start))
