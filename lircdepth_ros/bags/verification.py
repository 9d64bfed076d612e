# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth verify-bag`: compare every message of a converted bag with the nuScenes scene it came from.

What is expected is read through the devkit, apart from the converter's code, so that a fault there shows here.
"""

import json
import math
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import numpy as np

from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.stamps import stamp_to_ns

_SHOWN = 20
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
_POINT_DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 8: "<f8"}
_LIDAR_FIELDS = [("x", 7), ("y", 7), ("z", 7), ("intensity", 7), ("ring", 4), ("time", 7)]


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("bag", metavar="BAG", help="bag that nuscenes-to-bag wrote, or a copy or recording of one")
    parser.add_argument("--dataroot", required=True, help="nuScenes folder that it came from")
    parser.add_argument("--version", default="v1.0-mini", help="which tables (default: %(default)s)")
    parser.add_argument("--scene", help="default: the one that the bag names")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments):
    """Compare, and print each difference; return 0 when there is none, else 1. Raises LircDepthError."""
    nusc = nuscenes.open_nuscenes(arguments.dataroot, arguments.version)
    result = verify(arguments.bag, nusc, arguments.scene)
    differences = result["differences"]
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        for difference in differences[:_SHOWN]:
            print("{topic} at {stamp}: {field} is {found}, expected {expected}".format(**difference))
        if len(differences) > _SHOWN:
            print(f"... and {len(differences) - _SHOWN} more")
        print(
            f"{arguments.bag}: {result['messages']} messages compared with {result['scene']}, "
            f"{len(differences)} differences"
            + (f"; not from nuScenes: {', '.join(result['not_compared'])}" if result["not_compared"] else "")
        )
    return 1 if differences else 0


def verify(bag, nusc, scene_name=None):
    """Compare a bag with a scene of an open NuScenes; return the result as a dictionary. Raises LircDepthError.

    "differences" lists topic, stamp [ns, log time], field, found and expected (as text) of each.
    """
    from tqdm import tqdm

    with closing(open_bag(bag)) as reader:
        about = reader.storage.metadata.custom or {}
        scene_name = scene_name or about.get("scene")
        if not scene_name:
            raise LircDepthError(f"{bag} does not say which scene it holds: give --scene")
        scene = nuscenes.find_scene(nusc, scene_name)
        types = {connection.topic: connection.msgtype for connection in reader.connections}
        checker = _Checker(nusc, scene, types, json.loads(about.get("selection", "{}")))
        checker.left_out = json.loads(about.get("left_out", "{}"))
        bar = tqdm(total=reader.message_count, desc="verify", unit=" messages", disable=None)
        with bar:
            for connection, stamp, data in read_messages(reader):
                checker.check(connection.topic, connection.msgtype, stamp, data)
                bar.update()
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

    def __init__(self, nusc, scene, types, selection):
        self.nusc, self.scene = nusc, scene
        self.differences, self.compared = [], 0
        self._last, self._seen = 0, Counter()
        samples = {sample["token"]: sample for sample in nusc.sample if sample["scene_token"] == scene["token"]}
        rows = [row for row in nusc.sample_data if row["sample_token"] in samples]
        self.poses = defaultdict(list)
        for row in rows:
            pose = nusc.get("ego_pose", row["ego_pose_token"])
            self.poses[pose["timestamp"] * 1000].append(pose)
        self.start = min(min(self.poses), *(row["timestamp"] * 1000 for row in rows))
        self.mounting = {row["channel"]: nusc.get("calibrated_sensor", row["calibrated_sensor_token"]) for row in rows}
        self.location = nusc.get("log", scene["log_token"])["location"]
        self.samples = sorted(samples.values(), key=lambda sample: sample["timestamp"])
        self.types, self.expected = {}, {}
        self._expect_sensors(rows, types, selection)
        self._expect_scene(types)
        self._twists = None

    def _expect_sensors(self, rows, types, selection):
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

    def _expect_scene(self, types):
        stamps = dict(sorted(self.poses.items()))
        end = max(max(stamps), max(max(records) for records in self.expected.values() if records))
        annotated = {s["timestamp"] * 1000: s for s in self.samples} if any(s["anns"] for s in self.samples) else {}
        known = self.location in nuscenes.MAP_ORIGINS
        expected = {
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

    def _can(self, kind, end):
        path = Path(self.nusc.dataroot, "can_bus", f"{self.scene['name']}_{kind}.json")
        messages = json.loads(path.read_bytes()) if path.is_file() else []
        return {m["utime"] * 1000: m for m in messages if self.start <= m["utime"] * 1000 <= end}

    def note(self, topic, stamp, field, found, expected):
        entry = {"topic": topic, "stamp": stamp, "field": field, "found": str(found), "expected": str(expected)}
        self.differences.append(entry)

    def check(self, topic, msgtype, stamp, data):
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

    def finish(self):
        """Note what was expected and did not come."""
        for topic, records in self.expected.items():
            absent = [stamp for stamp in records if not self._seen[topic, stamp]]
            for stamp in absent[: max(0, len(absent) - self.left_out.get(topic, 0))]:
                self.note(topic, stamp, "count", 0, 1)

    def _differences(self, topic, message, stamp, record):
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
            yield from _compare(_header(message.header, stamp, frame.get(topic, channel)))
        yield from _compare(pairs)

    def _path(self, record):
        return Path(self.nusc.dataroot, record["filename"])

    def _compressed(self, message, record):
        data = self._path(record).read_bytes()
        yield "format", message.format, "png" if data.startswith(b"\x89PNG") else "jpeg"
        yield "data", message.data.tobytes(), data

    def _image(self, message, record):
        from PIL import Image

        pixels = np.asarray(Image.open(self._path(record)).convert("RGB"))[..., ::-1]
        yield from _image_fields(message, record, "bgr8", record["width"] * 3)
        yield "data", message.data.tobytes(), pixels.tobytes()

    def _camera_info(self, message, record):
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

    def _radar(self, message, record):
        from nuscenes.utils.data_classes import RadarPointCloud

        path = self._path(record)
        every = {"invalid_states": [*range(18)], "dynprop_states": [*range(8)], "ambig_states": [*range(5)]}
        points = RadarPointCloud.from_file(str(path), **every).points
        header = dict(line.split(" ", 1) for line in path.read_bytes().partition(b"DATA")[0].decode().splitlines()[1:])
        kinds = {("F", "4"): 7, ("I", "1"): 1, ("I", "2"): 3}
        columns = zip(*(header[key].split() for key in ("FIELDS", "TYPE", "SIZE")), strict=True)
        yield from _cloud_fields(message, [(name, kinds[kind, size]) for name, kind, size in columns], points.shape[1])
        for name, row in zip(header["FIELDS"].split(), points, strict=True):
            yield name, _column(message, name), row.astype(np.float32)

    def _lidar(self, message, record):
        scan = np.fromfile(self._path(record), "<f4").reshape(-1, 5)
        yield from _cloud_fields(message, _LIDAR_FIELDS, len(scan))
        for i, name in enumerate(("x", "y", "z", "intensity", "ring")):
            yield name, _column(message, name), scan[:, i]
        yield "time", _column(message, "time"), _Near(nuscenes.lidar_point_times(scan[:, 4]), 1e-6)

    def _ground_truth(self, message, record):
        """In float64, matrix by matrix, nearest point last."""
        from nuscenes.utils.geometry_utils import view_points

        sample = self.nusc.get("sample", record["sample_token"])
        lidar = self.nusc.get("sample_data", sample["data"]["LIDAR_TOP"])
        points = np.fromfile(self._path(lidar), "<f4").reshape(-1, 5)[:, :3].astype(float).T
        sensor, camera = (self.nusc.get("calibrated_sensor", r["calibrated_sensor_token"]) for r in (lidar, record))
        there, here = (self.nusc.get("ego_pose", r["ego_pose_token"]) for r in (lidar, record))
        inverse = [np.linalg.inv(_matrix(row)) for row in (camera, here)]
        points = (
            inverse[0] @ inverse[1] @ _matrix(there) @ _matrix(sensor) @ np.vstack([points, np.ones(points.shape[1])])
        )[:3]
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = view_points(points, np.array(camera["camera_intrinsic"]), normalize=True)[:2]
        z = points[2]
        seen = (z > 1) & (z <= 65.535) & (u > 1) & (u < record["width"] - 1) & (v > 1) & (v < record["height"] - 1)
        expected = np.zeros((record["height"], record["width"]), np.int64)
        order = np.argsort(-z[seen], kind="stable")
        expected[np.rint(v[seen][order]).astype(int), np.rint(u[seen][order]).astype(int)] = np.rint(
            1000 * z[seen][order]
        )
        yield from _image_fields(message, record, "16UC1", record["width"] * 2)
        found = message.data.view("<u2").astype(np.int64)
        # A millimetre: the order of float64 products is not the same.
        worst = np.abs(found - expected.ravel()).max() if found.size == expected.size else math.inf
        yield "data (largest error above 1 mm)", max(worst - 1, 0), 0

    def _tf(self, message, stamp, poses):
        yield "transforms", len(message.transforms), 1
        for transform in message.transforms:
            yield from _transform(transform, stamp, "odom", "base_link", poses)

    def _tf_static(self, message, _, __):
        found = {t.child_frame_id: t for t in message.transforms}
        yield "frames", sorted(found), sorted(["odom", *self.mounting])
        identity = {"translation": [0, 0, 0], "rotation": [1, 0, 0, 0]}
        for frame, row in {"odom": identity, **self.mounting}.items():
            parent = "map" if frame == "odom" else "base_link"
            if frame in found:
                yield from _transform(found[frame], self.start, parent, frame, [row])

    def _odom(self, message, stamp, poses):
        yield "child_frame_id", message.child_frame_id, "base_link"
        yield from _pose(message.pose.pose, poses)
        if self._twists is None:
            ordered = sorted(self.poses.items())
            transforms = [_matrix(max(rows, key=lambda row: row["token"])) for _, rows in ordered]
            stamps = np.array([pose_stamp for pose_stamp, _ in ordered])
            twists = zip(*nuscenes.body_twists((stamps - stamps[0]) / 1e9, transforms), strict=True)
            self._twists = dict(zip(stamps.tolist(), twists, strict=True))
        linear, angular = self._twists[stamp]
        yield "twist.linear", _xyz(message.twist.twist.linear), _Near(linear, 1e-6)
        yield "twist.angular", _xyz(message.twist.twist.angular), _Near(angular, 1e-6)

    def _fix(self, message, _, poses):
        from nuscenes.scripts.export_poses import derive_latlon

        places = derive_latlon(self.location, poses)
        found = np.array([message.latitude, message.longitude])
        nearest = min(places, key=lambda p: abs(p["latitude"] - found[0]) + abs(p["longitude"] - found[1]))
        yield "latitude, longitude", found, _Near([nearest["latitude"], nearest["longitude"]], 1e-9)
        yield "altitude", message.altitude, float("nan")
        yield "status", (message.status.status, message.status.service, message.position_covariance_type), (0, 1, 0)

    def _scene(self, message, _, __):
        yield "data", message.data, f"{self.scene['name']}: {self.scene['description']}"

    def _imu(self, message, _, record):
        q = message.orientation
        yield "orientation", np.array([q.w, q.x, q.y, q.z]), np.array(record["q"], float)
        yield "angular_velocity", _xyz(message.angular_velocity), np.array(record["rotation_rate"], float)
        yield "linear_acceleration", _xyz(message.linear_acceleration), np.array(record["linear_accel"], float)

    def _can_velocity(self, message, _, record):
        yield "twist.linear", _xyz(message.twist.linear), np.array(record["vel"], float)
        yield "twist.angular", _xyz(message.twist.angular), np.array(record["rotation_rate"], float)

    def _annotations(self, message, stamp, sample):
        rows = {token: self.nusc.get("sample_annotation", token) for token in sample["anns"]}
        expected = {row["instance_token"]: row for row in rows.values()}
        first, *markers = message.markers or [None]
        yield "markers[0].action", getattr(first, "action", None), 3
        yield "instances", sorted(marker.text for marker in markers), sorted(expected)
        yield "different ids", len({(m.ns, m.id) for m in markers}), len(markers)
        for marker in markers:
            if row := expected.get(marker.text):
                yield from _header(marker.header, stamp, "map")
                yield "ns, type, action", (marker.ns, marker.type, marker.action), (row["category_name"], 1, 0)
                width, length, height = row["size"]
                yield "scale", _xyz(marker.scale), np.array([length, width, height])
                yield from _pose(marker.pose, [row])


class _Near:
    """Values that are compared to a tolerance."""

    def __init__(self, values, tolerance):
        self.values, self.tolerance = np.asarray(values), tolerance

    def __str__(self):
        return f"{self.values} within {self.tolerance}"


def _compare(pairs):
    for field, found, expected in pairs:
        if isinstance(expected, _Near):
            found = np.asarray(found)
            same = found.shape == expected.values.shape and np.allclose(
                found, expected.values, rtol=0, atol=expected.tolerance
            )
        elif isinstance(expected, np.ndarray):
            same = np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")
        else:
            same = found == expected or (found != found and expected != expected)
        if not same:
            yield field, _brief(found), _brief(expected)


def _brief(value):
    if isinstance(value, bytes):
        return f"{len(value)} other bytes"
    text = " ".join(str(value).split())
    return text if len(text) <= 120 else text[:117] + "..."


def _header(header, stamp, frame):
    yield "header.stamp", stamp_to_ns(header.stamp), stamp
    yield "header.frame_id", header.frame_id, frame


def _image_fields(message, record, encoding, step):
    yield "width, height", (message.width, message.height), (record["width"], record["height"])
    yield "encoding, step, is_bigendian", (message.encoding, message.step, message.is_bigendian), (encoding, step, 0)


def _cloud_fields(message, fields, count):
    offsets = np.cumsum([0] + [np.dtype(_POINT_DTYPES[kind]).itemsize for _, kind in fields]).tolist()
    found = [(f.name, f.datatype, f.offset, f.count) for f in message.fields]
    yield "fields", found, [(*field, offset, 1) for field, offset in zip(fields, offsets, strict=False)]
    step = offsets[-1]
    layout = (message.height, message.width, message.point_step, message.row_step, bool(message.is_bigendian))
    yield "height, width, point_step, row_step, is_bigendian", layout, (1, count, step, step * count, False)
    yield "len(data)", len(message.data), step * count


def _column(message, name):
    """One field's values; an empty array where the message does not have them."""
    field = next((f for f in message.fields if f.name == name), None)
    if field is None or field.datatype not in _POINT_DTYPES or len(message.data) != message.point_step * message.width:
        return np.zeros(0)
    dtype = np.dtype(
        {
            "names": ["v"],
            "formats": [_POINT_DTYPES[field.datatype]],
            "offsets": [field.offset],
            "itemsize": message.point_step,
        }
    )
    return message.data.view(dtype)["v"]


def _matrix(row):
    from nuscenes.utils.geometry_utils import transform_matrix
    from pyquaternion import Quaternion

    return transform_matrix(row["translation"], Quaternion(row["rotation"]))


def _xyz(message):
    return np.array([message.x, message.y, message.z])


def _transform(transform, stamp, parent, child, rows):
    yield from _header(transform.header, stamp, parent)
    yield "child_frame_id", transform.child_frame_id, child
    yield from _rigid(transform.transform.translation, transform.transform.rotation, rows)


def _pose(pose, rows):
    yield from _rigid(pose.position, pose.orientation, rows)


def _rigid(position, rotation, rows):
    """Several records may share a stamp: the message must be one of them."""
    position = _xyz(position)
    row = min(rows, key=lambda row: np.abs(position - row["translation"]).max())
    yield "translation", position, np.array(row["translation"], float)
    found = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
    expected = np.array(row["rotation"]) / np.linalg.norm(row["rotation"])
    yield "rotation (w x y z)", found, _Near(expected if found @ expected >= 0 else -expected, 1e-9)
