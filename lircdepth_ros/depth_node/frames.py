# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From messages to complete frames: an image, its camera_info, and the radar scans that belong to it.

Everything here runs in the executor's thread: it checks, matches and hands over, and never decodes an image.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from lircdepth_core.errors import LircDepthError
from lircdepth_core.matching.assembler import FrameAssembler, Match
from lircdepth_core.matching.poses import PoseSource, Transform
from lircdepth_core.matching.radar_inputs import radar_inputs
from lircdepth_core.radar import RadarScan
from lircdepth_ros.depth_node.clock import NodeClock
from lircdepth_ros.depth_node.diagnostics import NO_EGO_MOTION
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.messages.clouds import cloud_to_radar_scan
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns

ImageMessage: TypeAlias = "Image | CompressedImage"
RadarInputs: TypeAlias = "list[tuple[RadarScan, Transform]]"


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
    """Takes the messages of one activation, and hands each complete frame over.

    hand_over: is called with each frame, in the order of the images. keep_polling: is told after each look whether a
    frame still waits, and ``match`` has to be called again soon although no message may come.
    """

    def __init__(
        self,
        settings: Settings,
        poses: PoseSource,
        clock: NodeClock,
        journal: Journal,
        hand_over: Callable[[Frame], None],
        keep_polling: Callable[[bool], None],
    ) -> None:
        self._poses = poses
        self._clock = clock
        self._journal = journal
        self._hand_over = hand_over
        self._keep_polling = keep_polling
        self._camera_info: CameraInfo | None = None
        self._stopped = False
        self._assembler = FrameAssembler(settings.radar_topics, ready=self._is_ready)
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
        """Take the camera's calibration: the newest counts for every frame."""
        self._camera_info = message
        self.match()

    def on_radar(self, topic: str, message: PointCloud2) -> None:
        """Take a radar scan."""
        arrived = time.perf_counter()
        statistics = self._journal.statistics
        statistics.count(f"scans_in {topic}")
        stamp = stamp_to_ns(message.header.stamp)
        try:
            if stamp == 0:
                raise LircDepthError("a scan has stamp 0: it cannot be matched to an image; set the driver's clock")
            scan = cloud_to_radar_scan(message, self._settings.radar_fields.split())
        except LircDepthError as error:
            self._journal.leave_scan_out("scans_refused", topic, error)
            return
        self._assembler.add_scan(topic, stamp, (scan, message.header.frame_id))
        self.match()
        statistics.sample({"radar_callback_ms": (time.perf_counter() - arrived) * 1e3})

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
        return self._camera_info is not None and all(
            self._poses.ready(message.header.frame_id, match.stamp, scan.data[1], scan.stamp)
            for scan in match.scans.values()
        )

    def _release(self, match: Match) -> None:
        message, arrived = match.image
        if self._camera_info is None:
            self._journal.drop("no_camera_info", f"no camera_info on {self._settings.camera_info_topic} yet")
            return
        radars, without_motion = radar_inputs(
            match,
            message.header.frame_id,
            self._poses,
            self._settings.velocity_compensation,
            lambda topic, error: self._journal.leave_scan_out("scans_without_transform", topic, error),
        )
        if without_motion:
            self._journal.statistics.count("without_ego_motion")
            self._journal.say_once("ego_motion", NO_EGO_MOTION)
        for scan in match.scans.values():
            self._journal.statistics.sample({"sync_offset_ms": (scan.stamp - match.stamp) / 1e6})
        self._hand_over(Frame(message, self._camera_info, radars, arrived))
