# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One nuScenes scene as ROS 2 messages, in time order: what the converter writes and what replay publishes.

Every message is made when its turn comes, so memory does not grow with a scene's length. Stamps are the sensors' own,
to the microsecond. At equal times what is latched comes first, then transforms and odometry, camera_info and image,
radar, lidar, ground truth, annotations.
"""

import io
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lircdepth_core import geometry, radar
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_ros.bags.writing import offered_qos
from lircdepth_ros.messages import building

LIDAR = "LIDAR_TOP"
NANOSECONDS = 1000  # per nuScenes' microsecond
# ROS lidar drivers give the ring as a 16-bit integer and the time as seconds, and readers rely on it.
_LIDAR_POINT = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4"), ("ring", "<u2"), ("time", "<f4")]
)
_MESSAGE_OVERHEAD = 250  # bytes a message: its header, the bag's record and index
_SMALL_MESSAGE = 750  # bytes, at most: odometry with its covariances


@dataclass(frozen=True)
class Selection:
    """What of a scene becomes messages.

    cameras, radars: channel names, None for all. raw: images decoded (bgr8) instead of the original files.
    ground_truth: the lidar's key frames projected into each camera (16UC1, millimetres).
    """

    cameras: tuple[str, ...] | None = None
    radars: tuple[str, ...] | None = None
    lidar: bool = True
    key_frames_only: bool = False
    raw: bool = False
    ground_truth: bool = False

    def channels(self, available):
        """Return {channel: modality} of what is chosen from ``available``. Raises LircDepthError for unknown names."""
        for modality, names in (("camera", self.cameras), ("radar", self.radars)):
            known = [channel for channel in available if available[channel] == modality]
            for name in names or ():
                if name not in known:
                    raise LircDepthError(f"no {modality} {name!r}; there are {', '.join(known) or 'none'}")
        wanted = {"camera": self.cameras, "radar": self.radars, "lidar": None if self.lidar else ()}
        return {
            channel: modality
            for channel, modality in available.items()
            if wanted[modality] is None or channel in wanted[modality]
        }


class SceneMessages:
    """The messages of one scene of an open NuScenes.

    topics: [(topic, message type, QoS to record)]. counts: {topic: messages} when no file is missing or damaged.
    start, end: nanoseconds. input_bytes: of the sensor files. output_bytes: estimate of an uncompressed bag, not below
    its size. missing: why a sensor file cannot be read, by sample_data token. skipped: the same of those left out while
    iterating. Raises LircDepthError for a scene that cannot be one bag.
    """

    def __init__(self, nusc, scene, selection=Selection(), skip_missing=False):
        self.nusc, self.scene, self.selection, self._skip_missing = nusc, scene, selection, skip_missing
        available = nuscenes.scene_channels(nusc, scene)
        self._channels = selection.channels(available)
        all_records = [record for channel in available for record in nuscenes.channel_records(nusc, scene, channel)]
        records = [
            record
            for record in all_records
            if record["channel"] in self._channels and (record["is_key_frame"] or not selection.key_frames_only)
        ]
        self.calibration = _calibration(nusc, scene, all_records)
        self._location = nusc.get("log", scene["log_token"])["location"]
        self._poses = _Poses(nusc, all_records)
        self._samples = nuscenes.scene_samples(nusc, scene)
        tokens = (nusc.get("sample_annotation", t)["instance_token"] for s in self._samples for t in s["anns"])
        self._instances = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
        # (microseconds, rank at equal times, channel, how to make the messages, from what, the file's token or None)
        self._events = [(stamp, 1, "", self._pose_messages, i, None) for i, stamp in enumerate(self._poses.stamps)]
        self._events += self._sensor_events(records)
        if any(sample["anns"] for sample in self._samples):
            self._events += [(s["timestamp"], 6, "", self._annotation_messages, s, None) for s in self._samples]
        self._events.sort(key=lambda event: event[:3])
        first, last = self._events[0][0], self._events[-1][0]
        self._events += self._can_events(first, last)
        self._events.append((first, 0, "", self._latched_messages, first, None))
        self._events.sort(key=lambda event: event[:3])
        self.start, self.end = first * NANOSECONDS, last * NANOSECONDS
        self._plan(records)
        self.skipped = {}
        self.bytes_read = 0

    def _sensor_events(self, records):
        rank = {"camera": 2, "radar": 3, "lidar": 4}
        for record in records:
            modality = record["sensor_modality"]
            yield record["timestamp"], rank[modality], record["channel"], self._file_messages, record, record["token"]
        if self.selection.ground_truth:
            for sample in self._samples:
                for channel in self._channels:
                    if self._channels[channel] == "camera" and channel in sample["data"] and LIDAR in sample["data"]:
                        record = self.nusc.get("sample_data", sample["data"][channel])
                        lidar = sample["data"][LIDAR]
                        yield record["timestamp"], 5, channel, self._ground_truth_messages, (sample, record), lidar

    def _can_events(self, first, last):
        for kind, make in (("ms_imu", self._imu_messages), ("pose", self._velocity_messages)):
            for message in nuscenes.can_messages(self.nusc.dataroot, self.scene, kind):
                if first <= message["utime"] <= last:
                    yield message["utime"], 1, kind, make, message, None

    def _plan(self, records):
        """Count messages and bytes, and find what files are missing."""
        self.missing, self.input_bytes, self.output_bytes = {}, 0, 64_000  # message definitions, index
        selection, sizes = self.selection, {}
        for record in records:
            path = Path(self.nusc.dataroot, record["filename"])
            try:
                size = sizes[record["token"]] = path.stat().st_size
            except FileNotFoundError:
                self.missing[record["token"]] = f"{path} is missing"
                continue
            self.input_bytes += size
            if record["sensor_modality"] == "lidar":
                size = size // 20 * _LIDAR_POINT.itemsize
            elif selection.raw and record["sensor_modality"] == "camera":
                size = record["width"] * record["height"] * 3
            self.output_bytes += size
        self.counts = Counter()
        image = "image_rect" if selection.raw else "image_rect/compressed"
        for _, _, channel, make, source, _ in self._events:
            if make == self._file_messages:
                names = ("camera_info", image) if source["sensor_modality"] == "camera" else ("points",)
            elif make == self._ground_truth_messages:
                self.output_bytes += source[1]["width"] * source[1]["height"] * 2
                names = ("depth_gt/camera_info", "depth_gt/image")
            elif make == self._annotation_messages:
                self.output_bytes += 500 * len(source["anns"])
                names = ("annotations",)
            elif make == self._pose_messages:
                names = ("tf", "odom", "fix") if self._location in nuscenes.MAP_ORIGINS else ("tf", "odom")
            else:
                names = {"ms_imu": ("imu",), "pose": ("can/velocity",), "": ("tf_static", "scene")}[channel]
            prefix = f"/{channel}/" if make in (self._file_messages, self._ground_truth_messages) else "/"
            self.counts.update(prefix + name for name in names)
        self.output_bytes += self.counts.total() * (_MESSAGE_OVERHEAD + _SMALL_MESSAGE)
        self.topics = [entry for entry in self._all_topics() if entry[0] in self.counts]
        self.records = len(records)

    def _all_topics(self):
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

    def check_files(self):
        """Raise LircDepthError when a sensor file is missing (any, or all of them where missing ones are skipped)."""
        if self.missing and not self._skip_missing:
            more = f", and {len(self.missing) - 1} more" if len(self.missing) > 1 else ""
            raise LircDepthError(f"{next(iter(self.missing.values()))}{more} (--skip-missing leaves them out)")
        if self.records and len(self.missing) == self.records:
            raise LircDepthError(
                f"{self.nusc.dataroot} has none of the {self.records} sensor files of {self.scene['name']}"
            )

    def messages(self, start=0, topics=None):
        """Yield (topic, stamp [ns], message) in time order, from ``start`` [ns]; ``topics``: only these (default all).

        A missing or damaged file raises LircDepthError, or is noted in ``skipped`` where that was asked for.
        """
        for microseconds, _, _, make, source, token in self._events:
            if microseconds * NANOSECONDS < start:
                continue
            try:
                if token in self.missing:
                    raise LircDepthError(self.missing[token])
                made = make(source)
            except LircDepthError as error:
                if not self._skip_missing:
                    raise
                self.skipped[token] = str(error)
                continue
            for topic, message in made:
                if topics is None or topic in topics:
                    yield topic, microseconds * NANOSECONDS, message

    def _latched_messages(self, microseconds):
        stamp = microseconds * NANOSECONDS
        frames = [("map", "odom", np.eye(4))]
        frames += [(BASE_FRAME, frame, transform) for frame, transform in self.calibration.base_from_sensor.items()]
        static = building.tf_message(building.transform_stamped(stamp, *frame) for frame in frames)
        text = building.string(f"{self.scene['name']}: {self.scene['description']}")
        return [("/tf_static", static), ("/scene", text)]

    def _pose_messages(self, i):
        """odom is nuScenes' global frame."""
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

    def _imu_messages(self, message):
        """In a frame of its own that /tf does not have: the expansion does not say how the IMU is mounted."""
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

    def _velocity_messages(self, message):
        with _can_errors(message):
            stamp = message["utime"] * NANOSECONDS
            twist = building.twist_stamped(stamp, BASE_FRAME, message["vel"], message["rotation_rate"])
        return [("/can/velocity", twist)]

    def _file_messages(self, record):
        """The messages of one sensor file. Raises LircDepthError, naming it, when it is damaged."""
        path = Path(self.nusc.dataroot, record["filename"])
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise LircDepthError(f"{path} is missing") from None
        self.bytes_read += len(data)
        channel, stamp = record["channel"], record["timestamp"] * NANOSECONDS
        if record["sensor_modality"] == "camera":
            info = self._camera_info(record)
            kind = _image_format(data, path)
            if self.selection.raw:
                image = building.image(stamp, channel, _decode(data, path), "bgr8")
                return [(f"/{channel}/camera_info", info), (f"/{channel}/image_rect", image)]
            image = building.compressed_image(stamp, channel, data, kind)
            return [(f"/{channel}/camera_info", info), (f"/{channel}/image_rect/compressed", image)]
        points = radar.decode_pcd(data, path) if record["sensor_modality"] == "radar" else _lidar_points(data, path)
        return [(f"/{channel}/points", building.point_cloud(stamp, channel, points))]

    def _camera_info(self, record):
        intrinsics = self.nusc.get("calibrated_sensor", record["calibrated_sensor_token"])["camera_intrinsic"]
        stamp = record["timestamp"] * NANOSECONDS
        return building.camera_info(stamp, record["channel"], intrinsics, record["width"], record["height"])

    def _ground_truth_messages(self, source):
        """The key frame's lidar scan in the image (16UC1, millimetres, 0 where no point falls); the nearest wins."""
        sample, record = source
        channel = record["channel"]
        pixels, depth = nuscenes.project_channel(self.nusc, sample, LIDAR, channel)
        millimetres = np.zeros((record["height"], record["width"]), np.uint16)
        fits = depth <= 65.535
        pixels, depth = pixels[fits], depth[fits]
        places, nearest = geometry.nearest_points(pixels, depth, record["width"])
        millimetres.flat[places] = np.rint(depth[nearest] * 1000)
        image = building.image(record["timestamp"] * NANOSECONDS, channel, millimetres, "16UC1")
        return [(f"/{channel}/depth_gt/camera_info", self._camera_info(record)), (f"/{channel}/depth_gt/image", image)]

    def _annotation_messages(self, sample):
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

    def __init__(self, nusc, records):
        poses = [nusc.get("ego_pose", token) for token in {record["ego_pose_token"] for record in records}]
        # Sensors that fired in the same microsecond have a pose each; one message a stamp is what tf allows.
        poses = {pose["timestamp"]: pose for pose in sorted(poses, key=lambda pose: (pose["timestamp"], pose["token"]))}
        self.stamps = list(poses)
        self.transforms = [nuscenes.global_from_base(pose) for pose in poses.values()]
        # Seconds from the first pose: float64 seconds since 1970 would round to a quarter of a microsecond.
        seconds = (np.array(self.stamps) - self.stamps[0]) / 1e6
        self.linear, self.angular = nuscenes.body_twists(seconds, self.transforms)


