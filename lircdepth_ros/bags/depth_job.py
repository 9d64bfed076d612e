# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth for every image of a bag, without DDS and without ROS.

Matching, poses, conversions and DepthPipeline are those of the node; the time is the bag's own. The result is that of a
node that is never late, and the same every time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.matching.assembler import Match
from lircdepth_core.matching.radar_inputs import radar_inputs
from lircdepth_ros.bags.depth_writer import OrderedDepthWriter
from lircdepth_ros.bags.frames import FrameMatcher
from lircdepth_ros.bags.poses import BagPoses
from lircdepth_ros.bags.reading import read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.camera_info import camera_matrix, require_size
from lircdepth_ros.messages.clouds import cloud_to_radar_scan
from lircdepth_ros.messages.images import any_image_to_rgb

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader, Writer

    from lircdepth_core.pipeline import DepthFrame, DepthPipeline

_IMAGE_TYPES = ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image")

AddVideoFrame = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float32]], None]


@dataclass(frozen=True)
class DepthJobOptions:
    """Which topics of a bag are read and written, and how images are matched: as the node's parameters of these names.

    calibration: file with the sensors' mounting; without one that beside the bag, or the bag's /tf_static. with_inputs:
    the bag's own messages are copied, too.
    """

    image_topic: str = "/CAM_FRONT/image_rect"
    camera_info_topic: str = "/CAM_FRONT/camera_info"
    radar_topics: tuple[str, ...] = ("/RADAR_FRONT/points",)
    radar_fields: str = "x y z rcs vx vy"
    depth_topic: str = "/CAM_FRONT/depth"
    calibration: str | None = None
    odometry_topic: str = "/odom"
    sync_window: float = 0.1
    max_wait: float = 0.06
    accumulate_sweeps: int = 0
    velocity_compensation: bool = False
    encoding: str = "32FC1"
    with_inputs: bool = False


