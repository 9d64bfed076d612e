# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One nuScenes scene as ROS 2 messages, in time order: what the converter writes and what replay publishes.

Every message is made when its turn comes, so memory does not grow with a scene's length. Stamps are the sensors' own,
to the microsecond. At equal times what is latched comes first, then transforms and odometry, camera_info and image,
radar, lidar, ground truth, annotations.
"""

from __future__ import annotations

import colorsys
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lircdepth_core import geometry, radar
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_ros.bags.selection import Selection
from lircdepth_ros.bags.sensor_files import (
    LIDAR_FILE_POINT_BYTES,
    LIDAR_POINT,
    decode_image,
    image_format,
    lidar_points,
)
from lircdepth_ros.bags.writing import offered_qos
from lircdepth_ros.messages import building
from lircdepth_ros.messages.definitions import Message

if TYPE_CHECKING:
    from rosbags.interfaces import Qos

Record = dict[str, Any]  # of one of the devkit's tables
TopicMessage = tuple[str, Message]

LIDAR = "LIDAR_TOP"
NANOSECONDS = 1000  # per nuScenes' microsecond
# At equal times messages come in this order.
_LATCHED, _POSE, _CAMERA, _RADAR, _LIDAR, _GROUND_TRUTH, _ANNOTATIONS = range(7)
_RANK = {"camera": _CAMERA, "radar": _RADAR, "lidar": _LIDAR}
_BAG_OVERHEAD = 64_000  # bytes: message definitions, index
_BOX_BYTES = 500  # of an annotation
_MESSAGE_OVERHEAD = 250  # bytes a message: its header, the bag's record and index
_SMALL_MESSAGE = 750  # bytes, at most: odometry with its covariances


class _Event(NamedTuple):
    """One moment of a scene: its messages are made by ``make(source)`` when its turn comes."""

    microseconds: int
    rank: int  # order at equal times
    channel: str
    topics: tuple[str, ...]
    make: Callable[[Any], Iterable[TopicMessage]]
    source: Any
    token: str | None = None  # sample_data record of the file that it needs
    estimated_bytes: int = 0  # besides that of small messages


class SceneMessages:
    """The messages of one scene of an open NuScenes.

    topics: [(topic, message type, QoS to record)]. counts: {topic: messages} when no file is missing or damaged.
    start, end: nanoseconds. input_bytes: of the sensor files. output_bytes: estimate of an uncompressed bag, not below
    its size. missing: why a sensor file cannot be read, by sample_data token. skipped: the same of those left out while
    iterating. Raises LircDepthError for a scene that cannot be one bag.
    """

    def __init__(
        self,
        nusc: Any,
        scene: Record,
        selection: Selection = Selection(),  # noqa: B008 - frozen
        skip_missing: bool = False,
    ) -> None:
        self.nusc, self.scene, self.selection, self._skip_missing = nusc, scene, selection, skip_missing
        available = nuscenes.scene_channels(nusc, scene)
        self._channels = selection.channels(available)
        all_records = [record for channel in available for record in nuscenes.channel_records(nusc, scene, channel)]
        records = [
            record
            for record in all_records
            if record["channel"] in self._channels and (record["is_key_frame"] or not selection.key_frames_only)
        ]
        self.records = len(records)
        self.calibration = _calibration(nusc, scene, all_records)
        self._location = nusc.get("log", scene["log_token"])["location"]
        self._poses = _Poses(nusc, all_records)
        self._samples = nuscenes.scene_samples(nusc, scene)
        tokens = (nusc.get("sample_annotation", t)["instance_token"] for s in self._samples for t in s["anns"])
        self._instances = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
        self.missing: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        self.input_bytes, self.bytes_read = 0, 0
        self._events = self._all_events(records)
        self.start = self._events[0].microseconds * NANOSECONDS
        self.end = max(event.microseconds for event in self._events) * NANOSECONDS
        self.counts = Counter(topic for event in self._events for topic in event.topics)
        self.output_bytes = _BAG_OVERHEAD + sum(event.estimated_bytes for event in self._events)
        self.output_bytes += self.counts.total() * (_MESSAGE_OVERHEAD + _SMALL_MESSAGE)
        self.topics = [entry for entry in self._all_topics() if entry[0] in self.counts]

    def _all_events(self, records: list[Record]) -> list[_Event]:
        """Return every event in time order, and at equal times by rank and channel."""
        pose_topics = ("/tf", "/odom", "/fix") if self._location in nuscenes.MAP_ORIGINS else ("/tf", "/odom")
        events = [
            _Event(stamp, _POSE, "", pose_topics, self._pose_messages, index)
            for index, stamp in enumerate(self._poses.stamps)
        ]
        events += self._sensor_events(records)
        if any(sample["anns"] for sample in self._samples):
            events += self._annotation_events()
        events.sort(key=lambda event: event[:3])
        first, last = events[0].microseconds, events[-1].microseconds
        events += self._can_events(first, last)
        events.append(_Event(first, _LATCHED, "", ("/tf_static", "/scene"), self._latched_messages, first))
        return sorted(events, key=lambda event: event[:3])

    def _sensor_events(self, records: list[Record]) -> Iterator[_Event]:
        for record in records:
            channel, modality = record["channel"], record["sensor_modality"]
            names: tuple[str, ...] = ("points",)
            if modality == "camera":
                names = ("camera_info", "image_rect" if self.selection.raw else "image_rect/compressed")
            topics = tuple(f"/{channel}/{name}" for name in names)
            rank, size = _RANK[modality], self._file_bytes(record)
            yield _Event(record["timestamp"], rank, channel, topics, self._file_messages, record, record["token"], size)
        if self.selection.ground_truth:
            yield from self._ground_truth_events()

    def _file_bytes(self, record: Record) -> int:
        """Return how large a sensor file's message is, about; note a file that is missing."""
        path = Path(self.nusc.dataroot, record["filename"])
        reason = nuscenes.why_unreadable(path)
        if reason is not None:
            self.missing[record["token"]] = reason
            return 0
        size = path.stat().st_size
        self.input_bytes += size
        if record["sensor_modality"] == "lidar":
            return size // LIDAR_FILE_POINT_BYTES * LIDAR_POINT.itemsize
        if record["sensor_modality"] == "camera" and self.selection.raw:
            return int(record["width"] * record["height"] * 3)
        return size

    def _ground_truth_events(self) -> Iterator[_Event]:
        for sample in self._samples:
            for channel in self._channels:
                if self._channels[channel] == "camera" and channel in sample["data"] and LIDAR in sample["data"]:
                    record = self.nusc.get("sample_data", sample["data"][channel])
                    yield _Event(
                        record["timestamp"],
                        _GROUND_TRUTH,
                        channel,
                        (f"/{channel}/depth_gt/camera_info", f"/{channel}/depth_gt/image"),
                        self._ground_truth_messages,
                        (sample, record),
                        sample["data"][LIDAR],
                        record["width"] * record["height"] * np.dtype(np.float32).itemsize,
                    )

    def _annotation_events(self) -> Iterator[_Event]:
        for sample in self._samples:
            size = _BOX_BYTES * len(sample["anns"])
            topics = ("/annotations",)
            make = self._annotation_messages
            yield _Event(sample["timestamp"], _ANNOTATIONS, "", topics, make, sample, estimated_bytes=size)

    def _can_events(self, first: int, last: int) -> Iterator[_Event]:
        for kind, topic, make in (
            ("ms_imu", "/imu", self._imu_messages),
            ("pose", "/can/velocity", self._velocity_messages),
        ):
            for message in nuscenes.can_messages(self.nusc.dataroot, self.scene, kind):
                if first <= message["utime"] <= last:
                    yield _Event(message["utime"], _POSE, kind, (topic,), make, message)

    def _all_topics(self) -> Iterator[tuple[str, str, Qos]]:
        """Yield (topic, message type, QoS to record) in the order in which a bag lists them.

        Reliable everywhere: at best effort an image is lost with the first of its many fragments. Fast DDS notices a
        loss at its heartbeat, every 3 s, and resends what the queue still holds: queues are longer than that.
        """
        latched = offered_qos(1, transient_local=True)
        sensor_qos = offered_qos(80)  # 4 s of the lidar's 20 Hz
        pose_qos = offered_qos(800)  # every sensor's time has a pose: some 200 Hz
        yield "/tf_static", "tf2_msgs/msg/TFMessage", latched
        yield "/scene", "std_msgs/msg/String", latched
        yield "/tf", "tf2_msgs/msg/TFMessage", pose_qos
        yield "/odom", "nav_msgs/msg/Odometry", pose_qos
        yield "/fix", "sensor_msgs/msg/NavSatFix", pose_qos
        yield "/imu", "sensor_msgs/msg/Imu", pose_qos
        yield "/can/velocity", "geometry_msgs/msg/TwistStamped", pose_qos
        for channel, modality in self._channels.items():
            if modality == "camera":
                yield f"/{channel}/camera_info", "sensor_msgs/msg/CameraInfo", sensor_qos
                yield f"/{channel}/image_rect/compressed", "sensor_msgs/msg/CompressedImage", sensor_qos
                yield f"/{channel}/image_rect", "sensor_msgs/msg/Image", sensor_qos
                yield f"/{channel}/depth_gt/camera_info", "sensor_msgs/msg/CameraInfo", sensor_qos
                yield f"/{channel}/depth_gt/image", "sensor_msgs/msg/Image", sensor_qos
            else:
                yield f"/{channel}/points", "sensor_msgs/msg/PointCloud2", sensor_qos
        yield "/annotations", "visualization_msgs/msg/MarkerArray", offered_qos(10)

    def check_files(self) -> None:
        """Raise LircDepthError when a sensor file is missing (any, or all of them where missing ones are skipped)."""
        if self.missing and not self._skip_missing:
            more = f", and {len(self.missing) - 1} more" if len(self.missing) > 1 else ""
            raise LircDepthError(f"{next(iter(self.missing.values()))}{more} (--skip-missing leaves them out)")
        if self.records and len(self.missing) == self.records:
            raise LircDepthError(
                f"{self.nusc.dataroot} has none of the {self.records} sensor files of {self.scene['name']}"
            )

    def messages(self, start: int = 0, topics: Collection[str] | None = None) -> Iterator[tuple[str, int, Message]]:
        """Yield (topic, stamp [ns], message) in time order, from ``start`` [ns]; ``topics``: only these (default all).

        A missing or damaged file raises LircDepthError, or is noted in ``skipped`` where that was asked for.
        """
        for event in self._events:
            stamp = event.microseconds * NANOSECONDS
            if stamp < start:
                continue
            try:
                if event.token in self.missing:
                    raise LircDepthError(self.missing[event.token])
                made = event.make(event.source)
            except LircDepthError as error:
                if not self._skip_missing or event.token is None:
                    raise
                self.skipped[event.token] = str(error)
                continue
            for topic, message in made:
                if topics is None or topic in topics:
                    yield topic, stamp, message

    def _latched_messages(self, microseconds: int) -> list[TopicMessage]:
        stamp = microseconds * NANOSECONDS
        frames = [("map", "odom", np.eye(4))]
        frames += [(BASE_FRAME, frame, transform) for frame, transform in self.calibration.base_from_sensor.items()]
        static = building.tf_message(building.transform_stamped(stamp, *frame) for frame in frames)
        text = building.string(f"{self.scene['name']}: {self.scene['description']}")
        return [("/tf_static", static), ("/scene", text)]

    def _pose_messages(self, i: int) -> list[TopicMessage]:
        """Make transform, odometry and position; the frame odom is nuScenes' global frame."""
        stamp, transform = self._poses.stamps[i] * NANOSECONDS, self._poses.transforms[i]
        messages = [
            ("/tf", building.tf_message([building.transform_stamped(stamp, "odom", BASE_FRAME, transform)])),
            (
                "/odom",
                building.odometry(stamp, "odom", BASE_FRAME, transform, self._poses.linear[i], self._poses.angular[i]),
            ),
        ]
        place = nuscenes.geodetic(self._location, transform[:2, 3])
        if place:
            messages.append(("/fix", building.nav_sat_fix(stamp, BASE_FRAME, *place)))
        return messages

    def _imu_messages(self, message: Record) -> list[TopicMessage]:
        """Make an Imu in the frame "imu", which /tf lacks, since the expansion does not say how the IMU is mounted."""
        with _can_errors(message):
            w, x, y, z = message["q"]
            imu = building.imu(
                message["utime"] * NANOSECONDS,
                "imu",
                (x, y, z, w),
                message["rotation_rate"],
                message["linear_accel"],
            )
        return [("/imu", imu)]

    def _velocity_messages(self, message: Record) -> list[TopicMessage]:
        with _can_errors(message):
            stamp = message["utime"] * NANOSECONDS
            twist = building.twist_stamped(stamp, BASE_FRAME, message["vel"], message["rotation_rate"])
        return [("/can/velocity", twist)]

    def _file_messages(self, record: Record) -> list[TopicMessage]:
        """Make the messages of one sensor file. Raises LircDepthError, naming it, when it is damaged."""
        path = Path(self.nusc.dataroot, record["filename"])
        data = nuscenes.read_sensor_file(path)
        self.bytes_read += len(data)
        channel, stamp = record["channel"], record["timestamp"] * NANOSECONDS
        if record["sensor_modality"] == "camera":
            info = self._camera_info(record)
            kind = image_format(data, path)
            if self.selection.raw:
                image = building.image(stamp, channel, decode_image(data, path), "bgr8")
                return [(f"/{channel}/camera_info", info), (f"/{channel}/image_rect", image)]
            image = building.compressed_image(stamp, channel, data, kind)
            return [(f"/{channel}/camera_info", info), (f"/{channel}/image_rect/compressed", image)]
        points = radar.decode_pcd(data, path) if record["sensor_modality"] == "radar" else lidar_points(data, path)
        return [(f"/{channel}/points", building.point_cloud(stamp, channel, points))]

    def _camera_info(self, record: Record) -> Message:
        intrinsics = self.nusc.get("calibrated_sensor", record["calibrated_sensor_token"])["camera_intrinsic"]
        stamp = record["timestamp"] * NANOSECONDS
        return building.camera_info(stamp, record["channel"], intrinsics, record["width"], record["height"])

    def _ground_truth_messages(self, source: tuple[Record, Record]) -> list[TopicMessage]:
        """Draw the key frame's lidar scan (32FC1, metres, NaN where no point falls); the nearest point wins.

        Not 16UC1, which ends at 65.535 m: errors are published to 80 m.
        """
        sample, record = source
        channel = record["channel"]
        pixels, depth = nuscenes.project_channel(self.nusc, sample, LIDAR, channel)
        truth = np.full((record["height"], record["width"]), np.nan, np.float32)
        places, nearest = geometry.nearest_points(pixels, depth, record["width"])
        truth.flat[places] = depth[nearest]
        image = building.image(record["timestamp"] * NANOSECONDS, channel, truth, "32FC1")
        return [(f"/{channel}/depth_gt/camera_info", self._camera_info(record)), (f"/{channel}/depth_gt/image", image)]

    def _annotation_messages(self, sample: Record) -> list[TopicMessage]:
        boxes = []
        for token in sample["anns"]:
            annotation = self.nusc.get("sample_annotation", token)
            instance = annotation["instance_token"]
            number = self._instances[instance]
            try:
                pose = geometry.rigid_transform(annotation["translation"], annotation["rotation"])
            except ValueError as error:
                raise LircDepthError(f"sample_annotation {token}: {error}") from error
            category = annotation["category_name"]
            width, length, height = annotation["size"]
            size = (length, width, height)
            boxes.append(building.Box(category, number, pose, size, _color(category), instance))
        return [("/annotations", building.boxes(sample["timestamp"] * NANOSECONDS, "map", boxes))]


