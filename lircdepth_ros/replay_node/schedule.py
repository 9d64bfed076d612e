# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""When each moment of a recording is due: an absolute schedule, so that a late message does not delay the next."""

from __future__ import annotations

from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND


class Schedule:
    """Maps bag time [integer ns] to wall time [s of a monotonic clock] and back.

    Bag time ``start`` is wall time ``origin``. A lap, a pause, a step and another rate move the origin,
    and nothing else does.

    start: bag time at which the replay begins. rate: seconds of bag time in a second of wall time. now: wall time.
    """

    def __init__(self, start: int, rate: float, now: float, paused: bool = False) -> None:
        self._start = start
        self._rate = rate
        self._origin = now
        self._paused_at = now if paused else None  # wall time, while paused

    @property
    def paused(self) -> bool:
        """Whether bag time stands still."""
        return self._paused_at is not None

    def due(self, stamp: int) -> float:
        """Return the wall time at which a bag time is due; while paused, as if the replay went on at once."""
        return self._origin + self._seconds_from_start(stamp)

    def bag_time(self, now: float) -> int:
        """Return the bag time at a wall time."""
        wall = now if self._paused_at is None else self._paused_at
        return self._start + round((wall - self._origin) * self._rate * NANOSECONDS_PER_SECOND)

    def pause(self, now: float, next_stamp: int) -> None:
        """Stand still from ``now`` on; at the next message's time if it is late already: bag time must not pass it."""
        self._paused_at = min(now, self.due(next_stamp))

    def resume(self, now: float) -> None:
        """Go on at the bag time at which the replay was paused."""
        if self._paused_at is not None:
            self._origin += now - self._paused_at
            self._paused_at = None

    def set_rate(self, rate: float, now: float, next_stamp: int) -> None:
        """Go on at another rate from ``now`` on; from the next message's time if it is late already."""
        wall = min(now, self.due(next_stamp)) if self._paused_at is None else self._paused_at
        bag_time = self.bag_time(wall)
        self._rate = rate
        self._origin = wall - self._seconds_from_start(bag_time)

    def step_to(self, stamp: int) -> None:
        """While paused, let bag time jump to a stamp and stand there."""
        if self._paused_at is not None:
            self._origin = self._paused_at - self._seconds_from_start(stamp)

    def begin_lap(self, last_stamp: int) -> None:
        """Start again: bag time ``start`` is due when ``last_stamp`` of the lap that ends was."""
        self._origin += self._seconds_from_start(last_stamp)

    def _seconds_from_start(self, stamp: int) -> float:
        return (stamp - self._start) / NANOSECONDS_PER_SECOND / self._rate
