# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One camera of a bag on its way through the pipeline: its images matched, their depth, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.matching.account import BAD_INPUT, DAMAGED, NO_CAMERA_INFO, Account
from lircdepth_core.matching.assembler import Match, stamp_offset_text
from lircdepth_core.matching.radar_inputs import NO_EGO_MOTION, radar_inputs
from lircdepth_ros.bags.depth_options import DepthJobOptions, find_image_topic
from lircdepth_ros.bags.depth_writer import OrderedDepthWriter
from lircdepth_ros.bags.frames import FrameMatcher
from lircdepth_ros.bags.poses import BagPoses
from lircdepth_ros.bags.reading import require_type
from lircdepth_ros.bags.video import AddVideoFrame, Radars
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.camera_info import camera_matrix, moved_to_projection, require_size
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.radars import RADAR_TYPES, RadarReader

if TYPE_CHECKING:
    from lircdepth_core.pipeline import DepthFrame, DepthPipeline

_INFO_TYPE = "sensor_msgs/msg/CameraInfo"


class CameraDepth:
    """One camera of a bag of {topic: type}.

    name: "" where the bag's tool has one camera alone. options: the camera's own. account: of its images, each of which
    gets depth or is dropped for a cause. counts: of frames with depth: fused, camera_only, without_ego_motion; and
    past_sweeps_left_out. latencies_ms: of the pipeline, of each image but the first. Raises LircDepthError where the
    bag lacks a topic, or has it with another type.
    """

    def __init__(
        self,
        name: str,
        options: DepthJobOptions,
        types: Mapping[str, str],
        bag: str | Path,
        readers: Mapping[str, RadarReader],
        poses: BagPoses,
    ) -> None:
        self.name, self.options = name, options
        self.image_topic = find_image_topic(types, options.image_topic, bag)
        for topic in (options.camera_info_topic, *options.radar_topics):
            if topic not in types:
                raise LircDepthError(f"{bag} has no topic {topic}; it has {', '.join(sorted(types))}")
            require_type(types, topic, *((_INFO_TYPE,) if topic == options.camera_info_topic else RADAR_TYPES))
        self._poses = poses
        self.account = Account()
        self.matcher = FrameMatcher(
            readers,
            poses,
            self.account,
            options.sync_window,
            options.max_wait,
            options.accumulate_sweeps,
        )
        self.counts: Counter[str] = Counter()
        self.latencies_ms: list[float] = []

    def take(self, topic: str, message: definitions.Message, now: int) -> None:
        """Take a message of the camera's own or of a radar, logged at ``now`` [ns]; others are left alone."""
        if topic == self.image_topic:
            self.matcher.add_image(message, now)
        elif topic == self.options.camera_info_topic:
            self.matcher.add_camera_info(message)
        elif topic in self.options.radar_topics:
            self.matcher.add_cloud(topic, message)

    def drop_damaged(self, reason: str) -> None:
        """Count an image whose message cannot be decoded."""
        self.account.received += 1
        self.account.drop(DAMAGED, reason)

    def estimate(
        self, match: Match, pipeline: DepthPipeline, out: OrderedDepthWriter, add_video_frame: AddVideoFrame | None
    ) -> None:
        """Write the depth of a match, or drop its image."""
        message, log_time = match.image
        info = self.matcher.camera_info(match)
        if info is None:
            topic = self.options.camera_info_topic
            self.account.drop(NO_CAMERA_INFO, f"image at {match.stamp}: no {topic} so far")
            return
        try:
            frame, image, radars = self._depth(match, info, pipeline)
        except LircDepthError as error:
            self.account.drop(BAD_INPUT, f"image at {match.stamp}: {error}")
            return
        self.account.done += 1
        if self.account.done > 1:  # the first one's time is that of warming up, too
            self.latencies_ms.append(1e3 * sum(frame.seconds.values()))
        self.counts["fused" if frame.fused else "camera_only"] += 1
        out.add_depth(self.options.depth_topic, message.header, frame.depth, info, log_time)
        if add_video_frame is not None:
            add_video_frame(image, camera_matrix(info)[0], radars, frame.depth)

    def _depth(
        self, match: Match, info: definitions.Message, pipeline: DepthPipeline
    ) -> tuple[DepthFrame, npt.NDArray[np.uint8], Radars]:
        message, _ = match.image
        intrinsics, size = camera_matrix(info)
        image = any_image_to_rgb(message)
        require_size(image, size)

        def leave_out(topic: str, error: LircDepthError) -> None:
            self.matcher.refuse_cloud(topic, f"{topic} at {match.scans[topic].stamp}: {error}")

        inputs = radar_inputs(
            match, message.header.frame_id, self._poses, self.options.velocity_compensation, leave_out
        )
        radars = moved_to_projection(inputs.scans, info)
        frame = pipeline(image, intrinsics, radars)
        self.counts["without_ego_motion"] += inputs.without_motion
        self.counts["past_sweeps_left_out"] += inputs.past_left_out
        return frame, image, radars

    def no_depth(self) -> str:
        """Return why no image gave depth."""
        if not self.account.received:
            return f"no message on {self.image_topic}"
        first = f"; the first: {self.account.reasons[0]}" if self.account.reasons else ""
        return f"none of {self.account.received} images gives depth ({self.account.causes()}){first}"

    @property
    def remarks(self) -> list[str]:
        """What is not right with the camera's frames, in words."""
        remarks = [stamp_offset_text(*entry) for entry in self.matcher.stamp_offsets().items()]
        if self.name and not self.account.done:
            remarks.append(self.no_depth())
        if self.counts["without_ego_motion"]:
            frames = f"{self.counts['without_ego_motion']} of {self.account.done} frames"
            remarks.append(f"{frames}: {NO_EGO_MOTION} ({self._poses.motionless()})")
        if self.counts["past_sweeps_left_out"]:
            remarks.append(f"{self.counts['past_sweeps_left_out']} past sweeps are not used, without ego motion")
        remarks += [f"{number} scans of {topic} are left out" for topic, number in self.matcher.refused.items()]
        return [f"{self.name}: {text}" if self.name else text for text in remarks]
