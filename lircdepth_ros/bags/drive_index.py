# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One's own drive, read once: which images can be frames to train on, and where the sensors were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.matching.account import BAD_INPUT, DAMAGED, NO_CAMERA_INFO, Account
from lircdepth_core.matching.assembler import Match
from lircdepth_core.matching.radar_inputs import radar_inputs
from lircdepth_core.progress import progress
from lircdepth_core.radar import RadarScan
from lircdepth_ros.bags.depth_options import DepthJobOptions, calibration_of, find_image_topic
from lircdepth_ros.bags.frames import FrameMatcher
from lircdepth_ros.bags.poses import BagPoses, add_pose
from lircdepth_ros.bags.reading import BagAccount, read_messages, require_type
from lircdepth_ros.messages.camera_info import camera_matrix, moved_to_projection, projection_from_camera
from lircdepth_ros.messages.radars import RADAR_TYPES, radar_readers
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader

_INFO, _CLOUD = "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/PointCloud2"
_NO_LIDAR, _NO_MOTION = "no_lidar", "no_ego_motion"
_TOO_CLOSE = "too_close"  # to the frame before: nearly the same picture


@dataclass(frozen=True)
class DriveOptions:
    """How frames are taken out of a drive. The topics and frames: as DepthJobOptions.

    every [s]: least time between two frames. accumulate [s]: lidar scans before and after the image that become the
    dense depth. scale: images are resized by it.
    """

    job: DepthJobOptions = field(default_factory=DepthJobOptions)
    lidar_topic: str = "/LIDAR_TOP/points"
    every: float = 0.5
    accumulate: float = 1.5
    scale: float = 1.0


@dataclass
class LidarScan:
    """One lidar scan: when it was logged, and where the sensor was. fixed_from_lidar: None where that is not known."""

    stamp: int
    log_time: int
    fixed_from_lidar: Float64Array | None = None


@dataclass
class DriveImage:
    """What is kept of an image until its frame is made."""

    stamp: int
    log_time: int
    intrinsics: Float64Array
    size: tuple[int, int]
    radars: list[tuple[RadarScan, Float64Array]]
    fixed_from_camera: Float64Array
    scan: int  # of the lidar, nearest in time


@dataclass
class DriveIndex:
    """What one reading of a bag gives."""

    images: list[DriveImage] = field(default_factory=list)
    scans: list[LidarScan] = field(default_factory=list)
    image_topic: str = ""


