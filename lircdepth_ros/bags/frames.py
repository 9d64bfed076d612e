# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames out of a bag: images matched with clouds, as the node matches them, with the bag's log time as the clock."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.matching.account import ZERO_STAMP, Account
from lircdepth_core.matching.assembler import DUPLICATE, OUT_OF_ORDER, TIME_JUMP, FrameAssembler, Match
from lircdepth_core.matching.camera_infos import CameraInfos
from lircdepth_core.matching.poses import PoseSource
from lircdepth_ros.messages.clouds import cloud_to_points
from lircdepth_ros.messages.definitions import Message
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns

_WHY_DROPPED = {
    DUPLICATE: "an image of this stamp was there already",
    OUT_OF_ORDER: "it comes after a later image",
    TIME_JUMP: "the stamps went back before it had its radar scans",
}


def points_and_frame(message: Message) -> tuple[npt.NDArray[np.float32], str]:
    """Return the points [N, 3] of a lidar's scan and their frame: a decoder of FrameMatcher."""
    return cloud_to_points(message), message.header.frame_id


class FrameMatcher:
    """Feeds a FrameAssembler in log order.

    A match's image is (message, log time); a scan's data is what ``decoders``, by topic, make of a message: (returns or
    points, frame id).
    window, max_wait: seconds, as the node's sync_window and max_wait. past_sweeps: as the node's accumulate_sweeps.
    account: images that come and those that are dropped here are counted in it. refused: scans that are left out, by
    topic; their reasons are noted in the account.
    """

    def __init__(
        self,
        decoders: Mapping[str, Callable[[Message], tuple[Any, str]]],
        poses: PoseSource,
        account: Account,
        window: float,
        max_wait: float,
        past_sweeps: int = 0,
    ) -> None:
        self._decoders, self._poses, self._account = decoders, poses, account
        self._assembler = FrameAssembler(
            decoders,
            window=round(window * NANOSECONDS_PER_SECOND),
            max_wait=round(max_wait * NANOSECONDS_PER_SECOND),
            past_sweeps=past_sweeps,
            ready=self._is_ready,
            on_drop=self._on_drop,
        )
        self._infos = CameraInfos()
        self.refused: Counter[str] = Counter()

    def _is_ready(self, match: Match) -> bool:
        message, _ = match.image
        return self._infos.ready(match.stamp) and all(
            self._poses.ready(message.header.frame_id, match.stamp, scan.data[1], scan.stamp)
            for scan in match.scans.values()
        )

    def _on_drop(self, cause: str, stamp: int, _image: Any) -> None:
        self._account.drop(cause, f"image at {stamp}: {_WHY_DROPPED[cause]}")

    @property
    def oldest(self) -> int | None:
        """Log time of the oldest image that waits, or None."""
        image = self._assembler.oldest
        return None if image is None else image[1]

    @property
    def pending(self) -> int:
        """How many images wait."""
        return self._assembler.pending

    def add_image(self, message: Message, log_time: int) -> None:
        """Take an image, or depth image, that was logged at a time [ns]."""
        self._account.received += 1
        stamp = stamp_to_ns(message.header.stamp)
        if stamp == 0:
            self._account.drop(
                ZERO_STAMP, f"image logged at {log_time}: stamp 0, which cannot be matched to a radar scan"
            )
            return
        self._assembler.add_image(stamp, (message, log_time), log_time)

    def add_camera_info(self, message: Message) -> None:
        """Take a camera_info."""
        self._infos.add(stamp_to_ns(message.header.stamp), message)

    def camera_info(self, match: Match) -> Message | None:
        """Return the camera_info of a match that was released now: of the image's own stamp where there is one."""
        return self._infos.take(match.stamp)

    def add_cloud(self, topic: str, message: Message) -> None:
        """Take a cloud. One that cannot be used is counted."""
        stamp = stamp_to_ns(message.header.stamp)
        try:
            if stamp == 0:
                raise LircDepthError("stamp 0, which cannot be matched to an image")
            data = self._decoders[topic](message)
        except LircDepthError as error:
            self.refuse_cloud(topic, f"{topic} at {stamp}: {error}")
            return
        self._assembler.add_scan(topic, stamp, data)

    def refuse_cloud(self, topic: str, reason: str) -> None:
        """Count a scan that is left out."""
        self.refused[topic] += 1
        self._account.note(reason)

    def stamp_offsets(self) -> dict[str, int]:
        """See FrameAssembler."""
        return self._assembler.stamp_offsets()

    def poll(self, now: int = sys.maxsize) -> Iterator[Match]:
        """Yield the matches that are final at log time ``now`` [ns]; by default, at the end of the bag, all."""
        yield from self._assembler.poll(now)
