"""Scenes of a World written as a nuScenes v1.0 data root (https://www.nuscenes.org/nuscenes#data-format).

Beside the published layout there is ``depth/<camera>/<stem>.png`` for every image of every camera: exact depth along
the optical axis, 16 bit, metres * 256, 0 where there is nothing within 255.99 m.
"""

import hashlib
import io
import json
import time as clock
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.radar import encode_pcd
from lircdepth_core.synthetic import sensors
from lircdepth_core.synthetic.world import KERB, build_world

CATEGORIES = (
    "human.pedestrian.adult", "human.pedestrian.child", "human.pedestrian.wheelchair", "human.pedestrian.stroller",
    "human.pedestrian.personal_mobility", "human.pedestrian.police_officer", "human.pedestrian.construction_worker",
    "animal", "vehicle.car", "vehicle.motorcycle", "vehicle.bicycle", "vehicle.bus.bendy", "vehicle.bus.rigid",
    "vehicle.truck", "vehicle.construction", "vehicle.emergency.ambulance", "vehicle.emergency.police",
    "vehicle.trailer", "movable_object.barrier", "movable_object.trafficcone", "movable_object.pushable_pullable",
    "movable_object.debris", "static_object.bicycle_rack",
)  # fmt: skip
ATTRIBUTES = (
    "vehicle.moving", "vehicle.stopped", "vehicle.parked", "cycle.with_rider", "cycle.without_rider",
    "pedestrian.sitting_lying_down", "pedestrian.standing", "pedestrian.moving",
)  # fmt: skip
VISIBILITIES = (("1", "v0-40", 0, 40), ("2", "v40-60", 40, 60), ("3", "v60-80", 60, 80), ("4", "v80-100", 80, 100))

_KEY_PERIOD = 0.5  # seconds
_CAMERA_RATE, _LIDAR_RATE, _RADAR_RATE = 12, 20, 13  # Hz
_FIRST_KEY = 0.1  # seconds into the world's time, so that no sensor starts before 0
_CAMERA_LEAD = 0.0355  # seconds: nuScenes fires CAM_FRONT when the lidar sweeps past it, this long before its stamp
_EPOCH = 1_530_000_000_000_000  # microseconds; scenes start an hour apart
_ANNOTATED_RANGE = 100.0  # metres


@dataclass(frozen=True)
class Capture:
    """One file of one sensor: time [s] in the world, timestamp [us], the sample it belongs to (the key frame at or
    after it), and whether it is that key frame."""

    time: float
    timestamp: int
    sample: int
    is_key_frame: bool


def schedule(seed, scene, duration):
    """Return when the sensors of a scene measure: a dict camera/lidar/radar to a list of Capture.

    Key frames at 2 Hz from the first to ``duration`` seconds later; each sensor records from its first key frame to its
    last, so that each sweep lies between two. The camera's period divides the key frames', the radar runs freely: its
    key frame is the scan nearest to the middle between image and lidar scan, up to 60 ms from the image.
    """
    random = np.random.default_rng((*seed, scene, 1))
    keys = _FIRST_KEY + _KEY_PERIOD * np.arange(int(duration / _KEY_PERIOD + 1e-9) + 1)
    span = keys[-1] - keys[0]
    lidar = keys[0] + np.arange(round(span * _LIDAR_RATE) + 1) / _LIDAR_RATE
    camera = keys[0] - _CAMERA_LEAD + np.arange(round(span * _CAMERA_RATE) + 1) / _CAMERA_RATE
    radar = random.uniform(0, 1 / _RADAR_RATE) + np.arange(int(keys[-1] * _RADAR_RATE) + 2) / _RADAR_RATE
    nearest = np.abs(radar[:, None] - (keys - _CAMERA_LEAD / 2)).argmin(0)
    marks = {
        "camera": (camera, np.arange(len(keys)) * round(_CAMERA_RATE * _KEY_PERIOD)),
        "lidar": (lidar, np.arange(len(keys)) * round(_LIDAR_RATE * _KEY_PERIOD)),
        "radar": (radar, nearest),
    }
    start = _EPOCH + scene * 3_600_000_000
    plan = {}
    for name, (times, key_index) in marks.items():
        stamps = start + np.rint(times * 1e6 + random.uniform(-400, 400, len(times))).astype(np.int64)
        plan[name] = [
            Capture(
                (int(stamps[i]) - start) * 1e-6,
                int(stamps[i]),
                int(np.searchsorted(key_index, i)),
                bool(i in key_index),
            )
            for i in range(key_index[0], key_index[-1] + 1)
        ]
    return plan


