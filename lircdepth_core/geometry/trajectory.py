# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ego vehicle's recent poses, and its pose between them."""

from bisect import bisect_left, insort

from lircdepth_core.geometry.transforms import Float64Array, interpolate

MIN_BASELINE = 50_000_000
_LONGEST_STEP_BACK = 100_000_000


class Trajectory:
    """Poses over time, bounded in number. Times are integer nanoseconds; poses are 4x4 ``odom_from_base``.

    capacity: poses that are kept at most. The vehicle is assumed to move on uniformly for ``max_extrapolation`` [ns]
    past the newest pose, and between two poses that are up to ``max_gap`` [ns] apart. How it moves on is taken from
    poses at least MIN_BASELINE apart: noise of 1 mm between poses 10 us apart would be 100 m/s.
    """

    def __init__(
        self, capacity: int = 2000, max_extrapolation: int = 100_000_000, max_gap: int = 1_000_000_000
    ) -> None:
        self._capacity = capacity
        self._max_extrapolation = max_extrapolation
        self._max_gap = max_gap
        self._stamps: list[int] = []
        self._poses: dict[int, Float64Array] = {}

    def __len__(self) -> int:
        return len(self._stamps)

    @property
    def newest(self) -> int | None:
        """The stamp of the newest pose, or None."""
        return self._stamps[-1] if self._stamps else None

    def add(self, stamp: int, pose: Float64Array) -> None:
        """Take a pose; it replaces one of the same stamp.

        A step back by more than 0.1 s means that time has gone back: poses later than this one are forgotten. After a
        smaller one the pose takes its place among the others.
        """
        if self._stamps and stamp < self._stamps[-1] - _LONGEST_STEP_BACK:
            self.forget_after(stamp)
        if stamp not in self._poses:
            insort(self._stamps, stamp)
        self._poses[stamp] = pose
        if len(self._stamps) > self._capacity:
            # Half of them at once, so that the list is moved rarely.
            half = self._capacity // 2
            for old in self._stamps[:half]:
                del self._poses[old]
            del self._stamps[:half]

    def forget_after(self, stamp: int) -> None:
        """Forget poses later than ``stamp``."""
        keep = bisect_left(self._stamps, stamp + 1)
        for later in self._stamps[keep:]:
            del self._poses[later]
        del self._stamps[keep:]

    def covers(self, stamp: int) -> bool:
        """Return whether the pose at ``stamp`` is known without extrapolation."""
        return bool(self._stamps) and self._stamps[0] <= stamp <= self._stamps[-1]

    def pose_at(self, stamp: int) -> Float64Array | None:
        """Return the pose at ``stamp``, interpolated or extrapolated within the bounds, or None."""
        if stamp in self._poses:
            return self._poses[stamp]
        after = bisect_left(self._stamps, stamp)
        if after == 0:
            return None
        if after < len(self._stamps):
            start, end = self._stamps[after - 1], self._stamps[after]
        else:
            end = self._stamps[-1]
            before = bisect_left(self._stamps, end - MIN_BASELINE + 1) - 1
            if before < 0 or stamp > end + self._max_extrapolation:
                return None
            start = self._stamps[before]
        if end - start > self._max_gap:
            return None
        return interpolate(self._poses[start], self._poses[end], (stamp - start) / (end - start))
