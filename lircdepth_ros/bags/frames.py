# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames out of a bag: images matched with clouds, as the node matches them, with the bag's log time as the clock."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lircdepth_core.errors import LircDepthError
from lircdepth_core.matching.assembler import FrameAssembler, Match
from lircdepth_core.matching.poses import PoseSource
from lircdepth_ros.messages.definitions import Message
from lircdepth_ros.messages.stamps import stamp_to_ns

_NANOSECONDS_PER_SECOND = 1e9


class FrameMatcher:
    """Feeds a FrameAssembler in log order.

    A match's image is (message, log time); a scan's data is (what ``decode`` made of a PointCloud2, frame id).
    window, max_wait: seconds, as the node's sync_window and max_wait. past_sweeps: as the node's accumulate_sweeps.
    """

    def __init__(
        self,
        cloud_topics: Iterable[str],
        decode: Callable[[Message], Any],
        poses: PoseSource,
        window: float,
        max_wait: float,
        past_sweeps: int = 0,
    ) -> None:
        self._decode, self._poses = decode, poses
        self._assembler = FrameAssembler(
            cloud_topics,
            window=round(window * _NANOSECONDS_PER_SECOND),
            max_wait=round(max_wait * _NANOSECONDS_PER_SECOND),
            past_sweeps=past_sweeps,
            ready=self._is_ready,
        )
        self._waiting: deque[int] = deque()  # log times of the images that wait
        self.camera_info: Message | None = None
        self.refused: list[str] = []

    def _is_ready(self, match: Match) -> bool:
        message, _ = match.image
        return self.camera_info is not None and all(
            self._poses.ready(message.header.frame_id, match.stamp, scan.data[1], scan.stamp)
            for scan in match.scans.values()
        )

    @property
    def oldest(self) -> int | None:
        """Log time of the oldest image that waits, or None."""
        return self._waiting[0] if self._waiting else None

    def add_image(self, message: Message, log_time: int) -> None:
        """Take an image, or depth image, that was logged at a time [ns]."""
        stamp = stamp_to_ns(message.header.stamp)
        self._assembler.add_image(stamp, (message, log_time), log_time)
        self._waiting.append(log_time)
        while len(self._waiting) > self._assembler.pending:  # the assembler dropped them: time went back
            self._waiting.popleft()

    def add_cloud(self, topic: str, message: Message) -> None:
        """Take a cloud. One that cannot be read is noted in ``refused``."""
        try:
            data = (self._decode(message), message.header.frame_id)
        except LircDepthError as error:
            self.refused.append(f"{topic}: {error}")
            return
        self._assembler.add_scan(topic, stamp_to_ns(message.header.stamp), data)

    def poll(self, now: int = sys.maxsize) -> Iterator[Match]:
        """Yield the matches that are final at log time ``now`` [ns]; by default, at the end of the bag, all."""
        for match in self._assembler.poll(now):
            self._waiting.popleft()
            yield match