class _Poses:
    """Every ego pose of a scene, one a stamp, with velocities."""

    def __init__(self, nusc: Any, records: list[Record]) -> None:
        found = [nusc.get("ego_pose", token) for token in {record["ego_pose_token"] for record in records}]
        # Sensors that fired in the same microsecond have a pose each; one message a stamp is what tf allows.
        poses = {pose["timestamp"]: pose for pose in sorted(found, key=lambda pose: (pose["timestamp"], pose["token"]))}
        self.stamps = list(poses)
        self.transforms = [nuscenes.global_from_base(pose) for pose in poses.values()]
        # Seconds from the first pose: float64 seconds since 1970 would round to a quarter of a microsecond.
        seconds = (np.array(self.stamps) - self.stamps[0]) / 1e6
        self.linear, self.angular = nuscenes.body_twists(seconds, self.transforms)


@contextmanager
def _can_errors(message: Record) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise LircDepthError(f"CAN bus message at {message['utime']} us is corrupt: {error!r}") from error


def _calibration(nusc: Any, scene: Record, records: list[Record]) -> Calibration:
    """Return the scene's Calibration: a bag has one /tf_static, so every sensor must have stayed where it was."""
    base_from_sensor: dict[str, Any] = {}
    for channel, token in sorted({(record["channel"], record["calibrated_sensor_token"]) for record in records}):
        transform = nuscenes.base_from_sensor(nusc.get("calibrated_sensor", token))
        if not np.array_equal(transform, base_from_sensor.setdefault(channel, transform)):
            raise LircDepthError(f"{scene['name']} has two different calibrations of {channel}; a bag can hold one")
    cameras = {r["channel"]: nusc.get("calibrated_sensor", r["calibrated_sensor_token"]) for r in records}
    return Calibration(
        base_from_sensor,
        {channel: row["camera_intrinsic"] for channel, row in cameras.items() if row["camera_intrinsic"]},
        {r["channel"]: (r["width"], r["height"]) for r in records if r["sensor_modality"] == "camera"},
    )


def _color(category: str) -> tuple[float, float, float]:
    """Return a colour (r, g, b) for a category: always the same, and different for most others."""
    return colorsys.hsv_to_rgb(zlib.crc32(category.encode()) % 360 / 360, 0.9, 1.0)
