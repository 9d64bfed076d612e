# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Camera-driven matching of radar scans to images.

The camera drives: each image gets, from each radar, the scan nearest in time within a window, or none. Everything
here is a function of stamps and of the clock that is passed in, in integer nanoseconds; nothing sleeps or locks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

_SCANS_KEPT_PER_RADAR = 64  # 5 s at 13 Hz
_ARRIVAL_MARGIN = 0.75  # of a radar's period: jitter in arrival must not change which scan is chosen


@dataclass
class Scan:
    """One scan as it arrived."""

    stamp: int
    data: Any


@dataclass
class Match:
    """An image and the scans chosen for it.

    ``scans`` maps a radar's name to its Scan; absent means none in time. ``past`` maps it to the scans before that one,
    newest first, as many as are accumulated.
    """

    stamp: int
    image: Any
    scans: dict[str, Scan] = field(default_factory=dict)
    past: dict[str, list[Scan]] = field(default_factory=dict)


@dataclass
class _Waiting:
    stamp: int
    image: Any
    deadline: int


class FrameAssembler:
    """Chooses the radar scans of each image.

    radars: names. window: a scan counts when it is within this of the image; the nearest wins. max_wait: how long
    after an image's arrival a nearer scan may still come. An image is released as soon as its choice is final.
    past_sweeps: how many earlier scans a match carries beside the chosen one. The three may be changed at any time.
    ``ready`` may hold a match back until the deadline (for transforms that are about to arrive).
    """

    def __init__(
        self,
        radars: Iterable[str],
        window: int = 100_000_000,
        max_wait: int = 60_000_000,
        past_sweeps: int = 0,
        ready: Callable[[Match], bool] = lambda match: True,
    ) -> None:
        self.window = window
        self.max_wait = max_wait
        self.past_sweeps = past_sweeps
        self._ready = ready
        self._scans: dict[str, deque[Scan]] = {name: deque(maxlen=_SCANS_KEPT_PER_RADAR) for name in radars}
        self._periods: dict[str, int | None] = dict.fromkeys(self._scans)
        self._waiting: deque[_Waiting] = deque()
        self._last_image: int | None = None
        self.time_jumps = 0

    @property
    def pending(self) -> int:
        """How many images wait for a scan or a transform."""
        return len(self._waiting)

    def add_image(self, stamp: int, image: Any, now: int) -> None:
        """Take an image that arrived at ``now``. A stamp that does not advance is a jump in time (a bag that loops)."""
        if self._last_image is not None and stamp <= self._last_image:
            self.time_jumps += 1
            self._waiting.clear()
            self.forget_after(stamp + self.window)
        self._last_image = stamp
        self._waiting.append(_Waiting(stamp, image, now + self.max_wait))

    def forget_after(self, stamp: int) -> None:
        """Forget scans and waiting images that are later than ``stamp``: time has gone back to before them."""
        for scans in self._scans.values():
            while scans and scans[-1].stamp > stamp:
                scans.pop()
        while self._waiting and self._waiting[-1].stamp > stamp:
            self._waiting.pop()
        if self._last_image is not None and self._last_image > stamp:
            self._last_image = None

    def add_scan(self, radar: str, stamp: int, data: Any) -> None:
        """Take a radar scan. Scans that are not older than this one are forgotten: time has gone back."""
        scans = self._scans[radar]
        while scans and scans[-1].stamp >= stamp:
            scans.pop()
        if scans:
            self._periods[radar] = stamp - scans[-1].stamp
        scans.append(Scan(stamp, data))

    def poll(self, now: int) -> list[Match]:
        """Return the matches that are final at ``now``, oldest first. An image never overtakes an earlier one."""
        released = []
        while self._waiting:
            waiting = self._waiting[0]
            late = now >= waiting.deadline
            match = Match(waiting.stamp, waiting.image)
            final = True
            for radar, scans in self._scans.items():
                nearest = min(scans, key=lambda scan: abs(scan.stamp - waiting.stamp), default=None)
                if nearest is not None and abs(nearest.stamp - waiting.stamp) <= self.window:
                    match.scans[radar] = nearest
                    earlier = [scan for scan in reversed(scans) if scan.stamp < nearest.stamp]
                    match.past[radar] = earlier[: self.past_sweeps]
                final &= self._is_final(radar, waiting.stamp, nearest)
            if not late and not (final and self._ready(match)):
                break
            released.append(match)
            self._waiting.popleft()
        return released

    def _is_final(self, radar: str, stamp: int, nearest: Scan | None) -> bool:
        """Return whether no scan that is still to come can be nearer to ``stamp`` than ``nearest``."""
        scans = self._scans[radar]
        if nearest is None:
            return False
        newest = scans[-1].stamp
        if newest >= stamp:
            return True
        period = self._periods[radar]
        return period is not None and newest + _ARRIVAL_MARGIN * period > stamp + (stamp - nearest.stamp)
