# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Camera-driven matching of radar scans to images.

The camera drives: each image gets, from each radar, the scan nearest in time within a window, or none. Every image is
accounted for: released, dropped for a cause that is counted, or still waiting. Everything here is a function of stamps
and of the clock that is passed in, in integer nanoseconds; nothing sleeps or locks.
"""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

DUPLICATE = "duplicate"  # an image with the stamp of an earlier one
OUT_OF_ORDER = "out_of_order"  # an image that comes after a slightly later one
TIME_JUMP = "time_jump"  # an image that still waited when time went back to before it

_SCANS_KEPT_PER_RADAR = 64  # 5 s at 13 Hz
_ARRIVAL_MARGIN = 0.75  # of a radar's period: jitter in arrival must not change which scan is chosen
_PERIODS_KEPT = 9
_MIN_PERIODS = 2
_LONGEST_STEP_BACK = 1_000_000_000  # beyond it time has gone back, however wide the window is
_SWEEP_PERIOD_LIMIT = 500_000_000  # an accumulated sweep is at most this much older than the one after it, on average
_OFFSETS_KEPT = 50
_MIN_OFFSETS = 5


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


class _Radar:
    """The latest scans of one radar in the order of their arrival, their usual period, and how far off its clock is."""

    def __init__(self) -> None:
        self.scans: deque[Scan] = deque(maxlen=_SCANS_KEPT_PER_RADAR)
        self._periods: deque[int] = deque(maxlen=_PERIODS_KEPT)
        self._offsets: deque[int] = deque(maxlen=_OFFSETS_KEPT)
        self.in_time = True  # whether the last image had a scan

    def add(self, scan: Scan, last_image: int | None) -> None:
        """Take a scan. One with the stamp of an earlier one replaces that."""
        if self.scans:
            step = scan.stamp - self.scans[-1].stamp
            if step > 0:
                self._periods.append(step)
            for earlier in [earlier for earlier in self.scans if earlier.stamp == scan.stamp]:
                self.scans.remove(earlier)
        self.scans.append(scan)
        if last_image is not None:
            self._offsets.append(scan.stamp - last_image)

    def forget_after(self, stamp: int) -> None:
        """Forget the scans that are later than ``stamp``."""
        kept = [scan for scan in self.scans if scan.stamp <= stamp]
        if len(kept) < len(self.scans):
            self.scans.clear()
            self.scans.extend(kept)
            self._offsets.clear()

    @property
    def period(self) -> int | None:
        """The time between two scans that were not lost: the lower quartile of the last ones, or None."""
        if len(self._periods) < _MIN_PERIODS:
            return None
        return sorted(self._periods)[(len(self._periods) - 1) // 4]

    @property
    def offset(self) -> int | None:
        """By how much scans are usually later than the image that came last before them, or None."""
        return round(statistics.median(self._offsets)) if len(self._offsets) >= _MIN_OFFSETS else None

    def nearest(self, stamp: int) -> Scan | None:
        """Return the scan nearest in time, or None."""
        return min(self.scans, key=lambda scan: abs(scan.stamp - stamp), default=None)

    def before(self, newest: Scan, number: int) -> list[Scan]:
        """Return as many scans before ``newest``, newest first, without those that a silence has made too old."""
        earlier = sorted((scan for scan in self.scans if scan.stamp < newest.stamp), key=lambda scan: -scan.stamp)
        return [
            scan
            for i, scan in enumerate(earlier[:number])
            if newest.stamp - scan.stamp <= (i + 1) * _SWEEP_PERIOD_LIMIT
        ]

    def may_still_bring_nearer(self, stamp: int, nearest: Scan | None, window: int) -> bool:
        """Return whether a scan that is still to come may be nearer to ``stamp`` than this one, and in the window."""
        if nearest is None:
            return True
        newest = self.scans[-1].stamp
        if newest >= stamp:
            return False
        reach = stamp + min(abs(stamp - nearest.stamp), window)
        period = self.period
        return period is None or newest + _ARRIVAL_MARGIN * period <= reach


class FrameAssembler:
    """Chooses the radar scans of each image.

    radars: names. window: a scan counts when it is within this of the image; the nearest wins. max_wait: how long
    after an image's arrival a nearer scan may still come. An image is released as soon as its choice is final.
    past_sweeps: how many earlier scans a match carries beside the chosen one. The three may be changed at any time.
    ``ready`` may hold a match back until the deadline (for transforms that are about to arrive). on_drop(cause, stamp,
    image) is called for each image that is not released; causes are DUPLICATE, OUT_OF_ORDER and TIME_JUMP.

    The account: received == released + sum(dropped.values()) + pending, at any time.
    """

    def __init__(
        self,
        radars: Iterable[str],
        window: int = 100_000_000,
        max_wait: int = 60_000_000,
        past_sweeps: int = 0,
        ready: Callable[[Match], bool] = lambda match: True,
        on_drop: Callable[[str, int, Any], None] = lambda cause, stamp, image: None,
    ) -> None:
        self.window = window
        self.max_wait = max_wait
        self.past_sweeps = past_sweeps
        self._ready = ready
        self._on_drop = on_drop
        self._radars = {name: _Radar() for name in radars}
        self._waiting: deque[_Waiting] = deque()
        self._last_image: int | None = None
        self._recent_images: deque[int] = deque()  # stamps that a step back could repeat, ascending
        self.time_jumps = 0
        self.received = 0
        self.released = 0
        self.dropped: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """How many images wait for a scan or a transform."""
        return len(self._waiting)

    @property
    def oldest(self) -> Any:
        """The image that waits longest, or None."""
        return self._waiting[0].image if self._waiting else None

    def add_image(self, stamp: int, image: Any, now: int) -> None:
        """Take an image that arrived at ``now``.

        One that steps back by less than the window (and than a second) is a duplicate where an image of its stamp
        was there, else out of order: only that image is dropped. A larger step back is a jump in time (a bag that
        loops): the images that still wait are dropped.
        """
        self.received += 1
        if self._last_image is not None and stamp <= self._last_image:
            if stamp == self._last_image or self._last_image - stamp < min(self.window, _LONGEST_STEP_BACK):
                self._drop(DUPLICATE if stamp in self._recent_images else OUT_OF_ORDER, stamp, image)
                return
            self.time_jumps += 1
            self._drop_waiting_after(-1)
            self.forget_after(stamp + self.window)
            self._recent_images.clear()
        self._last_image = stamp
        self._recent_images.append(stamp)
        while self._recent_images[0] < stamp - _LONGEST_STEP_BACK:
            self._recent_images.popleft()
        self._waiting.append(_Waiting(stamp, image, now + self.max_wait))

    def forget_after(self, stamp: int) -> None:
        """Forget scans and drop waiting images that are later than ``stamp``: time has gone back to before them."""
        for radar in self._radars.values():
            radar.forget_after(stamp)
        self._drop_waiting_after(stamp)
        if self._last_image is not None and self._last_image > stamp:
            self._last_image = None
            self._recent_images.clear()

    def _drop_waiting_after(self, stamp: int) -> None:
        while self._waiting and self._waiting[-1].stamp > stamp:
            waiting = self._waiting.pop()
            self._drop(TIME_JUMP, waiting.stamp, waiting.image)

    def _drop(self, cause: str, stamp: int, image: Any) -> None:
        self.dropped[cause] += 1
        self._on_drop(cause, stamp, image)

    def add_scan(self, radar: str, stamp: int, data: Any) -> None:
        """Take a radar scan, in whatever order scans come."""
        self._radars[radar].add(Scan(stamp, data), self._last_image)

    def stamp_offsets(self) -> dict[str, int]:
        """Return {radar: by how much its stamps are later than the images', as both arrive} where no scan is in time.

        Such a radar's clock is off (TAI, PTP, never set), or its scans are late by more than the window.
        """
        offsets = {name: radar.offset for name, radar in self._radars.items() if not radar.in_time}
        usual = self.window + self.max_wait
        return {name: offset for name, offset in offsets.items() if offset is not None and abs(offset) > usual}

    def poll(self, now: int) -> list[Match]:
        """Return the matches that are final at ``now``, oldest first. An image never overtakes an earlier one."""
        released = []
        while self._waiting:
            waiting = self._waiting[0]
            match = Match(waiting.stamp, waiting.image)
            final = True
            for name, radar in self._radars.items():
                nearest = radar.nearest(waiting.stamp)
                if nearest is not None and abs(nearest.stamp - waiting.stamp) <= self.window:
                    match.scans[name] = nearest
                    match.past[name] = radar.before(nearest, self.past_sweeps)
                final &= not radar.may_still_bring_nearer(waiting.stamp, nearest, self.window)
            if now < waiting.deadline and not (final and self._ready(match)):
                break
            released.append(match)
            for name, radar in self._radars.items():
                radar.in_time = name in match.scans
            self._waiting.popleft()
        self.released += len(released)
        return released


def stamp_offset_text(radar: str, offset: int) -> str:
    """Return in words what an offset [ns] of FrameAssembler.stamp_offsets means."""
    direction = "ahead of" if offset > 0 else "behind"
    return (
        f"{radar}: its stamps are {abs(offset) / 1e9:.1f} s {direction} those of the images that come with them, so "
        "that no scan is in time; set the clocks alike (TAI is 37 s ahead of UTC, GPS time 18 s)"
    )
