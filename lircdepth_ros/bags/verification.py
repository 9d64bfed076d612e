# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every message of a converted bag compared with the nuScenes scene that it came from.

What is expected is read through the devkit and derived here, apart from the converter's code, so that a fault there
shows here: of lircdepth_core.data.nuscenes only what opens tables is used.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from lircdepth_core.data.nuscenes.tables import find_scene
from lircdepth_core.errors import LircDepthError
from lircdepth_core.progress import progress
from lircdepth_ros.bags.comparison import (
    Check,
    Near,
    cloud_fields,
    column,
    compare,
    header_fields,
    image_fields,
    matrix_of,
    pose_fields,
    transform_fields,
    xyz,
)
from lircdepth_ros.bags.derivation import lidar_times, map_origins, twists
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.definitions import Message

Record = dict[str, Any]  # of one of the devkit's tables

_KINDS = {  # the end of a topic's name, and its type
    "image_rect/compressed": "sensor_msgs/msg/CompressedImage",
    "image_rect": "sensor_msgs/msg/Image",
    "camera_info": "sensor_msgs/msg/CameraInfo",
    "points": "sensor_msgs/msg/PointCloud2",
    "depth_gt/image": "sensor_msgs/msg/Image",
    "depth_gt/camera_info": "sensor_msgs/msg/CameraInfo",
}
_SCENE_TOPICS = {
    "/tf_static": "tf2_msgs/msg/TFMessage",
    "/tf": "tf2_msgs/msg/TFMessage",
    "/odom": "nav_msgs/msg/Odometry",
    "/fix": "sensor_msgs/msg/NavSatFix",
    "/scene": "std_msgs/msg/String",
    "/imu": "sensor_msgs/msg/Imu",
    "/can/velocity": "geometry_msgs/msg/TwistStamped",
    "/annotations": "visualization_msgs/msg/MarkerArray",
}
_LIDAR_FIELDS = [("x", 7), ("y", 7), ("z", 7), ("intensity", 7), ("ring", 4), ("time", 7)]


def verify(bag: str | Path, nusc: Any, scene_name: str | None = None) -> dict[str, Any]:
    """Compare a bag with a scene of an open NuScenes; return the result as a dictionary. Raises LircDepthError.

    "differences" lists topic, stamp [ns, log time], field, found and expected (as text) of each.
    """
    with closing(open_bag(bag)) as reader:
        about = reader.storage.metadata.custom or {}
        scene_name = scene_name or about.get("scene")
        if not scene_name:
            raise LircDepthError(f"{bag} does not say which scene it holds: give --scene")
        scene = find_scene(nusc, scene_name)
        types = {connection.topic: connection.msgtype for connection in reader.connections}
        selection, left_out = (json.loads(about.get(key, "{}")) for key in ("selection", "left_out"))
        checker = _Checker(nusc, scene, types, selection, left_out)
        with progress(reader.message_count, "message") as advance:
            for connection, stamp, data in read_messages(reader):
                checker.check(connection.topic, connection.msgtype, stamp, data)
                advance(1)
        checker.finish()
    return {
        "bag": str(bag),
        "scene": scene_name,
        "messages": checker.compared,
        "differences": checker.differences,
        "not_compared": sorted(set(types) - set(checker.types)),
    }


