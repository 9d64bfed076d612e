# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A nuScenes data root through the official devkit: its scenes, a sensor's records in time order, poses.

Records are the devkit's own dictionaries; times are nuScenes' microseconds, lengths metres.
"""

import json
import math
from pathlib import Path

import numpy as np

from lircdepth_core import geometry, radar
from lircdepth_core.errors import LircDepthError

# Latitude and longitude [deg] of each map's south-western corner, where its x (east) and y (north) are 0 (devkit).
MAP_ORIGINS = {
    "boston-seaport": (42.336849169438615, -71.05785369873047),
    "singapore-onenorth": (1.2882100868743724, 103.78475189208984),
    "singapore-hollandvillage": (1.2993652317780957, 103.78217697143555),
    "singapore-queenstown": (1.2782562240223188, 103.76741409301758),
}
_EARTH_RADIUS = 6_378_137.0  # metres: the devkit's sphere
LIDAR_PERIOD = 0.05  # seconds: the lidar turns 20 times a second


def open_nuscenes(dataroot, version):
    """Open the tables in ``dataroot``/``version`` and return the devkit's NuScenes.

    Raises LircDepthError when the folder holds no such tables (naming the versions that are there), when a table is
    missing, is not JSON or does not fit the others, and when the devkit is not installed.
    """
    root = Path(dataroot)
    tables = root / version
    if not (tables / "scene.json").is_file():
        versions = ", ".join(sorted(path.parent.name for path in root.glob("*/scene.json"))) or "none"
        raise LircDepthError(
            f"dataroot {root} has no nuScenes tables {version}/scene.json (versions there: {versions})"
        )
    try:
        from nuscenes.nuscenes import NuScenes  # takes seconds to import, and is optional
    except ImportError as error:
        raise LircDepthError(f"reading nuScenes needs the package nuscenes-devkit: {error}") from error
    try:
        return NuScenes(version, str(root), verbose=False)
    except FileNotFoundError as error:
        raise LircDepthError(f"{error.filename} is missing") from error
    except ValueError as error:  # not JSON, or not text; the devkit does not say in which file
        raise LircDepthError(f"{_first_corrupt(tables)} is corrupt: {error}") from error
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise LircDepthError(f"the tables in {tables} do not fit together: {error!r}") from error


def _first_corrupt(tables):
    for path in sorted(tables.glob("*.json")):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            return path
    return tables


def find_scene(nusc, name):
    """Return the scene record called ``name``; LircDepthError lists the known ones."""
    scenes = {scene["name"]: scene for scene in nusc.scene}
    if name not in scenes:
        known = sorted(scenes)
        more = f" ... {len(known)} in all" if len(known) > 20 else ""
        raise LircDepthError(f"unknown scene {name!r}; known: {', '.join(known[:20])}{more}")
    return scenes[name]


def scenes_of_split(nusc, split):
    """Return the scene records of a split, in the tables' order: the devkit's train, val, test, mini_train, mini_val,
    train_detect, train_track, or one of the tables' own splits.json. Raises LircDepthError.
    """
    from nuscenes.utils import splits

    try:
        names = set(splits.get_scenes_of_split(split, nusc))
    except ValueError as error:
        known = ", ".join(splits.create_splits_scenes())
        raise LircDepthError(f"unknown split {split!r} ({error}); the devkit's are {known}") from error
    scenes = [scene for scene in nusc.scene if scene["name"] in names]
    if not scenes:
        raise LircDepthError(f"{nusc.version} has no scene of split {split!r}")
    return scenes


def scene_samples(nusc, scene):
    """Return the sample records (key frames) of a scene in time order."""
    samples, token = [], scene["first_sample_token"]
    while token:
        samples.append(nusc.get("sample", token))
        token = samples[-1]["next"]
    return samples


def scene_channels(nusc, scene):
    """Return {channel: modality} of the sensors that have a key frame in the scene, sorted by name."""
    tokens = (token for sample in scene_samples(nusc, scene) for token in sample["data"].values())
    records = (nusc.get("sample_data", token) for token in tokens)
    return dict(sorted({record["channel"]: record["sensor_modality"] for record in records}.items()))


def channel_records(nusc, scene, channel):
    """Return the sample_data records of one sensor in a scene, key frames and sweeps, in time order.

    Sweeps taken before the first key frame belong to the scene and are included; records of a neighbouring scene
    that the same chain of ``prev`` and ``next`` leads to are not.
    """
    found = {}

    def walk(token, direction):
        while token and token not in found:
            record = nusc.get("sample_data", token)
            if nusc.get("sample", record["sample_token"])["scene_token"] != scene["token"]:
                return
            found[token] = record
            token = record[direction]

    for sample in scene_samples(nusc, scene):
        start = sample["data"].get(channel)
        if start and start not in found:  # once for an unbroken chain
            walk(start, "next")
            walk(found[start]["prev"], "prev")
    return sorted(found.values(), key=lambda record: (record["timestamp"], record["token"]))


def neighbouring_records(nusc, record, back, forward):
    """Return the sample_data records up to ``back`` before and ``forward`` after ``record``, in time order, its own
    included; records of other scenes are left out."""
    scene = nusc.get("sample", record["sample_token"])["scene_token"]
    chains = []
    for direction, count in (("prev", back), ("next", forward)):
        chain, token = [], record[direction]
        while token and len(chain) < count:
            neighbour = nusc.get("sample_data", token)
            if nusc.get("sample", neighbour["sample_token"])["scene_token"] != scene:
                break
            chain.append(neighbour)
            token = neighbour[direction]
        chains.append(chain)
    return [*reversed(chains[0]), record, *chains[1]]


def base_from_sensor(calibrated_sensor):
    """Return the 4x4 transform base_link <- sensor of a calibrated_sensor record."""
    return _transform(calibrated_sensor, "calibrated_sensor")


def global_from_base(ego_pose):
    """Return the 4x4 transform global <- base_link of an ego_pose record."""
    return _transform(ego_pose, "ego_pose")


def _transform(record, table):
    try:
        return geometry.rigid_transform(record["translation"], record["rotation"])
    except ValueError as error:
        raise LircDepthError(f"{table} {record['token']}: {error}") from error


def geodetic(location, position):
    """Return (latitude, longitude) [deg] of a position (x, y) [m] on a map, or None for a map without known origin.

    On the devkit's sphere (its export_poses.py), so as good as that: metres over the size of a map.
    """
    if location not in MAP_ORIGINS:
        return None
    latitude, longitude = map(math.radians, MAP_ORIGINS[location])
    x, y = position[:2]
    angle, bearing = math.hypot(x, y) / _EARTH_RADIUS, math.atan2(x, y)  # clockwise from north
    sine = math.sin(latitude) * math.cos(angle) + math.cos(latitude) * math.sin(angle) * math.cos(bearing)
    longitude += math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(latitude), math.cos(angle) - math.sin(latitude) * sine
    )
    return math.degrees(math.asin(sine)), math.degrees(longitude)


def can_messages(dataroot, scene, kind):
    """Return a scene's messages of one kind ("ms_imu", "pose") from the CAN bus expansion, in time order.

    They are the expansion's own dictionaries; ``utime`` is in microseconds. An empty list where there is no such file:
    the expansion is optional, and some scenes have none. Raises LircDepthError when the file is damaged.
    """
    path = Path(dataroot, "can_bus", f"{scene['name']}_{kind}.json")
    if not path.is_file():
        return []
    try:
        return sorted(json.loads(path.read_bytes()), key=lambda message: message["utime"])
    except (ValueError, TypeError, KeyError) as error:
        raise LircDepthError(f"{path} is corrupt: {error!r}") from error


def body_twists(stamps, poses, half_window=0.025):
    """Return linear [N, 3] m/s and angular [N, 3] rad/s velocity in the body frame, by finite differences.

    stamps: [N] seconds, ascending. poses: [N, 4, 4], fixed frame <- body. The difference is taken between the nearest
    poses at least ``half_window`` seconds before and after, as far as there are any: nuScenes' sensors fire
    microseconds apart, and a difference over microseconds would be noise. A single pose has velocity zero.
    """
    stamps, poses = np.asarray(stamps, dtype=np.float64), np.asarray(poses, dtype=np.float64)
    before = np.maximum(np.searchsorted(stamps, stamps - half_window, side="right") - 1, 0)
    after = np.minimum(np.searchsorted(stamps, stamps + half_window, side="left"), len(stamps) - 1)
    duration = (stamps[after] - stamps[before])[:, None]
    duration[duration == 0] = np.inf  # a single pose
    rotations, positions = poses[:, :3, :3], poses[:, :3, 3]
    linear = np.einsum("nji,nj->ni", rotations, (positions[after] - positions[before]) / duration)
    turned = np.einsum("nji,njk->nik", rotations[before], rotations[after])
    quaternions = np.array([geometry.quaternion_from_transform(rotation) for rotation in turned])
    sines = np.linalg.norm(quaternions[:, 1:], axis=1, keepdims=True)
    angles = 2 * np.arctan2(sines, quaternions[:, :1])
    angular = quaternions[:, 1:] * np.divide(angles, sines, out=np.full_like(angles, 2.0), where=sines > 0) / duration
    return linear, angular


def read_points(nusc, record):
    """Return the points of a lidar or radar sample_data record in the sensor's frame, as float [N, 3] metres.

    Raises LircDepthError when the file is missing or damaged.
    """
    path = Path(nusc.dataroot, record["filename"])
    if not path.is_file():
        raise LircDepthError(f"{path} is missing")
    if record["sensor_modality"] == "radar":
        return radar.RadarScan.from_pcd(radar.decode_pcd(path.read_bytes(), path)).points
    return decode_lidar(path.read_bytes(), path)[:, :3]


def decode_lidar(data, source="lidar file"):
    """Return a nuScenes .pcd.bin file as float32 [N, 5]: x, y, z [m], intensity, ring. Raises LircDepthError."""
    if not data or len(data) % 20:
        raise LircDepthError(f"{source}: truncated: {len(data)} bytes, expected a multiple of 20")
    return np.frombuffer(data, "<f4").reshape(-1, 5)


def lidar_point_times(rings):
    """Return each point's time relative to the scan's stamp as float32 [N] seconds, in (-LIDAR_PERIOD, 0].

    rings: [N], in file order. nuScenes stamps a scan at the end of its turn and keeps no time for a point. A file holds
    one firing of all rings after another, so a point's place in the file tells its time: on the real sample cameras
    were triggered as the beam passed them to within 4 ms of this.
    """
    rings = np.asarray(rings)
    if not len(rings):
        return np.zeros(0, np.float32)
    to_come = np.zeros(len(rings), np.float32)  # firings that begin after a point's own
    to_come[:-1] = np.cumsum((rings[1:] <= rings[:-1])[::-1], dtype=np.int32)[::-1]
    return 0 - to_come * np.float32(LIDAR_PERIOD / (to_come[0] + 1))


def camera_from_sensor(nusc, camera_record, sensor_record):
    """Return the 4x4 transform from a sensor at its own time to a camera at its own, through both ego poses."""
    calibrations = (nusc.get("calibrated_sensor", r["calibrated_sensor_token"]) for r in (camera_record, sensor_record))
    poses = (nusc.get("ego_pose", r["ego_pose_token"]) for r in (camera_record, sensor_record))
    return geometry.sensor_to_sensor(*map(base_from_sensor, calibrations), *map(global_from_base, poses))


def project_channel(nusc, sample, channel, camera):
    """Project a key frame's lidar or radar points into one of its images.

    Returns (pixels [M, 2], depth [M] metres) of the points that the image sees (geometry.visible).
    """
    camera_record, record = (nusc.get("sample_data", sample["data"][name]) for name in (camera, channel))
    intrinsics = nusc.get("calibrated_sensor", camera_record["calibrated_sensor_token"])["camera_intrinsic"]
    points = geometry.transform_points(camera_from_sensor(nusc, camera_record, record), read_points(nusc, record))
    pixels, depth = geometry.project(points, intrinsics)
    seen = geometry.visible(pixels, depth, camera_record["width"], camera_record["height"])
    return pixels[seen], depth[seen]
