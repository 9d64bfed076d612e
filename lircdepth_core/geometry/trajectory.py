# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ego vehicle's recent poses, and its pose between them."""

from bisect import bisect_left

from lircdepth_core.geometry.transforms import Float64Array, interpolate


class Trajectory:
    """Poses over time, bounded in number. Times are integer nanoseconds; poses are 4x4 ``odom_from_base``.

    capacity: poses that are kept at most. The vehicle is assumed to move on uniformly for ``max_extrapolation`` [ns]
    past the newest pose, and between two poses that are up to ``max_gap`` [ns] apart.
    """

    def __init__(
        self, capacity: int = 2000, max_extrapolation: int = 100_000_000, max_gap: int = 1_000_000_000
    ) -> None:
        self._capacity = capacity
        self._max_extrapolation = max_extrapolation
        self._max_gap = max_gap
        self._stamps: list[int] = []
        self._poses: list[Float64Array] = []

    def __len__(self) -> int:
        return len(self._stamps)

    def add(self, stamp: int, pose: Float64Array) -> None:
        """Append a pose. Poses that are as new or newer are forgotten, since time has gone back then."""
        self.forget_after(stamp - 1)
        self._stamps.append(stamp)
        self._poses.append(pose)
        if len(self._stamps) > self._capacity:
            # Half of them at once, so that the lists are moved rarely.
            del self._stamps[: self._capacity // 2], self._poses[: self._capacity // 2]

    def forget_after(self, stamp: int) -> None:
        """Forget poses later than ``stamp``."""
        keep = bisect_left(self._stamps, stamp + 1)
        del self._stamps[keep:], self._poses[keep:]

    def covers(self, stamp: int) -> bool:
        """Return whether the pose at ``stamp`` is known without extrapolation."""
        return bool(self._stamps) and self._stamps[0] <= stamp <= self._stamps[-1]

    def pose_at(self, stamp: int) -> Float64Array | None:
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
        return interpolate(self._poses[after - 1], self._poses[after], (stamp - start) / (end - start))
