# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From one camera's messages to complete frames: an image, its camera_info, and the radar scans that belong to it.

Everything here runs in the executor's thread: it checks, matches and hands over, and never decodes an image.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lircdepth_core.matching.assembler import (
    DUPLICATE,
    OUT_OF_ORDER,
    TIME_JUMP,
    FrameAssembler,
    Match,
    stamp_offset_text,
)
from lircdepth_core.matching.camera_infos import CameraInfos
from lircdepth_core.matching.poses import Transform
from lircdepth_core.matching.radar_inputs import NO_EGO_MOTION, radar_inputs
from lircdepth_core.radar import MeasuredScan, RadarScan
from lircdepth_ros.depth_node.clock import NodeClock
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.poses import NodePoses
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.messages.camera_info import moved_to_projection
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns

ImageMessage: TypeAlias = "Image | CompressedImage"
RadarInputs: TypeAlias = "list[tuple[RadarScan, Transform]]"

_WHY_DROPPED = {
    DUPLICATE: "the stamp of an image repeats that of an earlier one: is the topic published twice?",
    OUT_OF_ORDER: "an image is older than the one before it",
    TIME_JUMP: "the stamps went back before the image had its radar scans",
}


@dataclass(frozen=True)
class Topics:
    """The resolved names of what a camera needs, for logs and diagnostics. radars: those of radar_topics, in order."""

    image: str
    camera_info: str
    radars: tuple[str, ...]


@dataclass
class Frame:
    """An image with everything that its depth needs.

    radars: (RadarScan, camera_from_radar), as DepthPipeline takes them. arrived: time.perf_counter() seconds.
    """

    image: ImageMessage
    camera_info: CameraInfo
    radars: RadarInputs
    arrived: float


class FrameMatching:
    """Takes one camera's messages of one activation, and hands each complete frame over.

    hand_over: is called with each frame, in the order of the images. keep_polling: is told after each look whether a
    frame still waits, and ``match`` has to be called again soon although no message may come.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        poses: NodePoses,
        clock: NodeClock,
        journal: Journal,
        hand_over: Callable[[Frame], None],
        keep_polling: Callable[[bool], None],
    ) -> None:
        self._topics = topics
        self._poses = poses
        self._clock = clock
        self._journal = journal
        self._hand_over = hand_over
        self._keep_polling = keep_polling
        self._camera_infos = CameraInfos()
        self._stopped = False
        self._assembler = FrameAssembler(topics.radars, ready=self._is_ready, on_drop=self._on_drop)
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take over settings whose live parameters may have changed."""
        self._settings = settings
        self._assembler.window = round(settings.sync_window * NANOSECONDS_PER_SECOND)
        self._assembler.max_wait = round(settings.max_wait * NANOSECONDS_PER_SECOND)
        self._assembler.past_sweeps = settings.accumulate_sweeps

    @property
    def time_jumps(self) -> int:
        """How often the stamps of images went back."""
        return self._assembler.time_jumps

    @property
    def has_camera_info(self) -> bool:
        """Whether the camera's calibration has come."""
        return self._camera_infos.known

    @property
    def pending(self) -> int:
        """How many images wait for a radar scan or a transform."""
        return self._assembler.pending

    def clock_remarks(self) -> list[str]:
        """Return a text for each radar whose stamps are so far from the images' that no scan can be in time."""
        return [stamp_offset_text(*entry) for entry in self._assembler.stamp_offsets().items()]

    def _on_drop(self, cause: str, _stamp: int, _image: object) -> None:
        self._journal.drop(cause, _WHY_DROPPED[cause])

    def on_image(self, message: ImageMessage) -> None:
        """Take an image: it becomes a frame when its radar scans and transforms are there, or when it waited enough."""
        arrived = time.perf_counter()
        statistics = self._journal.statistics
        statistics.count("frames_in")
        stamp = stamp_to_ns(message.header.stamp)
        if stamp == 0:
            self._journal.drop(
                "zero_stamp", "an image has stamp 0: it cannot be matched to a radar scan; set the driver's clock"
            )
            return
        now = self._clock.now()
        self._assembler.add_image(stamp, (message, arrived), now or stamp)  # before the first /clock now is 0
        self.match()
        statistics.sample(
            {"image_age_ms": (now - stamp) / 1e6, "image_callback_ms": (time.perf_counter() - arrived) * 1e3}
        )

    def on_camera_info(self, message: CameraInfo) -> None:
        """Take the camera's calibration: that of an image's own stamp counts, and without one the newest."""
        self._camera_infos.add(stamp_to_ns(message.header.stamp), message)
        self.match()

    def add_scan(self, topic: str, stamp: int, scan: tuple[RadarScan | MeasuredScan, str]) -> None:
        """Take a radar scan of one of ``Topics.radars``: (returns, their frame)."""
        self._assembler.add_scan(topic, stamp, scan)
        self.match()

    def stop(self) -> None:
        """Hand over nothing more, whatever the executor still delivers."""
        self._stopped = True

    def match(self) -> None:
        """Hand over the frames that are complete."""
        if self._stopped:
            return
        for match in self._assembler.poll(self._clock.deadline_time()):
            self._release(match)
        self._keep_polling(self._assembler.pending > 0)

    def forget_after(self, stamp: int) -> None:
        """Forget scans and images later than ``stamp`` [ns]: time has gone back to before them."""
        self._assembler.forget_after(stamp)

    def _is_ready(self, match: Match) -> bool:
        message, _ = match.image
        return self._camera_infos.ready(match.stamp) and all(
            self._poses.ready(message.header.frame_id, match.stamp, scan.data[1], scan.stamp)
            for scan in match.scans.values()
        )

    def _release(self, match: Match) -> None:
        message, arrived = match.image
        camera_info = self._camera_infos.take(match.stamp)
        if camera_info is None:
            self._journal.drop("no_camera_info", f"no camera_info on {self._topics.camera_info} yet")
            return
        inputs = radar_inputs(
            match,
            message.header.frame_id,
            self._poses,
            self._settings.velocity_compensation,
            lambda topic, error: self._journal.leave_scan_out("scans_without_transform", topic, error),
        )
        if inputs.without_motion:
            self._journal.statistics.count("without_ego_motion")
            self._journal.say_once("ego_motion", f"{NO_EGO_MOTION} ({self._poses.describe()})")
        if inputs.past_left_out:
            self._journal.statistics.count("past_sweeps_left_out", inputs.past_left_out)
        for scan in match.scans.values():
            self._journal.statistics.sample({"sync_offset_ms": (scan.stamp - match.stamp) / 1e6})
        radars = moved_to_projection(inputs.scans, camera_info)
        self._hand_over(Frame(message, camera_info, radars, arrived))
