# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth for every image of a bag, without DDS and without ROS.

Matching, poses, conversions and DepthPipeline are those of the node; the time is the bag's own. The result is that of a
node that is never late, and the same every time.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_core.matching.account import BAD_INPUT, DAMAGED, NO_CAMERA_INFO, Account
from lircdepth_core.matching.assembler import Match, stamp_offset_text
from lircdepth_core.matching.radar_inputs import NO_EGO_MOTION, radar_inputs
from lircdepth_ros.bags.depth_writer import OrderedDepthWriter
from lircdepth_ros.bags.frames import FrameMatcher
from lircdepth_ros.bags.poses import BagPoses, add_pose
from lircdepth_ros.bags.reading import BagAccount, read_messages, require_type
from lircdepth_ros.bags.video import AddVideoFrame, Radars
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.camera_info import camera_matrix, moved_to_projection, require_size
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.radars import RADAR_TYPES, radar_readers

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader, Writer

    from lircdepth_core.pipeline import DepthFrame, DepthPipeline

_IMAGE_TYPES = ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image")
_INFO_TYPE = "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True)
class DepthJobOptions:
    """Which topics of a bag are read and written, and how images are matched: as the node's parameters of these names.

    calibration: file with the sensors' mounting; without one that beside the bag, or the bag's /tf_static. fixed_frame:
    where the world stands still; without one "odom", or the root of the bag's frames. base_frame: the vehicle's own.
    with_inputs: the bag's own messages are copied, too.
    """

    image_topic: str = "/CAM_FRONT/image_rect"
    camera_info_topic: str = "/CAM_FRONT/camera_info"
    radar_topics: tuple[str, ...] = ("/RADAR_FRONT/points",)
    radar_driver: tuple[str, ...] = ("nuscenes",)
    radar_frame: tuple[str, ...] = ()
    radar_fields: str = ""
    depth_topic: str = "/CAM_FRONT/depth"
    calibration: str | None = None
    odometry_topic: str = "/odom"
    fixed_frame: str = ""
    base_frame: str = BASE_FRAME
    sync_window: float = 0.1
    max_wait: float = 0.06
    accumulate_sweeps: int = 0
    velocity_compensation: bool = False
    encoding: str = "32FC1"
    with_inputs: bool = False


