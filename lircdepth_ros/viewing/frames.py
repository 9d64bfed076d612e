# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is shown of a bag with depth: for each depth image its picture, radar, lidar and boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.truth import at_pixels
from lircdepth_core.matching.account import Account
from lircdepth_core.matching.assembler import Match
from lircdepth_core.matching.radar_inputs import radar_inputs
from lircdepth_ros.bags.depth_options import DepthJobOptions, calibration_of
from lircdepth_ros.bags.frames import FrameMatcher, points_and_frame
from lircdepth_ros.bags.merging import merged
from lircdepth_ros.bags.poses import BagPoses, add_pose
from lircdepth_ros.bags.reading import BagAccount, open_bag
from lircdepth_ros.depth_node.views import return_arrows
from lircdepth_ros.layouts import BOXES_TOPIC, LIDAR_TOPIC
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.camera_info import camera_matrix, projection_offset
from lircdepth_ros.messages.depth import depth_of
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.radars import radar_readers
from lircdepth_ros.messages.rigid_transforms import pose_to_matrix
from lircdepth_ros.messages.stamps import stamp_to_ns

Transform = npt.NDArray[np.float64]
_WINDOW_S = 0.1
_BOXES_WINDOW_S = 0.06  # of annotations: those of the next image are another's
_MARKER_CUBE, _MARKER_ADD = 1, 0  # visualization_msgs/Marker


@dataclass(frozen=True)
class Box:
    """An annotated box: camera <- box, its size [3] metres, its colour [3] 0 to 1."""

    pose: Transform
    size: npt.NDArray[np.float64]
    color: tuple[float, float, float]


@dataclass(frozen=True)
class ViewFrame:
    """One depth image and what belongs to its time; all points in the camera's optical frame, in metres.

    camera: its frame. stamp: nanoseconds. fixed_from_camera: its pose in the frame in which the world stands still, or
    None. up: the world's upward direction, a unit vector. image: the camera's message, or None. depth:
    every ``stride``-th pixel, float32 [h, w]. intrinsics, size: of the whole image, (width, height). starts, ends: of
    the radar returns and where they move, [N, 3]. lidar: [M, 3]; errors: of the depth at each [M], NaN where it is not
    in the image.
    """

    camera: str
    stamp: int
    fixed_from_camera: Transform | None
    up: npt.NDArray[np.float64]
    image: definitions.Message | None
    depth: npt.NDArray[np.float32]
    stride: int
    intrinsics: npt.NDArray[np.float64]
    size: tuple[int, int]
    starts: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    lidar: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]
    boxes: tuple[Box, ...] = ()

    def picture(self) -> npt.NDArray[np.uint8] | None:
        """Return the camera's image, uint8 [H, W, 3] RGB, or None."""
        return None if self.image is None else any_image_to_rgb(self.image)


def read_frames(
    depth_bag: str | Path, reference: str | Path, options: DepthJobOptions, stride: int = 4, every: int = 1
) -> list[ViewFrame]:
    """Return the frames of a bag with depth, in order; everything else may be in another bag.

    options: topics and frames as for DepthJob. stride: of depth pixels. every: only each so many-th image is taken.
    Raises LircDepthError where there is no depth, or no camera_info.
    """
    paths = list(dict.fromkeys([str(depth_bag), str(reference)]))
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(open_bag(path))) for path in paths]
        types = {c.topic: c.msgtype for reader in readers for c in reader.connections}
        collector = _Collector(types, reference, options, stride, every, depth_bag)
        collector.poses.read_static(readers[-1])
        for now, topic, message in merged(readers, collector.topics, {collector.depth_topic}, collector.bag_account):
            if message is not None:
                collector.take(topic, message, now)
        collector.finish()
    if not collector.frames:
        raise LircDepthError(f"{depth_bag}: nothing to show; {collector.account.causes() or 'there is no depth image'}")
    return collector.frames


