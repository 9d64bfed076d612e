# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node's time: now, the end of a wait, and jumps back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rclpy.clock import Clock, JumpThreshold
from rclpy.duration import Duration

if TYPE_CHECKING:
    from rclpy.clock import JumpHandle

_CLOCK_STALL_S = 2.0  # of wall time, after which no frame waits for a simulated clock that stands still
_JUMP_TOLERANCE_NS = 500_000_000  # by which messages may run ahead of /clock without being of another lap


class NodeClock:
    """A node's clock over one activation, in integer nanoseconds: ROS time, which may be simulated."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_now: int | None = None
        self._last_advance_s = 0.0  # of wall time

    def now(self) -> int:
        """Return the node's time; 0 before the first message on /clock."""
        return int(self._clock.now().nanoseconds)

    def deadline_time(self) -> int:
        """Return the node's time, or the end of time where a simulated clock has stood still for too long."""
        now, wall = self.now(), time.perf_counter()
        if now != self._last_now:
            self._last_now, self._last_advance_s = now, wall
        return now if wall - self._last_advance_s < _CLOCK_STALL_S else sys.maxsize

    def watch_jumps(self, on_jump: Callable[[int], None]) -> JumpHandle:
        """Call ``on_jump(stamp)`` when the clock goes back, or changes its source, until the handle is unregistered.

        Whatever is later than the stamp belongs to the time before the jump.
        """
        return self._clock.create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True),
            post_callback=lambda _jump: on_jump(self.now() + _JUMP_TOLERANCE_NS),
        )