class DepthJob:
    """One bag on its way through the pipeline.

    counts: images, frames (with depth), fused, camera_only, dropped. reasons: why something was left out. Raises
    LircDepthError where the bag lacks a topic.
    """

    def __init__(self, reader: Reader, bag: str | Path, options: DepthJobOptions) -> None:
        self._reader, self._bag, self._options = reader, bag, options
        self.types = {connection.topic: connection.msgtype for connection in reader.connections}
        self._image_topic = self._find_image_topic()
        for topic in (options.camera_info_topic, *options.radar_topics):
            if topic not in self.types:
                raise LircDepthError(f"{bag} has no topic {topic}; it has {', '.join(sorted(self.types))}")
        taken = [topic for topic in self.types if topic.startswith(f"{options.depth_topic}/")]
        if taken and options.with_inputs:
            raise LircDepthError(f"{bag} has {', '.join(taken)} already: choose another --depth-topic")
        fields = options.radar_fields.split()
        if len(fields) != 6:
            raise LircDepthError(f"--radar-fields is '{options.radar_fields}', expected six names: x y z rcs vx vy")
        self._poses = BagPoses(self.types, calibration_of(bag, options.calibration), options.odometry_topic)
        self._matcher = FrameMatcher(
            options.radar_topics,
            lambda message: cloud_to_radar_scan(message, fields),
            self._poses,
            options.sync_window,
            options.max_wait,
            options.accumulate_sweeps,
        )
        self.counts: Counter[str] = Counter()
        self.reasons: list[str] = []

    def _find_image_topic(self) -> str:
        wanted = self._options.image_topic
        for topic in (f"{wanted}/compressed", wanted):
            if self.types.get(topic) in _IMAGE_TYPES:
                return topic
        raise LircDepthError(
            f"{self._bag} has no image topic {wanted}[/compressed]; it has {', '.join(sorted(self.types))}"
        )

    @property
    def image_count(self) -> int:
        """How many images the bag says that it has."""
        return sum(c.msgcount for c in self._reader.connections if c.topic == self._image_topic)

    @property
    def image_rate(self) -> float:
        """Images a second, for a video."""
        return max(self.image_count - 1, 1) / max(self._reader.duration / 1e9, 1e-3)

    def process(self, pipeline: DepthPipeline, writer: Writer, add_video_frame: AddVideoFrame | None) -> None:
        """Read the bag once; write depth, and the inputs if asked for, in the order of their log times.

        Raises LircDepthError for a message that is damaged.
        """
        from tqdm import tqdm

        used = {self._image_topic, self._options.camera_info_topic, *self._options.radar_topics, *self._poses.topics}
        copied = self._reader.connections if self._options.with_inputs else []
        wanted = self._reader.connections if copied else [c for c in self._reader.connections if c.topic in used]
        out = OrderedDepthWriter(writer, copied, self._options.depth_topic, self._options.encoding)
        matcher, typestore = self._matcher, definitions.typestore()
        with tqdm(total=self.image_count, desc="depth", unit=" images", disable=None) as bar:

            def estimate(matches: Iterable[Match]) -> None:
                for match in matches:
                    self._estimate(match, pipeline, out, add_video_frame)
                    bar.update()

            for connection, now, data in read_messages(self._reader, wanted):
                topic = connection.topic
                estimate(matcher.poll(now - 1))  # what became final between two messages
                out.copy(connection, now, data)
                if topic in used:
                    try:
                        message = typestore.deserialize_cdr(data, connection.msgtype)
                    except Exception as error:  # rosbags lets a decoder's own errors through
                        raise LircDepthError(f"{topic} at {now}: message is damaged: {error}") from error
                    self._take(topic, message, now)
                    estimate(matcher.poll(now))
                out.flush(matcher.oldest if matcher.oldest is not None else now)
            estimate(matcher.poll())
            out.flush()
        self.reasons += matcher.refused

    def _take(self, topic: str, message: definitions.Message, now: int) -> None:
        if topic == self._image_topic:
            self.counts["images"] += 1
            self._matcher.add_image(message, now)
        elif topic == self._options.camera_info_topic:
            self._matcher.camera_info = message
        elif topic in self._options.radar_topics:
            self._matcher.add_cloud(topic, message)
        else:
            self._poses.add(topic, message)

    def _estimate(
        self, match: Match, pipeline: DepthPipeline, out: OrderedDepthWriter, add_video_frame: AddVideoFrame | None
    ) -> None:
        message, log_time = match.image
        try:
            frame, image = self._depth(match, pipeline)
        except LircDepthError as error:
            self.counts["dropped"] += 1
            self.reasons.append(f"image at {match.stamp}: {error}")
            return
        self.counts["frames"] += 1
        self.counts["fused" if frame.fused else "camera_only"] += 1
        out.add_depth(message.header, frame.depth, self._matcher.camera_info, log_time)
        if add_video_frame is not None:
            add_video_frame(image, frame.depth)

    def _depth(self, match: Match, pipeline: DepthPipeline) -> tuple[DepthFrame, npt.NDArray[np.uint8]]:
        message, _ = match.image
        info = self._matcher.camera_info
        if info is None:
            raise LircDepthError(f"no {self._options.camera_info_topic} so far")

        def leave_out(topic: str, error: LircDepthError) -> None:
            self.reasons.append(f"{topic} at {match.scans[topic].stamp}: {error}")

        radars, _ = radar_inputs(
            match, message.header.frame_id, self._poses, self._options.velocity_compensation, leave_out
        )
        intrinsics, size = camera_matrix(info)
        image = any_image_to_rgb(message)
        require_size(image, size)
        return pipeline(image, intrinsics, radars), image


def calibration_of(bag: str | Path, given: str | None) -> Calibration | None:
    """Return the calibration file that was given, or the one that the converter writes into each bag, or None."""
    beside = Path(bag) / "calibration.yaml"
    path: Any = given or (beside if beside.is_file() else None)
    return Calibration.load(path) if path else None
