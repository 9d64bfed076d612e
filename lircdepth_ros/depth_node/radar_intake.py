# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A radar's messages, read once for all cameras that use them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.depth_node.frames import FrameMatching
from lircdepth_ros.depth_node.journal import SharedJournal
from lircdepth_ros.messages.radars import RadarReader
from lircdepth_ros.messages.stamps import stamp_to_ns


class RadarIntake:
    """Takes the messages of one radar in one activation. topic: resolved. frames: of the cameras that it serves."""

    def __init__(
        self, topic: str, reader: RadarReader, frames: Sequence[FrameMatching], journal: SharedJournal
    ) -> None:
        self._topic, self._reader, self._frames, self._journal = topic, reader, tuple(frames), journal
        if reader.caution:
            journal.say_once(f"radar_fields {topic}", f"{topic}: {reader.caution}")

    def __call__(self, message: Any) -> None:
        """Take a scan."""
        arrived = time.perf_counter()
        self._journal.count(f"scans_in {self._topic}")
        stamp = stamp_to_ns(message.header.stamp)
        try:
            if stamp == 0:
                raise LircDepthError("a scan has stamp 0: it cannot be matched to an image; set the driver's clock")
            scan = self._reader(message)
        except LircDepthError as error:
            self._journal.leave_scan_out("scans_refused", self._topic, error)
            return
        for frames in self._frames:
            frames.add_scan(self._topic, stamp, scan)
        self._journal.sample({"radar_callback_ms": (time.perf_counter() - arrived) * 1e3})
