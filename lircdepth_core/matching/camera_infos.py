# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which calibration message belongs to an image: that of its own stamp where there is one, else the newest."""

from __future__ import annotations

from collections import deque
from typing import Any

_KEPT = 64
_IN_A_ROW = 3  # images with a camera_info of their own stamp, after which the next one's is waited for


class CameraInfos:
    """Keeps the latest camera_info messages. Stamps are integer nanoseconds."""

    def __init__(self) -> None:
        self._by_stamp: dict[int, Any] = {}
        self._order: deque[int] = deque()
        self._newest: Any = None
        self._own_in_a_row = 0

    def add(self, stamp: int, info: Any) -> None:
        """Take a camera_info."""
        if stamp not in self._by_stamp:
            self._order.append(stamp)
        self._by_stamp[stamp] = self._newest = info
        if len(self._order) > _KEPT:
            del self._by_stamp[self._order.popleft()]

    @property
    def known(self) -> bool:
        """Whether any camera_info has come."""
        return self._newest is not None

    def ready(self, stamp: int) -> bool:
        """Return whether waiting would not give an image a better one: its own is there, or images have none."""
        return stamp in self._by_stamp or (self._newest is not None and self._own_in_a_row < _IN_A_ROW)

    def take(self, stamp: int) -> Any:
        """Return the camera_info of an image that is released now, or None where there is none yet."""
        own = self._by_stamp.get(stamp)
        self._own_in_a_row = 0 if own is None else self._own_in_a_row + 1
        return self._newest if own is None else own