class SceneWriter:
    """Writes scenes below ``root`` and collects the rows of the tables, which ``write_tables`` writes last."""

    def __init__(self, root, version, seed, camera, lidar, radar, device="cpu"):
        self.root, self.version, self.seed, self.device = root, version, tuple(np.atleast_1d(seed).tolist()), device
        self.models = {"camera": camera, "lidar": lidar, "radar": radar}
        names = ("log", "map", "scene", "sample", "calibrated_sensor", "ego_pose", "sample_data", "instance",
                 "sample_annotation")  # fmt: skip
        self.tables = {name: [] for name in names}
        self.tables["category"] = [
            {"token": self._token("category", name), "name": name, "description": name} for name in CATEGORIES
        ]
        self.tables["attribute"] = [
            {"token": self._token("attribute", name), "name": name, "description": name} for name in ATTRIBUTES
        ]
        self.tables["visibility"] = [
            {"token": token, "level": level, "description": f"visibility of whole object is between {low} and {high}%"}
            for token, level, low, high in VISIBILITIES
        ]
        self.tables["sensor"] = [
            {"token": self._token("sensor", model.channel), "channel": model.channel, "modality": modality}
            for modality, model in self.models.items()
        ]

    def frames(self, duration):
        """Return the number of images, lidar scans and radar scans of one scene, about: a dict as in ``schedule``."""
        return {name: len(captures) for name, captures in schedule(self.seed, 0, duration).items()}

    def measure(self):
        """Make one file of each sensor without keeping it; return a dict of (seconds, bytes) a capture."""
        world = build_world((*self.seed, 0))
        plan = schedule(self.seed, 0, 0.0)
        cost = {}
        for modality in self.models:
            for _ in range(2):  # the first call also pays for the libraries' start
                started = clock.perf_counter()
                files, _points = self._capture(world, 0, modality, plan[modality][0])
                cost[modality] = (clock.perf_counter() - started, sum(len(data) for _, data in files))
        return cost

    def add_scene(self, number, duration, advance=lambda: None):
        """Make and write scene ``number`` (0, 1, ...); ``advance()`` is called after every file of a sensor."""
        world = build_world((*self.seed, number))
        plan = schedule(self.seed, number, duration)
        name = f"scene-{9001 + number}"
        samples = [capture for capture in plan["lidar"] if capture.is_key_frame]
        sample_tokens = [self._token(number, "sample", index) for index in range(len(samples))]
        calibrated = {modality: self._token(number, "calibrated", modality) for modality in self.models}
        self._add_scene_rows(world, number, name, samples, sample_tokens, calibrated)
        hits = {"lidar": [None] * len(samples), "radar": [None] * len(samples)}
        for modality, captures in plan.items():
            channel = self.models[modality].channel
            tokens = [self._token(number, channel, capture.timestamp) for capture in captures]
            for index, capture in enumerate(captures):
                files, points = self._capture(world, number, modality, capture)
                for path, data in files:
                    self._write(path, data)
                if capture.is_key_frame and points is not None:
                    hits[modality][capture.sample] = self._points_in_actors(world, modality, points, capture.time)
                self._add_data_rows(
                    world, modality, capture, files[0][0], tokens, index, sample_tokens, calibrated[modality]
                )
                advance()
        self._add_annotations(world, number, samples, sample_tokens, hits)

    def write_tables(self):
        for name, rows in self.tables.items():
            self._write(f"{self.version}/{name}.json", json.dumps(rows, indent=0).encode("ascii"))

    def _token(self, *key):
        return hashlib.blake2b(repr((self.seed, key)).encode(), digest_size=16).hexdigest()

    def _log(self, number):
        return f"synthetic-seed-{'-'.join(map(str, self.seed))}-scene-{9001 + number}"

    def _write(self, path, data):
        target = self.root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as error:  # a failed write, unlike a failed open, does not say which file it was
            raise OSError(error.errno, error.strerror, str(target)) from error

    def _capture(self, world, number, modality, capture):
        """Measure; return [(path, bytes), ...], the sensor's own file first, and the points in its frame or None."""
        from PIL import Image

        model = self.models[modality]
        stem = f"{self._log(number)}__{model.channel}__{capture.timestamp}"
        folder = f"{'samples' if capture.is_key_frame else 'sweeps'}/{model.channel}"
        generator = np.random.default_rng((*self.seed, number, 2, list(self.models).index(modality), capture.timestamp))
        if modality == "camera":
            frame = sensors.camera_frame(world, model, capture.time, self.device)
            metres = np.where(frame.depth < 65535.5 / 256, frame.depth, 0)
            return [
                (f"{folder}/{stem}.jpg", _encoded(Image.fromarray(frame.image), "JPEG", quality=92)),
                (
                    f"depth/{model.channel}/{stem}.png",
                    _encoded(Image.fromarray(np.rint(metres * 256).astype(np.uint16)), "PNG", compress_level=1),
                ),
            ], None
        if modality == "lidar":
            points = sensors.lidar_scan(world, model, capture.time, generator, self.device)
            return [(f"{folder}/{stem}.pcd.bin", points.astype("<f4").tobytes())], points[:, :3]
        returns = sensors.radar_scan(world, model, capture.time, generator, self.device)
        points = np.column_stack([returns["x"], returns["y"], returns["z"]])
        # The devkit wants a byte after the last point; published files are padded, too.
        return [(f"{folder}/{stem}.pcd", encode_pcd(returns) + b"\n")], points

    def _add_scene_rows(self, world, number, name, samples, sample_tokens, calibrated):
        scene_token, log_token = self._token(number, "scene"), self._token(number, "log")
        date = datetime.fromtimestamp(samples[0].timestamp * 1e-6, timezone.utc)
        self.tables["log"].append(
            {
                "token": log_token,
                "logfile": self._log(number),
                "vehicle": "synthetic",
                "date_captured": date.strftime("%Y-%m-%d"),
                "location": "synthetic-street",
            }
        )
        map_path = f"maps/{self._token(number, 'map')}.png"
        self.tables["map"].append(
            {
                "token": self._token(number, "map"),
                "log_tokens": [log_token],
                "category": "semantic_prior",
                "filename": map_path,
            }
        )
        self._write(map_path, _street_map(world.road))
        self.tables["scene"].append(
            {
                "token": scene_token,
                "log_token": log_token,
                "nbr_samples": len(samples),
                "first_sample_token": sample_tokens[0],
                "last_sample_token": sample_tokens[-1],
                "name": name,
                "description": f"Synthetic street, seed {self.seed}, scene {number}",
            }
        )
        for index, capture in enumerate(samples):
            self.tables["sample"].append(
                {
                    "token": sample_tokens[index],
                    "timestamp": capture.timestamp,
                    **_links(sample_tokens, index),
                    "scene_token": scene_token,
                }
            )
        for modality, model in self.models.items():
            mounting = np.array(model.ego_from_sensor)
            self.tables["calibrated_sensor"].append(
                {
                    "token": calibrated[modality],
                    "sensor_token": self._token("sensor", model.channel),
                    "translation": mounting[:3, 3].tolist(),
                    "rotation": geometry.quaternion_from_transform(mounting).tolist(),
                    "camera_intrinsic": model.intrinsics.tolist() if modality == "camera" else [],
                }
            )

    def _add_data_rows(self, world, modality, capture, path, tokens, index, sample_tokens, calibrated):
        pose = world.ego_pose(capture.time)
        self.tables["ego_pose"].append(
            {
                "token": tokens[index],
                "timestamp": capture.timestamp,
                "rotation": geometry.quaternion_from_transform(pose).tolist(),
                "translation": pose[:3, 3].tolist(),
            }
        )
        camera = self.models["camera"]
        self.tables["sample_data"].append(
            {
                "token": tokens[index],
                "sample_token": sample_tokens[capture.sample],
                "ego_pose_token": tokens[index],
                "calibrated_sensor_token": calibrated,
                "timestamp": capture.timestamp,
                "fileformat": "jpg" if modality == "camera" else "pcd",
                "is_key_frame": capture.is_key_frame,
                "height": camera.height if modality == "camera" else 0,
                "width": camera.width if modality == "camera" else 0,
                "filename": path,
                **_links(tokens, index),
            }
        )

    def _points_in_actors(self, world, modality, points, time):
        """Return how many points [N, 3] of a sensor's frame lie in each actor's box: int [A]; scenery counts 0.

        Radar points have no height (their z is 0): only their place on the ground counts.
        """
        sensor = world.ego_pose(time) @ np.array(self.models[modality].ego_from_sensor)
        points = geometry.transform_points(sensor, points)
        position, yaw, _ = (values.numpy() for values in world.actors.at(time))
        size = world.actors.size.numpy()
        inside = np.zeros(len(yaw), dtype=np.int64)
        for actor in np.flatnonzero(np.array(world.actors.category) != ""):
            offset = points - position[actor]
            length, width, height = size[actor]
            near = offset[np.abs(offset[:, :2]).max(1) < np.hypot(length, width)]
            c, s = np.cos(yaw[actor]), np.sin(yaw[actor])
            within = (np.abs(near[:, 0] * c + near[:, 1] * s) <= length / 2) & (
                np.abs(near[:, 1] * c - near[:, 0] * s) <= width / 2
            )
            if modality == "lidar":
                within &= (near[:, 2] >= 0) & (near[:, 2] <= height)
            inside[actor] = within.sum()
        return inside

    def _add_annotations(self, world, number, samples, sample_tokens, hits):
        """An actor is annotated from the first to the last sample in which it is in range and a point lies on it."""
        lidar, radar = np.array(hits["lidar"]), np.array(hits["radar"])
        states = [[values.numpy() for values in world.actors.at(capture.time)] for capture in samples]
        distance = np.array([
            np.linalg.norm(position - world.ego_pose(capture.time)[:3, 3], axis=1)
            for (position, _, _), capture in zip(states, samples, strict=True)
        ])  # fmt: skip
        measured = (lidar + radar > 0) & (distance < _ANNOTATED_RANGE)
        camera_mount = np.array(self.models["camera"].ego_from_sensor)
        spans = {a: np.flatnonzero(measured[:, a]) for a in np.flatnonzero(measured.any(0))}
        visibility = []
        for index, capture in enumerate(samples):
            present = [a for a, seen in spans.items() if seen[0] <= index <= seen[-1]]
            eye = (world.ego_pose(capture.time) @ camera_mount)[:3, 3]
            share = sensors.visible_share(world, np.array(present, dtype=int), capture.time, eye, self.device)
            visibility.append(dict(zip(present, share, strict=True)))
        for actor, seen in spans.items():
            indices = range(seen[0], seen[-1] + 1)
            tokens = [self._token(number, "annotation", int(actor), index) for index in indices]
            instance_token = self._token(number, "instance", int(actor))
            self.tables["instance"].append(
                {
                    "token": instance_token,
                    "category_token": self._token("category", world.actors.category[actor]),
                    "nbr_annotations": len(tokens),
                    "first_annotation_token": tokens[0],
                    "last_annotation_token": tokens[-1],
                }
            )
            length, width, height = world.actors.size[actor].tolist()
            for step, index in enumerate(indices):
                position, yaw, _ = states[index]
                level = int(np.searchsorted([0.4, 0.6, 0.8], visibility[index][actor], side="right"))
                centre = position[actor] + (0, 0, height / 2)
                self.tables["sample_annotation"].append(
                    {
                        "token": tokens[step],
                        "sample_token": sample_tokens[index],
                        "instance_token": instance_token,
                        "visibility_token": VISIBILITIES[level][0],
                        "attribute_tokens": [self._token("attribute", world.actors.attribute[actor])],
                        "translation": centre.tolist(),
                        "size": [width, length, height],
                        "rotation": [float(np.cos(yaw[actor] / 2)), 0.0, 0.0, float(np.sin(yaw[actor] / 2))],
                        **_links(tokens, step),
                        "num_lidar_pts": int(lidar[index, actor]),
                        "num_radar_pts": int(radar[index, actor]),
                    }
                )


def _links(tokens, index):
    return {
        "prev": tokens[index - 1] if index else "",
        "next": tokens[index + 1] if index + 1 < len(tokens) else "",
    }


def _encoded(image, file_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _street_map(road):
    """Return a PNG of road and pavement at 0.1 m a pixel, the map's origin in the lower left corner (as nuScenes)."""
    from PIL import Image, ImageDraw

    s = np.linspace(0, road.length, 300)
    left, right = (np.column_stack(road.pose(s, d)[:2]) for d in (KERB, -KERB))
    outline = np.concatenate([left, right[::-1]]) * 10
    width, height = (np.ceil(outline.max(0)) + 200).astype(int).tolist()
    image = Image.new("L", (width, height), 0)
    outline[:, 1] = height - outline[:, 1]
    ImageDraw.Draw(image).polygon([tuple(point) for point in outline.tolist()], fill=255)
    return _encoded(image, "PNG", compress_level=1)