class _Collector:
    """Makes frames of messages in the order of their stamps."""

    def __init__(
        self,
        types: dict[str, str],
        reference: str | Path,
        options: DepthJobOptions,
        stride: int,
        every: int,
        depth_bag: str | Path,
    ) -> None:
        self.depth_topic = next(
            (f"{options.depth_topic}/image{end}" for end in ("", "/compressedDepth")
             if f"{options.depth_topic}/image{end}" in types), "",
        )  # fmt: skip
        if not self.depth_topic:
            raise LircDepthError(
                f"{depth_bag} has no topic {options.depth_topic}/image: `lircdepth infer-bag` makes it"
            )
        if options.camera_info_topic not in types:
            raise LircDepthError(f"{reference} has no topic {options.camera_info_topic}; see --reference")
        self._stride, self._every, self._seen = stride, every, 0
        self._info_topic = options.camera_info_topic
        self._image_topic = next(
            (t for t in (f"{options.image_topic}/compressed", options.image_topic) if t in types), None
        )
        self._radars = [topic for topic in options.radar_topics if topic in types]
        readers: dict[str, Any] = {}
        if self._radars:
            readers = dict(radar_readers(options.radar_topics, options.radar_driver, options.radar_frame,
                                         options.radar_fields, "--"))  # fmt: skip
        decoders = {topic: readers[topic] for topic in self._radars}
        if LIDAR_TOPIC in types:
            decoders[LIDAR_TOPIC] = points_and_frame
        self.poses = BagPoses(types, calibration_of(reference, options.calibration), options.odometry_topic,
                              options.fixed_frame, options.base_frame)  # fmt: skip
        self.account, self.bag_account = Account(), BagAccount()
        self._matcher = FrameMatcher(decoders, self.poses, self.account, _WINDOW_S, 2 * _WINDOW_S)
        self._images: dict[int, definitions.Message] = {}
        self._boxes: dict[int, definitions.Message] = {}  # annotations by stamp
        self.frames: list[ViewFrame] = []
        optional = {topic for topic in (self._image_topic, BOXES_TOPIC) if topic in types}
        self.topics = {self.depth_topic, self._info_topic, *decoders, *self.poses.topics, *optional}

    def take(self, topic: str, message: definitions.Message, now: int) -> None:
        self._add(self._matcher.poll(now - 1))
        if topic == self.depth_topic:
            self._seen += 1
            if (self._seen - 1) % self._every == 0:
                self._matcher.add_image(message, now)
        elif topic == self._info_topic:
            self._matcher.add_camera_info(message)
        elif topic == self._image_topic:
            self._take_image(stamp_to_ns(message.header.stamp), message)
        elif topic == BOXES_TOPIC:
            self._boxes[now] = message
        elif topic in self.poses.topics:
            add_pose(self.poses, topic, message, now, self.account, self.bag_account)
        else:
            self._matcher.add_cloud(topic, message)

    def _take_image(self, stamp: int, message: definitions.Message) -> None:
        """Keep an image for its frame, or give it to the frame: a bag may have it after the depth, and later scans."""
        for place in range(len(self.frames) - 1, -1, -1):
            if self.frames[place].stamp == stamp:
                self.frames[place] = replace(self.frames[place], image=message)
                return
            if self.frames[place].stamp < stamp:
                break
        self._images[stamp] = message

    def finish(self) -> None:
        """Add the last frames, and to all of them the annotations, which may come after the image of their time."""
        self._add(self._matcher.poll())
        self.frames = [replace(frame, boxes=self._boxes_in(frame.camera, frame.stamp)) for frame in self.frames]

    def _add(self, matches: Iterator[Match] | Iterable[Match]) -> None:
        for match in matches:
            info = self._matcher.camera_info(match)
            if info is None:
                self.account.drop("no_camera_info", f"image at {match.stamp}: no {self._info_topic} so far")
                continue
            self.frames.append(self._frame(match, info))
            for stamp in [stamp for stamp in self._images if stamp <= match.stamp]:
                del self._images[stamp]

    def _frame(self, match: Match, info: definitions.Message) -> ViewFrame:
        message, _ = match.image
        camera, depth = message.header.frame_id, depth_of(message)
        intrinsics, size = camera_matrix(info)
        lidar = np.zeros((0, 3))
        if LIDAR_TOPIC in match.scans:
            scan = match.scans[LIDAR_TOPIC]
            transform, _ = self.poses.camera_from_sensor(camera, match.stamp, scan.data[1], scan.stamp)
            lidar = geometry.transform_points(transform, scan.data[0])
        radars = {topic: scan for topic, scan in match.scans.items() if topic != LIDAR_TOPIC}

        def leave_out(topic: str, error: LircDepthError) -> None:
            self._matcher.refuse_cloud(topic, str(error))

        scans = radar_inputs(replace(match, scans=radars), camera, self.poses, False, leave_out).scans
        fixed_from_camera = self.poses.fixed_from_sensor(camera, match.stamp)
        up = np.array([0.0, -1.0, 0.0]) if fixed_from_camera is None else fixed_from_camera[2, :3]
        starts, ends = return_arrows(scans)
        errors = _errors(depth, lidar + projection_offset(info), intrinsics)
        sparse, image = depth[:: self._stride, :: self._stride].copy(), self._images.get(match.stamp)
        return ViewFrame(camera, match.stamp, fixed_from_camera, up, image, sparse, self._stride, intrinsics, size,
                         starts, ends, lidar, errors)  # fmt: skip

    def _boxes_in(self, camera: str, stamp: int) -> tuple[Box, ...]:
        """Return the annotations nearest in time, which are those of a key frame, in the camera's frame."""
        nearest = min(self._boxes, key=lambda moment: abs(moment - stamp), default=None)
        if nearest is None or abs(nearest - stamp) > _BOXES_WINDOW_S * 1e9:
            return ()
        found = []
        for marker in self._boxes[nearest].markers:
            if (marker.type, marker.action) != (_MARKER_CUBE, _MARKER_ADD):
                continue
            try:
                pose, _ = self.poses.camera_from_sensor(camera, stamp, marker.header.frame_id, stamp)
            except LircDepthError:
                return ()
            size = np.array([marker.scale.x, marker.scale.y, marker.scale.z])
            color = marker.color.r, marker.color.g, marker.color.b
            found.append(Box(pose @ pose_to_matrix(marker.pose), size, color))
        return tuple(found)