class DepthJob:
    """One bag on its way through the pipeline.

    account: of the images, each of which gets depth or is dropped for a cause. counts: of frames with depth: fused,
    camera_only, without_ego_motion; and past_sweeps_left_out. bag_account: what was read, and damaged messages.
    latencies_ms: of the pipeline, of each image but the first. Raises LircDepthError where the bag lacks a topic, or
    has it with another type.
    """

    def __init__(self, reader: Reader, bag: str | Path, options: DepthJobOptions) -> None:
        self._reader, self._bag, self._options = reader, bag, options
        self.types = {connection.topic: connection.msgtype for connection in reader.connections}
        self._image_topic = find_image_topic(self.types, options.image_topic, bag)
        for topic in (options.camera_info_topic, *options.radar_topics):
            if topic not in self.types:
                raise LircDepthError(f"{bag} has no topic {topic}; it has {', '.join(sorted(self.types))}")
            require_type(self.types, topic, *((_INFO_TYPE,) if topic == options.camera_info_topic else RADAR_TYPES))
        taken = [topic for topic in self.types if topic.startswith(f"{options.depth_topic}/")]
        if taken and options.with_inputs:
            raise LircDepthError(f"{bag} has {', '.join(taken)} already: choose another --depth-topic")
        readers = radar_readers(
            options.radar_topics, options.radar_driver, options.radar_frame, options.radar_fields, "--"
        )
        self.cautions = [f"{topic}: {reader.caution}" for topic, reader in readers.items() if reader.caution]
        self._poses = BagPoses(
            self.types,
            calibration_of(bag, options.calibration),
            options.odometry_topic,
            options.fixed_frame,
            options.base_frame,
        )
        self.account, self.bag_account = Account(), BagAccount()
        self._matcher = FrameMatcher(
            readers,
            self._poses,
            self.account,
            options.sync_window,
            options.max_wait,
            options.accumulate_sweeps,
        )
        self.counts: Counter[str] = Counter()
        self.latencies_ms: list[float] = []

    @property
    def image_count(self) -> int:
        """How many images the bag says that it has."""
        return sum(c.msgcount for c in self._reader.connections if c.topic == self._image_topic)

    @property
    def image_rate(self) -> float:
        """Images a second, for a video."""
        return max(self.image_count - 1, 1) / max(self._reader.duration / 1e9, 1e-3)

    def process(self, pipeline: DepthPipeline, writer: Writer, add_video_frame: AddVideoFrame | None) -> None:
        """Read the bag; write depth, and the inputs if asked for, in the order of their log times.

        The static transforms are read before everything else. A damaged message is counted and left out. Raises
        LircDepthError, with the causes and their counts, when no image gives depth.
        """
        from tqdm import tqdm

        used = {self._image_topic, self._options.camera_info_topic, *self._options.radar_topics, *self._poses.topics}
        copied = self._reader.connections if self._options.with_inputs else []
        wanted = self._reader.connections if copied else [c for c in self._reader.connections if c.topic in used]
        out = OrderedDepthWriter(writer, copied, self._options.depth_topic, self._options.encoding)
        matcher = self._matcher
        self._poses.read_static(self._reader)
        with tqdm(total=self.image_count, desc="depth", unit=" images", disable=None) as bar:

            def estimate(matches: Iterable[Match]) -> None:
                for match in matches:
                    self._estimate(match, pipeline, out, add_video_frame)
                    bar.update()

            for connection, now, data in read_messages(self._reader, wanted, account=self.bag_account):
                topic = connection.topic
                estimate(matcher.poll(now - 1))  # what became final between two messages
                if data:
                    out.copy(connection, now, data)
                if topic in used:
                    message = self.bag_account.decode(connection, now, data)
                    if message is not None:
                        self._take(topic, message, now)
                        estimate(matcher.poll(now))
                    elif topic == self._image_topic:
                        self.account.received += 1
                        self.account.drop(DAMAGED, self.bag_account.reasons[-1])
                out.flush(matcher.oldest if matcher.oldest is not None else now)
            estimate(matcher.poll())
            out.flush()
        self.account.check(waiting=matcher.pending)
        if not self.account.done:
            raise LircDepthError(self._no_depth())

    def _no_depth(self) -> str:
        missing = self.bag_account.missing_text()
        if not self.account.received:
            return f"no depth: {missing or f'{self._bag} has no message on {self._image_topic}'}"
        first = f"; the first: {self.account.reasons[0]}" if self.account.reasons else ""
        return f"none of {self.account.received} images gives depth ({self.account.causes()}){first}"

    @property
    def remarks(self) -> list[str]:
        """What is not right with the bag as a whole, in words."""
        remarks = [stamp_offset_text(*entry) for entry in self._matcher.stamp_offsets().items()]
        if self.counts["without_ego_motion"]:
            frames = f"{self.counts['without_ego_motion']} of {self.account.done} frames"
            remarks.append(f"{frames}: {NO_EGO_MOTION} ({self._poses.motionless()})")
        if self.counts["past_sweeps_left_out"]:
            remarks.append(f"{self.counts['past_sweeps_left_out']} past sweeps are not used, without ego motion")
        remarks += [f"{number} scans of {topic} are left out" for topic, number in self._matcher.refused.items()]
        remarks += [f"{number} messages of {topic} are damaged" for topic, number in self.bag_account.damaged.items()]
        cautions = (self.bag_account.missing_text(), self._poses.caution, *self.cautions)
        return [text for text in (*remarks, *cautions) if text]

    @property
    def reasons(self) -> list[str]:
        """Why something was left out: the first messages that were."""
        return list(dict.fromkeys([*self.account.reasons, *self.bag_account.reasons]))

    def _take(self, topic: str, message: definitions.Message, now: int) -> None:
        if topic == self._image_topic:
            self._matcher.add_image(message, now)
        elif topic == self._options.camera_info_topic:
            self._matcher.add_camera_info(message)
        elif topic in self._options.radar_topics:
            self._matcher.add_cloud(topic, message)
        else:
            add_pose(self._poses, topic, message, now, self.account, self.bag_account)

    def _estimate(
        self, match: Match, pipeline: DepthPipeline, out: OrderedDepthWriter, add_video_frame: AddVideoFrame | None
    ) -> None:
        message, log_time = match.image
        info = self._matcher.camera_info(match)
        if info is None:
            topic = self._options.camera_info_topic
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
        out.add_depth(message.header, frame.depth, info, log_time)
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
            self._matcher.refuse_cloud(topic, f"{topic} at {match.scans[topic].stamp}: {error}")

        inputs = radar_inputs(
            match, message.header.frame_id, self._poses, self._options.velocity_compensation, leave_out
        )
        radars = moved_to_projection(inputs.scans, info)
        frame = pipeline(image, intrinsics, radars)
        self.counts["without_ego_motion"] += inputs.without_motion
        self.counts["past_sweeps_left_out"] += inputs.past_left_out
        return frame, image, radars


def find_image_topic(types: Mapping[str, str], wanted: str, bag: str | Path) -> str:
    """Return ``wanted``, with /compressed or without, whichever a bag of {topic: type} has. Raises LircDepthError."""
    for topic in (f"{wanted}/compressed", wanted):
        if types.get(topic) in _IMAGE_TYPES:
            return topic
    for topic in (f"{wanted}/compressed", wanted):
        if topic in types:
            require_type(types, topic, *_IMAGE_TYPES)
    raise LircDepthError(f"{bag} has no image topic {wanted}[/compressed]; it has {', '.join(sorted(types))}")


def calibration_of(bag: str | Path, given: str | None) -> Calibration | None:
    """Return the calibration file that was given, or the one that the converter writes into each bag, or None."""
    beside = Path(bag) / "calibration.yaml"
    path: Any = given or (beside if beside.is_file() else None)
    return Calibration.load(path) if path else None


def add_frame_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the names of frames that tools for bags follow."""
    default = DepthJobOptions()
    parser.add_argument(
        "--fixed-frame", default="", help="frame in which the world stands still (default: odom, or the frames' root)"
    )
    parser.add_argument(
        "--base-frame",
        default=default.base_frame,
        help="the vehicle's frame: the calibration's parent, and odometry's where that names none "
        "(default: %(default)s)",
    )
