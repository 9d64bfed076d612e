# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One scene of a World written as part of a nuScenes v1.0 data root (https://www.nuscenes.org/nuscenes#data-format).

Beside the published layout there is ``depth/<camera>/<stem>.png`` for every image of every camera: exact depth along
the optical axis, 16 bit, metres * 256, 0 where there is nothing within 255.99 m.
"""

import hashlib
import io
import time as clock
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.radar import encode_pcd
from lircdepth_core.synthetic.render.camera import camera_frame
from lircdepth_core.synthetic.render.threads import one_thread
from lircdepth_core.synthetic.render.visibility import visible_share
from lircdepth_core.synthetic.sensors.lidar import lidar_scan
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.sensors.rig import MODALITY
from lircdepth_core.synthetic.world.builder import build_world
from lircdepth_core.synthetic.writing.schedule import scene_start, schedule

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
_SCENE_TABLES = (
    "log", "map", "scene", "sample", "calibrated_sensor", "ego_pose", "sample_data", "instance", "sample_annotation",
)  # fmt: skip
_ANNOTATED_RANGE = 100.0  # metres


def _token(*key):
    return hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest()


def common_tables(models):
    """Return the tables that all scenes share: category, attribute, visibility and sensor."""
    return {
        "category": [{"token": _token("category", name), "name": name, "description": name} for name in CATEGORIES],
        "attribute": [{"token": _token("attribute", name), "name": name, "description": name} for name in ATTRIBUTES],
        "visibility": [
            {"token": token, "level": level, "description": f"visibility of whole object is between {low} and {high}%"}
            for token, level, low, high in VISIBILITIES
        ],
        "sensor": [
            {"token": _token("sensor", m.channel), "channel": m.channel, "modality": MODALITY[type(m)]} for m in models
        ],
    }


class SceneWriter:
    """Measures one scene, writes its files below ``root`` and collects the rows of its tables.

    spec: splits.SceneSpec. models: sensor models, among them one lidar and the camera that comes first.
    """

    def __init__(self, root, spec, models, duration, device="cpu"):
        self.root, self.spec, self.device = root, spec, device
        self.models = {model.channel: model for model in models}
        self.modality = {model.channel: MODALITY[type(model)] for model in models}
        self.tables = {name: [] for name in _SCENE_TABLES}
        self.plan = schedule(models, scene_start(spec.name), duration, (*spec.seed, 1))
        self.world = build_world(spec.seed, weather_name=spec.weather, difficulty=spec.difficulty)

    def measure(self):
        """Make one file of each sensor without keeping it; return a dict from channel to (seconds, bytes)."""
        with one_thread() as threads:
            return {
                channel: (seconds / min(threads, 1.7), size) for channel, (seconds, size) in self._measured().items()
            }

    def _measured(self):
        cost = {}
        for channel, modality in self.modality.items():
            same = next((c for c in cost if self.modality[c] == modality and modality != "camera"), None)
            if same:
                cost[channel] = cost[same]
                continue
            for _ in range(1 if "camera" in map(self.modality.get, cost) else 2):  # the first call starts the libraries
                started = clock.perf_counter()
                files, _points = self._capture(channel, self.plan[channel][0])
                cost[channel] = (clock.perf_counter() - started, sum(len(data) for _, data in files))
        return cost

    def write(self, advance=lambda count: None):
        """Make and write the scene's files; ``advance(1)`` is called after each. Return the rows of its tables."""
        lidar = next(channel for channel, modality in self.modality.items() if modality == "lidar")
        samples = [capture for capture in self.plan[lidar] if capture.is_key_frame]
        sample_tokens = [self._own("sample", index) for index in range(len(samples))]
        self._add_scene_rows(samples, sample_tokens)
        inside = {modality: np.zeros((len(samples), len(self.world.actors.category)), np.int64) for modality in
                  ("lidar", "radar")}  # fmt: skip
        for channel, captures in self.plan.items():
            tokens = [self._own(channel, capture.timestamp) for capture in captures]
            for index, (capture, (files, points)) in enumerate(zip(captures, self._captured(channel), strict=True)):
                for path, data in files:
                    self._write(path, data)
                if capture.is_key_frame and points is not None:
                    inside[self.modality[channel]][capture.sample] += self._points_in_actors(channel, points, capture)
                self._add_data_rows(channel, capture, files[0][0], tokens, index, sample_tokens)
                advance(1)
        self._add_annotations(samples, sample_tokens, inside)
        return self.tables

    def _captured(self, channel):
        """Yield what ``_capture`` returns for each capture of a channel, as many at once as PyTorch may use threads."""
        with one_thread() as threads, ThreadPoolExecutor(threads) as pool:
            waiting = deque()
            for capture in self.plan[channel]:
                waiting.append(pool.submit(self._capture, channel, capture))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _own(self, *key):
        return _token(self.spec, *key)

    def _log(self):
        return f"synthetic-{'-'.join(map(str, self.spec.seed))}-{self.spec.name}"

    def _write(self, path, data):
        target = self.root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as error:  # a failed write, unlike a failed open, does not say which file it was
            raise OSError(error.errno, error.strerror, str(target)) from error

    def _capture(self, channel, capture):
        """Measure; return [(path, bytes), ...], the sensor's own file first, and the points in its frame or None."""
        from PIL import Image

        model, world = self.models[channel], self.world
        stem = f"{self._log()}__{channel}__{capture.timestamp}"
        folder = f"{'samples' if capture.is_key_frame else 'sweeps'}/{channel}"
        generator = np.random.default_rng((*self.spec.seed, 2, *channel.encode(), capture.timestamp))
        modality = self.modality[channel]
        if modality == "camera":
            frame = camera_frame(world, model, capture.time, self.device).numpy()
            metres = np.where(frame.depth < 65535.5 / 256, frame.depth, 0)
            return [
                (f"{folder}/{stem}.jpg", _encoded(Image.fromarray(frame.image), "JPEG", quality=world.weather.jpeg)),
                (
                    f"depth/{channel}/{stem}.png",
                    _encoded(Image.fromarray(np.rint(metres * 256).astype(np.uint16)), "PNG", compress_level=1),
                ),
            ], None
        if modality == "lidar":
            points = lidar_scan(world, model, capture.time, generator, self.device)
            return [(f"{folder}/{stem}.pcd.bin", points.astype("<f4").tobytes())], points[:, :3]
        returns = radar_scan(world, model, capture.time, generator, self.device)
        points = np.column_stack([returns["x"], returns["y"], returns["z"]])
        return [(f"{folder}/{stem}.pcd", encode_pcd(returns))], points

    def _add_scene_rows(self, samples, sample_tokens):
        scene_token, log_token = self._own("scene"), self._own("log")
        date = datetime.fromtimestamp(samples[0].timestamp * 1e-6, timezone.utc)
        self.tables["log"].append(
            {
                "token": log_token,
                "logfile": self._log(),
                "vehicle": "synthetic",
                "date_captured": date.strftime("%Y-%m-%d"),
                "location": "synthetic-street",
            }
        )
        map_path = f"maps/{self._own('map')}.png"
        self.tables["map"].append(
            {
                "token": self._own("map"),
                "log_tokens": [log_token],
                "category": "semantic_prior",
                "filename": map_path,
            }
        )
        self._write(map_path, _street_map(self.world.street))
        world = self.world
        self.tables["scene"].append(
            {
                "token": scene_token,
                "log_token": log_token,
                "nbr_samples": len(samples),
                "first_sample_token": sample_tokens[0],
                "last_sample_token": sample_tokens[-1],
                "name": self.spec.name,
                "description": f"Synthetic street, seed {self.spec.seed}, {world.weather.name}, {world.difficulty}",
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
        for channel, model in self.models.items():
            mounting = np.array(model.ego_from_sensor)
            self.tables["calibrated_sensor"].append(
                {
                    "token": self._own("calibrated", channel),
                    "sensor_token": _token("sensor", channel),
                    "translation": mounting[:3, 3].tolist(),
                    "rotation": geometry.quaternion_from_transform(mounting).tolist(),
                    "camera_intrinsic": model.intrinsics.tolist() if self.modality[channel] == "camera" else [],
                }
            )

    def _add_data_rows(self, channel, capture, path, tokens, index, sample_tokens):
        pose = self.world.ego_pose(capture.time)
        self.tables["ego_pose"].append(
            {
                "token": tokens[index],
                "timestamp": capture.timestamp,
                "rotation": geometry.quaternion_from_transform(pose).tolist(),
                "translation": pose[:3, 3].tolist(),
            }
        )
        image = self.modality[channel] == "camera"
        self.tables["sample_data"].append(
            {
                "token": tokens[index],
                "sample_token": sample_tokens[capture.sample],
                "ego_pose_token": tokens[index],
                "calibrated_sensor_token": self._own("calibrated", channel),
                "timestamp": capture.timestamp,
                "fileformat": "jpg" if image else "pcd",
                "is_key_frame": capture.is_key_frame,
                "height": self.models[channel].height if image else 0,
                "width": self.models[channel].width if image else 0,
                "filename": path,
                **_links(tokens, index),
            }
        )

    def _points_in_actors(self, channel, points, capture):
        """Return how many points [N, 3] of a sensor's frame lie in each actor's box: int [A]; scenery counts 0.

        Radar points have no height (their z is 0): only their place on the ground counts.
        """
        actors = self.world.actors
        sensor = self.world.ego_pose(capture.time) @ np.array(self.models[channel].ego_from_sensor)
        points = geometry.transform_points(sensor, points)
        position, yaw, _ = (values.numpy() for values in actors.at(capture.time))
        size = actors.size.numpy()
        inside = np.zeros(len(yaw), dtype=np.int64)
        near_enough = np.linalg.norm(position - sensor[:3, 3], axis=1) < _ANNOTATED_RANGE + 20
        for actor in np.flatnonzero((np.array(actors.category) != "") & near_enough):
            offset = points - position[actor]
            length, width, height = size[actor]
            near = offset[np.abs(offset[:, :2]).max(1) < np.hypot(length, width)]
            c, s = np.cos(yaw[actor]), np.sin(yaw[actor])
            within = (np.abs(near[:, 0] * c + near[:, 1] * s) <= length / 2) & (
                np.abs(near[:, 1] * c - near[:, 0] * s) <= width / 2
            )
            if self.modality[channel] == "lidar":
                within &= (near[:, 2] >= 0) & (near[:, 2] <= height)
            inside[actor] = within.sum()
        return inside

    def _add_annotations(self, samples, sample_tokens, inside):
        """An actor is annotated from the first to the last sample in which it is in range and a point lies on it."""
        world, lidar, radar = self.world, inside["lidar"], inside["radar"]
        states = [[values.numpy() for values in world.actors.at(capture.time)] for capture in samples]
        distance = np.array([
            np.linalg.norm(position - world.ego_pose(capture.time)[:3, 3], axis=1)
            for (position, _, _), capture in zip(states, samples, strict=True)
        ])  # fmt: skip
        measured = (lidar + radar > 0) & (distance < _ANNOTATED_RANGE)
        camera = next(model for channel, model in self.models.items() if self.modality[channel] == "camera")
        spans = {a: np.flatnonzero(measured[:, a]) for a in np.flatnonzero(measured.any(0))}
        visibility = []
        for index, capture in enumerate(samples):
            present = [a for a, seen in spans.items() if seen[0] <= index <= seen[-1]]
            eye = (world.ego_pose(capture.time) @ np.array(camera.ego_from_sensor))[:3, 3]
            share = visible_share(world, present, capture.time, eye, self.device)
            visibility.append(dict(zip(present, share, strict=True)))
        for actor, seen in spans.items():
            indices = range(seen[0], seen[-1] + 1)
            tokens = [self._own("annotation", int(actor), index) for index in indices]
            instance_token = self._own("instance", int(actor))
            self.tables["instance"].append(
                {
                    "token": instance_token,
                    "category_token": _token("category", world.actors.category[actor]),
                    "nbr_annotations": len(tokens),
                    "first_annotation_token": tokens[0],
                    "last_annotation_token": tokens[-1],
                }
            )
            length, width, height = world.actors.size[actor].tolist()
            attribute = world.actors.attribute[actor]
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
                        "attribute_tokens": [_token("attribute", attribute)] if attribute else [],
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


def _street_map(street):
    """Return a PNG of road and pavement at 0.1 m a pixel, the map's origin in the lower left corner (as nuScenes)."""
    from PIL import Image, ImageDraw

    s = np.linspace(0, street.road.length, 300)
    outlines = [np.concatenate([np.column_stack(street.road.pose(s, street.edge)[:2]),
                                np.column_stack(street.road.pose(s, -street.edge)[:2])[::-1]])]  # fmt: skip
    half = street.crossing_kerb + street.edge - street.kerb
    for junction in street.junctions:
        corners = [(-half, -120.0), (half, -120.0), (half, 120.0), (-half, 120.0)]
        outlines.append(np.array([street.crossing_pose(junction, a, left)[:2] for a, left in corners]))
    width, height = (np.ceil(np.concatenate(outlines).max(0) * 10) + 200).astype(int).tolist()
    image = Image.new("L", (width, height), 0)
    for outline in outlines:
        pixels = outline * 10
        pixels[:, 1] = height - pixels[:, 1]
        ImageDraw.Draw(image).polygon([tuple(point) for point in pixels.tolist()], fill=255)
    return _encoded(image, "PNG", compress_level=1)