class _Checker:
    """Knows what a scene's bag must hold, and notes what differs."""

    def __init__(
        self,
        nusc: Any,
        scene: Record,
        types: dict[str, str],
        selection: dict[str, Any],
        left_out: dict[str, int],
    ) -> None:
        self.nusc, self.scene, self.left_out = nusc, scene, left_out
        self.differences: list[dict[str, Any]] = []
        self.compared = 0
        self._last = 0
        self._seen: Counter[tuple[str, int]] = Counter()
        samples = {sample["token"]: sample for sample in nusc.sample if sample["scene_token"] == scene["token"]}
        rows = [row for row in nusc.sample_data if row["sample_token"] in samples]
        self.poses: dict[int, list[Record]] = defaultdict(list)
        for row in rows:
            pose = nusc.get("ego_pose", row["ego_pose_token"])
            self.poses[pose["timestamp"] * 1000].append(pose)
        self.start = min(min(self.poses), *(row["timestamp"] * 1000 for row in rows))
        self.mounting = {row["channel"]: nusc.get("calibrated_sensor", row["calibrated_sensor_token"]) for row in rows}
        self.location = nusc.get("log", scene["log_token"])["location"]
        self.samples = sorted(samples.values(), key=lambda sample: sample["timestamp"])
        self.types: dict[str, str] = {}
        self.expected: dict[str, dict[int, Any]] = {}  # what each topic must hold: {log time: record}
        self._expect_sensors(rows, types, selection)
        self._expect_scene(types)
        self._twists: dict[int, Any] | None = None

    def _expect_sensors(self, rows: list[Record], types: dict[str, str], selection: dict[str, Any]) -> None:
        for channel in self.mounting:
            modality = channel.partition("_")[0]
            own = [row for row in rows if row["channel"] == channel]
            if selection.get("key_frames_only"):
                own = [row for row in own if row["is_key_frame"]]
            keys = {row["timestamp"] * 1000: row for row in own if row["is_key_frame"]}
            if modality == "CAM":
                chosen = selection.get("cameras")
                image = "image_rect" if selection.get("raw") else "image_rect/compressed"
                kinds = [image, "camera_info"] + ["depth_gt/image", "depth_gt/camera_info"] * bool(
                    selection.get("ground_truth")
                )
            else:
                chosen, kinds = selection.get("radars") if modality == "RADAR" else None, ["points"]
            asked = bool(selection) and (
                selection["lidar"] if modality == "LIDAR" else chosen is None or channel in chosen
            )
            for kind, msgtype in _KINDS.items():
                topic = f"/{channel}/{kind}"
                # A bag that says what was chosen must hold that; of any other one what it has is compared.
                if topic in types or (asked and kind in kinds):
                    self.types[topic] = msgtype
                    records = keys if kind.startswith("depth_gt") else {row["timestamp"] * 1000: row for row in own}
                    self.expected[topic] = records

    def _expect_scene(self, types: dict[str, str]) -> None:
        stamps = dict(sorted(self.poses.items()))
        end = max(max(stamps), max(max(records) for records in self.expected.values() if records))
        annotated = {s["timestamp"] * 1000: s for s in self.samples} if any(s["anns"] for s in self.samples) else {}
        known = self.location in map_origins()
        expected: dict[str, dict[int, Any]] = {
            "/tf_static": {self.start: None},
            "/scene": {self.start: None},
            "/tf": stamps,
            "/odom": stamps,
            "/fix": stamps if known else {},
            "/imu": self._can("ms_imu", end),
            "/can/velocity": self._can("pose", end),
            "/annotations": annotated,
        }
        for topic, records in expected.items():
            if records or topic in types:
                self.types[topic], self.expected[topic] = _SCENE_TOPICS[topic], records

    def _can(self, kind: str, end: int) -> dict[int, Record]:
        path = Path(self.nusc.dataroot, "can_bus", f"{self.scene['name']}_{kind}.json")
        messages = json.loads(path.read_bytes()) if path.is_file() else []
        return {m["utime"] * 1000: m for m in messages if self.start <= m["utime"] * 1000 <= end}

    def note(self, topic: str, stamp: int, field: str, found: Any, expected: Any) -> None:
        """Take down a difference."""
        entry = {"topic": topic, "stamp": stamp, "field": field, "found": str(found), "expected": str(expected)}
        self.differences.append(entry)

    def check(self, topic: str, msgtype: str, stamp: int, data: bytes) -> None:
        """Compare one message."""
        if stamp < self._last:
            self.note(topic, stamp, "log time", stamp, f"not before {self._last}, the message before it")
        self._last = max(stamp, self._last)
        if topic not in self.types:
            return
        self.compared += 1
        if msgtype != self.types[topic]:
            self.note(topic, stamp, "type", msgtype, self.types[topic])
            return
        if stamp not in self.expected[topic]:
            self.note(topic, stamp, "log time", stamp, "the time of one of the sensor's records")
            return
        self._seen[topic, stamp] += 1
        if self._seen[topic, stamp] > 1:
            self.note(topic, stamp, "count", self._seen[topic, stamp], 1)
            return
        try:
            message = definitions.typestore().deserialize_cdr(data, msgtype)
        except Exception as error:  # rosbags lets a decoder's own errors through
            self.note(topic, stamp, "data", f"not decodable ({error})", msgtype)
            return
        try:
            for field, found, expected in self._differences(topic, message, stamp, self.expected[topic][stamp]):
                self.note(topic, stamp, field, found, expected)
        except Exception as error:  # the devkit on a damaged file raises whatever its parts raise
            self.note(topic, stamp, "comparison", f"not possible ({error!r})", "a readable record of the dataset")

    def finish(self) -> None:
        """Note what was expected and did not come."""
        for topic, records in self.expected.items():
            absent = [stamp for stamp in records if not self._seen[topic, stamp]]
            for stamp in absent[: max(0, len(absent) - self.left_out.get(topic, 0))]:
                self.note(topic, stamp, "count", 0, 1)

    def _differences(self, topic: str, message: Message, stamp: int, record: Any) -> Iterator[tuple[str, str, str]]:
        """Yield (field, found, expected) of each field that differs."""
        _, channel, *rest = topic.split("/", 2)
        kind = rest[0] if rest else ""
        if topic in _SCENE_TOPICS:
            pairs = getattr(self, "_" + topic[1:].replace("/", "_"))(message, stamp, record)
        elif kind.endswith("camera_info"):
            pairs = self._camera_info(message, record)
        elif kind == "points":
            pairs = self._radar(message, record) if channel.startswith("RADAR") else self._lidar(message, record)
        elif kind == "depth_gt/image":
            pairs = self._ground_truth(message, record)
        else:
            pairs = self._image(message, record) if kind == "image_rect" else self._compressed(message, record)
        if topic not in ("/tf_static", "/tf", "/scene", "/annotations"):
            frame = {"/odom": "odom", "/fix": "base_link", "/imu": "imu", "/can/velocity": "base_link"}
            yield from compare(header_fields(message.header, stamp, frame.get(topic, channel)))
        yield from compare(pairs)

    def _path(self, record: Record) -> Path:
        return Path(self.nusc.dataroot, record["filename"])

    def _compressed(self, message: Message, record: Record) -> Iterator[Check]:
        data = self._path(record).read_bytes()
        yield "format", message.format, "png" if data.startswith(b"\x89PNG") else "jpeg"
        yield "data", message.data.tobytes(), data

    def _image(self, message: Message, record: Record) -> Iterator[Check]:
        from PIL import Image

        pixels = np.asarray(Image.open(self._path(record)).convert("RGB"))[..., ::-1]
        yield from image_fields(message, record, "bgr8", record["width"] * 3)
        yield "data", message.data.tobytes(), pixels.tobytes()

    def _camera_info(self, message: Message, record: Record) -> Iterator[Check]:
        k = np.array(self.nusc.get("calibrated_sensor", record["calibrated_sensor_token"])["camera_intrinsic"])
        yield "width, height", (message.width, message.height), (record["width"], record["height"])
        yield "distortion_model", message.distortion_model, "plumb_bob"
        yield "d", message.d, np.zeros(5)
        yield "k", message.k, k.ravel()
        yield "r", message.r, np.eye(3).ravel()
        yield "p", message.p, np.hstack([k, np.zeros((3, 1))]).ravel()
        yield "binning", (message.binning_x, message.binning_y), (0, 0)
        roi = message.roi
        yield "roi", (roi.x_offset, roi.y_offset, roi.height, roi.width, roi.do_rectify), (0, 0, 0, 0, False)

    def _radar(self, message: Message, record: Record) -> Iterator[Check]:
        from nuscenes.utils.data_classes import RadarPointCloud

        path = self._path(record)
        every = {"invalid_states": [*range(18)], "dynprop_states": [*range(8)], "ambig_states": [*range(5)]}
        points = RadarPointCloud.from_file(str(path), **every).points
        header = dict(line.split(" ", 1) for line in path.read_bytes().partition(b"DATA")[0].decode().splitlines()[1:])
        kinds = {("F", "4"): 7, ("I", "1"): 1, ("I", "2"): 3}
        columns = zip(*(header[key].split() for key in ("FIELDS", "TYPE", "SIZE")), strict=True)
        yield from cloud_fields(message, [(name, kinds[kind, size]) for name, kind, size in columns], points.shape[1])
        for name, row in zip(header["FIELDS"].split(), points, strict=True):
            yield name, column(message, name), row.astype(np.float32)

    def _lidar(self, message: Message, record: Record) -> Iterator[Check]:
        scan = np.fromfile(self._path(record), "<f4").reshape(-1, 5)
        yield from cloud_fields(message, _LIDAR_FIELDS, len(scan))
        for i, name in enumerate(("x", "y", "z", "intensity", "ring")):
            yield name, column(message, name), scan[:, i]
        yield "time", column(message, "time"), Near(lidar_times(scan[:, 4]), 1e-6)

    def _ground_truth(self, message: Message, record: Record) -> Iterator[Check]:
        """Check against the devkit's projection in float64, in which the nearest point is drawn last."""
        from nuscenes.utils.geometry_utils import view_points

        sample = self.nusc.get("sample", record["sample_token"])
        lidar = self.nusc.get("sample_data", sample["data"]["LIDAR_TOP"])
        points = np.fromfile(self._path(lidar), "<f4").reshape(-1, 5)[:, :3].astype(float).T
        sensor, camera = (self.nusc.get("calibrated_sensor", r["calibrated_sensor_token"]) for r in (lidar, record))
        there, here = (self.nusc.get("ego_pose", r["ego_pose_token"]) for r in (lidar, record))
        inverse = [np.linalg.inv(matrix_of(row)) for row in (camera, here)]
        points = (
            inverse[0]
            @ inverse[1]
            @ matrix_of(there)
            @ matrix_of(sensor)
            @ np.vstack([points, np.ones(points.shape[1])])
        )[:3]
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = view_points(points, np.array(camera["camera_intrinsic"]), normalize=True)[:2]
        z = points[2]
        seen = (z > 1) & (u > 1) & (u < record["width"] - 1) & (v > 1) & (v < record["height"] - 1)
        expected = np.full((record["height"], record["width"]), np.nan)
        order = np.argsort(-z[seen], kind="stable")
        expected[np.rint(v[seen][order]).astype(int), np.rint(u[seen][order]).astype(int)] = z[seen][order]
        yield from image_fields(message, record, "32FC1", record["width"] * 4)
        if len(message.data) != expected.size * 4:
            return
        found = message.data.view("<f4").astype(float).reshape(expected.shape)
        yield "pixels with depth", int(np.isfinite(found).sum()), int(np.isfinite(expected).sum())
        # A millimetre: the order of float64 products is not the same.
        wrong = ~(np.abs(found - expected) <= 1e-3) & ~(np.isnan(found) & np.isnan(expected))
        yield "data (pixels wrong by more than 1 mm)", int(wrong.sum()), 0

    def _tf(self, message: Message, stamp: int, poses: list[Record]) -> Iterator[Check]:
        yield "transforms", len(message.transforms), 1
        for transform in message.transforms:
            yield from transform_fields(transform, stamp, "odom", "base_link", poses)

    def _tf_static(self, message: Message, _stamp: int, _record: None) -> Iterator[Check]:
        found = {t.child_frame_id: t for t in message.transforms}
        yield "frames", sorted(found), sorted(["odom", *self.mounting])
        identity = {"translation": [0, 0, 0], "rotation": [1, 0, 0, 0]}
        for frame, row in {"odom": identity, **self.mounting}.items():
            parent = "map" if frame == "odom" else "base_link"
            if frame in found:
                yield from transform_fields(found[frame], self.start, parent, frame, [row])

    def _odom(self, message: Message, stamp: int, poses: list[Record]) -> Iterator[Check]:
        yield "child_frame_id", message.child_frame_id, "base_link"
        yield from pose_fields(message.pose.pose, poses)
        if self._twists is None:
            self._twists = twists({t: max(rows, key=lambda row: row["token"]) for t, rows in self.poses.items()})
        linear, angular = self._twists[stamp]
        yield "twist.linear", xyz(message.twist.twist.linear), Near(linear, 1e-6)
        yield "twist.angular", xyz(message.twist.twist.angular), Near(angular, 1e-6)
        unknown = np.array([-1.0] + [0.0] * 35)
        yield "pose.covariance", message.pose.covariance, unknown
        yield "twist.covariance", message.twist.covariance, unknown

    def _fix(self, message: Message, _stamp: int, poses: list[Record]) -> Iterator[Check]:
        from nuscenes.scripts.export_poses import derive_latlon

        places = derive_latlon(self.location, poses)
        found = np.array([message.latitude, message.longitude])
        nearest = min(places, key=lambda p: abs(p["latitude"] - found[0]) + abs(p["longitude"] - found[1]))
        yield "latitude, longitude", found, Near([nearest["latitude"], nearest["longitude"]], 1e-9)
        yield "altitude", message.altitude, float("nan")
        yield "status", (message.status.status, message.status.service, message.position_covariance_type), (0, 1, 0)

    def _scene(self, message: Message, _stamp: int, _record: None) -> Iterator[Check]:
        yield "data", message.data, f"{self.scene['name']}: {self.scene['description']}"

    def _imu(self, message: Message, _stamp: int, record: Record) -> Iterator[Check]:
        q = message.orientation
        yield "orientation", np.array([q.w, q.x, q.y, q.z]), np.array(record["q"], float)
        yield "angular_velocity", xyz(message.angular_velocity), np.array(record["rotation_rate"], float)
        yield "linear_acceleration", xyz(message.linear_acceleration), np.array(record["linear_accel"], float)

    def _can_velocity(self, message: Message, _stamp: int, record: Record) -> Iterator[Check]:
        yield "twist.linear", xyz(message.twist.linear), np.array(record["vel"], float)
        yield "twist.angular", xyz(message.twist.angular), np.array(record["rotation_rate"], float)

    def _annotations(self, message: Message, stamp: int, sample: Record) -> Iterator[Check]:
        rows = {token: self.nusc.get("sample_annotation", token) for token in sample["anns"]}
        expected = {row["instance_token"]: row for row in rows.values()}
        first, *markers = message.markers or [None]
        yield "markers[0].action", getattr(first, "action", None), 3
        yield "instances", sorted(marker.text for marker in markers), sorted(expected)
        yield "different ids", len({(m.ns, m.id) for m in markers}), len(markers)
        for marker in markers:
            if row := expected.get(marker.text):
                yield from header_fields(marker.header, stamp, "map")
                yield "ns, type, action", (marker.ns, marker.type, marker.action), (row["category_name"], 1, 0)
                width, length, height = row["size"]
                yield "scale", xyz(marker.scale), np.array([length, width, height])
                yield from pose_fields(marker.pose, [row])