class DriveReader:
    """Reads a bag once. Raises LircDepthError where it lacks camera, radar, lidar or poses.

    account: of the images; those that are no frames have a cause. cautions: what to know about the radars.
    """

    def __init__(
        self, reader: Reader, bag: str, options: DriveOptions, account: Account, bag_account: BagAccount
    ) -> None:
        self._reader, self._options, self._account, self._bag_account = reader, options, account, bag_account
        job = options.job
        types = {connection.topic: connection.msgtype for connection in reader.connections}
        image_topic = find_image_topic(types, job.image_topic, bag)
        wanted: dict[str, tuple[str, ...]] = {job.camera_info_topic: (_INFO,), options.lidar_topic: (_CLOUD,)}
        wanted |= dict.fromkeys(job.radar_topics, RADAR_TYPES)
        for topic, kinds in wanted.items():
            if topic not in types:
                what = "without lidar nothing is known to train on" if topic == options.lidar_topic else "it has"
                raise LircDepthError(f"{bag} has no topic {topic}: {what} {', '.join(sorted(types))}")
            require_type(types, topic, *kinds)
        self._poses = BagPoses(
            types, calibration_of(bag, job.calibration), job.odometry_topic, job.fixed_frame, job.base_frame
        )
        if not self._poses.topics - {"/tf_static"}:
            raise LircDepthError(f"{bag} has neither {job.odometry_topic} nor /tf: frames cannot be put together")
        readers = radar_readers(job.radar_topics, job.radar_driver, job.radar_frame, job.radar_fields, "--")
        self.cautions = [f"{topic}: {entry.caution}" for topic, entry in readers.items() if entry.caution]
        decoders: dict[str, Any] = dict(readers)
        decoders[options.lidar_topic] = lambda message: (None, message.header.frame_id)
        self._matcher = FrameMatcher(
            decoders, self._poses, account, job.sync_window, job.max_wait, job.accumulate_sweeps
        )
        self._index = DriveIndex(image_topic=image_topic)
        self._lidar_frames: list[str] = []
        self._waiting: list[int] = []  # lidar scans whose pose is not known yet
        self._last = -1 << 62

    def read(self) -> DriveIndex:
        """Return what the bag holds."""
        job, lidar = self._options.job, self._options.lidar_topic
        used = {self._index.image_topic, job.camera_info_topic, lidar, *job.radar_topics, *self._poses.topics}
        wanted = [c for c in self._reader.connections if c.topic in used]
        self._poses.read_static(self._reader)
        total = sum(connection.msgcount for connection in wanted)
        with progress(total, "message") as advance:
            for connection, now, data in read_messages(self._reader, wanted, account=self._bag_account):
                advance(1)
                topic = connection.topic
                self._take(self._matcher.poll(now - 1))
                message = self._bag_account.decode(connection, now, data)
                if message is None:
                    if topic == self._index.image_topic:
                        self._account.received += 1
                        self._account.drop(DAMAGED, self._bag_account.reasons[-1])
                elif topic == self._index.image_topic:
                    self._matcher.add_image(_Stamped(message.header), now)
                elif topic == job.camera_info_topic:
                    self._matcher.add_camera_info(message)
                elif topic in self._poses.topics:
                    add_pose(self._poses, topic, message, now, self._account, self._bag_account)
                    self._place_scans()
                else:
                    if topic == lidar:
                        self._add_scan(message, now)
                    self._matcher.add_cloud(topic, message)
            self._take(self._matcher.poll())
            self._place_scans(at_end=True)
        self._account.check(waiting=self._matcher.pending)
        return self._index

    def _add_scan(self, message: Any, now: int) -> None:
        self._waiting.append(len(self._index.scans))
        self._index.scans.append(LidarScan(stamp_to_ns(message.header.stamp), now))
        self._lidar_frames.append(message.header.frame_id)
        self._place_scans()

    def _place_scans(self, *, at_end: bool = False) -> None:
        """Note where the lidar was at those scans whose pose is known by now."""
        while self._waiting:
            index = self._waiting[0]
            scan, frame = self._index.scans[index], self._lidar_frames[index]
            if not at_end and not self._poses.ready(frame, scan.stamp, frame, scan.stamp):
                return
            scan.fixed_from_lidar = self._poses.fixed_from_sensor(frame, scan.stamp)
            self._waiting.pop(0)

    def _take(self, matches: Iterator[Match]) -> None:
        for match in matches:
            try:
                self._add_image(match)
            except LircDepthError as error:
                self._account.drop(BAD_INPUT, f"image at {match.stamp}: {error}")

    def _add_image(self, match: Match) -> None:
        stamped, log_time = match.image
        frame, lidar = stamped.header.frame_id, self._options.lidar_topic
        info = self._matcher.camera_info(match)
        if info is None:
            topic = self._options.job.camera_info_topic
            self._account.drop(NO_CAMERA_INFO, f"image at {match.stamp}: no {topic} so far")
            return
        if match.stamp - self._last < self._options.every * NANOSECONDS_PER_SECOND * 0.999:
            self._account.dropped[_TOO_CLOSE] += 1  # by choice, so that there is no reason to tell
            return
        if lidar not in match.scans:
            self._account.drop(_NO_LIDAR, f"image at {match.stamp}: no scan of {lidar} within the window")
            return
        fixed_from_camera = self._poses.fixed_from_sensor(frame, match.stamp)
        scan = match.scans.pop(lidar)
        match.past.pop(lidar, None)
        number = next(i for i in range(len(self._index.scans) - 1, -1, -1) if self._index.scans[i].stamp == scan.stamp)
        self._place_scans()
        if self._index.scans[number].fixed_from_lidar is None:
            self._index.scans[number].fixed_from_lidar = self._poses.fixed_from_sensor(scan.data[1], scan.stamp)
        if fixed_from_camera is None or self._index.scans[number].fixed_from_lidar is None:
            self._account.drop(_NO_MOTION, f"image at {match.stamp}: {self._poses.motionless()}")
            return
        intrinsics, size = camera_matrix(info)
        inputs = radar_inputs(match, frame, self._poses, self._options.job.velocity_compensation, self._refuse)
        radars = moved_to_projection(inputs.scans, info)
        fixed_from_camera = fixed_from_camera @ geometry.invert(projection_from_camera(info))
        self._index.images.append(
            DriveImage(match.stamp, log_time, intrinsics, size, radars, fixed_from_camera, number)
        )
        self._account.done += 1
        self._last = match.stamp

    def _refuse(self, topic: str, error: LircDepthError) -> None:
        self._matcher.refuse_cloud(topic, f"{topic}: {error}")


@dataclass(frozen=True)
class _Stamped:
    """An image without its pixels: they are read again when they are needed."""

    header: Any