def _errors(
    depth: npt.NDArray[np.float32], lidar: npt.NDArray[np.float64], intrinsics: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return depth less truth [m] at each lidar point [M]; NaN where the image does not see it."""
    errors = np.full(len(lidar), np.nan)
    pixels, true = geometry.project(lidar, intrinsics)
    seen = geometry.visible(pixels, true, depth.shape[1], depth.shape[0])
    errors[seen] = at_pixels(depth, pixels[seen]) - true[seen]
    return errors


@dataclass(frozen=True)
class Moment:
    """What is shown at once: a frame of the first camera, and those of others at nearly its time.

    others: (frame, first camera <- its camera, 4x4).
    """

    first: ViewFrame
    others: tuple[tuple[ViewFrame, Transform], ...] = ()


def moments(cameras: Sequence[Sequence[ViewFrame]]) -> list[Moment]:
    """Return a moment for each frame of the first camera. cameras: the frames of each, in order."""
    found = []
    for first in cameras[0]:
        others = []
        for frames in cameras[1:]:
            nearest = min(frames, key=lambda frame: abs(frame.stamp - first.stamp))
            if abs(nearest.stamp - first.stamp) > _WINDOW_S * 1e9:
                continue
            if first.fixed_from_camera is None or nearest.fixed_from_camera is None:
                continue
            others.append((nearest, geometry.invert(first.fixed_from_camera) @ nearest.fixed_from_camera))
        found.append(Moment(first, tuple(others)))
    return found