@contextmanager
def _can_errors(message):
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise LircDepthError(f"CAN bus message at {message['utime']} us is corrupt: {error!r}") from error


def _calibration(nusc, scene, records):
    """Return the scene's Calibration: a bag has one /tf_static, so every sensor must have stayed where it was."""
    base_from_sensor = {}
    for channel, token in sorted({(record["channel"], record["calibrated_sensor_token"]) for record in records}):
        transform = nuscenes.base_from_sensor(nusc.get("calibrated_sensor", token))
        if not np.array_equal(transform, base_from_sensor.setdefault(channel, transform)):
            raise LircDepthError(f"{scene['name']} has two different calibrations of {channel}; a bag can hold one")
    cameras = {r["channel"]: nusc.get("calibrated_sensor", r["calibrated_sensor_token"]) for r in records}
    return Calibration(
        base_from_sensor,
        {channel: row["camera_intrinsic"] for channel, row in cameras.items() if row["camera_intrinsic"]},
    )


def _color(category):
    """A colour (r, g, b) for a category: another for another, and always the same."""
    import colorsys

    return colorsys.hsv_to_rgb(zlib.crc32(category.encode()) % 360 / 360, 0.9, 1.0)


def _image_format(data, path):
    if data.startswith(b"\xff\xd8") and data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xaeB`\x82"):
        return "png"
    raise LircDepthError(f"{path}: truncated, or neither JPEG nor PNG")


def _decode(data, path):
    """Return an image file as uint8 [H, W, 3], BGR: what camera drivers publish."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])
    except (OSError, SyntaxError, ValueError) as error:
        raise LircDepthError(f"{path} is not a whole JPEG or PNG: {error}") from error


def _lidar_points(data, path):
    scan = nuscenes.decode_lidar(data, path)
    points = np.empty(len(scan), _LIDAR_POINT)
    for i, name in enumerate(("x", "y", "z", "intensity")):
        points[name] = scan[:, i]
    with np.errstate(invalid="ignore"):
        points["ring"] = scan[:, 4]
    if not np.array_equal(points["ring"], scan[:, 4]):
        raise LircDepthError(f"{path}: a ring number is not a whole number from 0 to 65535")
    points["time"] = nuscenes.lidar_point_times(points["ring"])
    return points
