# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One scene of a World written as part of a nuScenes v1.0 data root (https://www.nuscenes.org/nuscenes#data-format).

Beside the published layout there is ``depth/<camera>/<stem>.png`` for every image of every camera: exact depth along
the optical axis, 16 bit, metres * 256, 0 where there is nothing within 255.99 m.
"""

import time as clock
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.render.threads import one_thread
from lircdepth_core.synthetic.sensors.rig import CameraModel, LidarModel, SensorModel, modality
from lircdepth_core.synthetic.world.builder import build_world
from lircdepth_core.synthetic.world.splits import SceneSpec
from lircdepth_core.synthetic.writing.annotations import annotation_tables, points_in_actors
from lircdepth_core.synthetic.writing.measurement import File, Measurement, measure
from lircdepth_core.synthetic.writing.schedule import Capture, scene_start, schedule
from lircdepth_core.synthetic.writing.schema import SCENE_TABLES, Tables, links, token
from lircdepth_core.synthetic.writing.street_map import street_map

_USEFUL_THREADS = 1.7  # so much faster are two cores than one: not all of the work is parallel


class SceneWriter:
    """Measures one scene, writes its files below ``root`` and collects the rows of its tables.

    root: None where nothing is written. models: sensor models, among them one lidar and the camera that comes first.
    duration: seconds.
    """

    def __init__(
        self,
        root: Path | None,
        spec: SceneSpec,
        models: Sequence[SensorModel],
        duration: float,
        device: torch.device | str = "cpu",
    ) -> None:
        self.root, self.spec, self.device = root, spec, device
        self.models = {model.channel: model for model in models}
        self.tables: Tables = {name: [] for name in SCENE_TABLES}
        self.plan = schedule(models, scene_start(spec.name), duration, (*spec.seed, 1))
        self.world = build_world(spec.seed, weather_name=spec.weather, difficulty=spec.difficulty)

    def measure(self) -> dict[str, tuple[float, float]]:
        """Make one file of each sensor without keeping it; return a dict from channel to (seconds, bytes)."""
        with one_thread() as threads:
            share = min(threads, _USEFUL_THREADS)
            return {channel: (seconds / share, size) for channel, (seconds, size) in self._measured().items()}

    def _measured(self) -> dict[str, tuple[float, float]]:
        cost: dict[str, tuple[float, float]] = {}
        cost_of_kind: dict[str, tuple[float, float]] = {}
        for channel, model in self.models.items():
            kind = modality(model)
            if kind == "camera" or kind not in cost_of_kind:
                for _ in range(1 if "camera" in cost_of_kind else 2):  # the first call starts the libraries
                    started = clock.perf_counter()
                    files = self._measure(channel, self.plan[channel][0]).files
                    took = clock.perf_counter() - started
                cost_of_kind[kind] = took, sum(len(file.data) for file in files)
            cost[channel] = cost_of_kind[kind]
        return cost

    def write(self, advance: Callable[[int], object] = lambda count: None) -> Tables:
        """Make and write the scene's files; ``advance(1)`` is called after each. Return the rows of its tables.

        As many files are made at once as PyTorch may use threads.
        """
        with one_thread() as threads:
            return self._written(advance, threads)

    def _written(self, advance: Callable[[int], object], threads: int) -> Tables:
        lidar = next(channel for channel, model in self.models.items() if isinstance(model, LidarModel))
        samples = [capture for capture in self.plan[lidar] if capture.is_key_frame]
        sample_tokens = [self._own("sample", index) for index in range(len(samples))]
        self._add_scene_rows(samples, sample_tokens)
        inside = {
            kind: np.zeros((len(samples), len(self.world.actors.category)), np.int64) for kind in ("lidar", "radar")
        }
        for channel, captures in self.plan.items():
            model = self.models[channel]
            tokens = [self._own(channel, capture.timestamp) for capture in captures]
            for index, (capture, (files, points)) in enumerate(
                zip(captures, self._in_turn(channel, threads), strict=True)
            ):
                for file in files:
                    self._write(file)
                if capture.is_key_frame and points is not None:
                    found = points_in_actors(self.world, model, points, capture.time)
                    inside[modality(model)][capture.sample] += found
                self._add_data_rows(model, capture, files[0].path, tokens, index, sample_tokens)
                advance(1)
        camera = next(model for model in self.models.values() if isinstance(model, CameraModel))
        self.tables |= annotation_tables(
            self.world, camera, samples, sample_tokens, inside["lidar"], inside["radar"], self._own, self.device
        )
        return self.tables

    def _in_turn(self, channel: str, threads: int) -> Iterator[Measurement]:
        """Yield the measurement of each capture of a channel; ``threads`` are made at once."""
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque[Future[Measurement]] = deque()
            for capture in self.plan[channel]:
                waiting.append(pool.submit(self._measure, channel, capture))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _measure(self, channel: str, capture: Capture) -> Measurement:
        folder = "samples" if capture.is_key_frame else "sweeps"
        generator = np.random.default_rng((*self.spec.seed, 2, *channel.encode(), capture.timestamp))
        stem = f"{self._log()}__{channel}__{capture.timestamp}"
        return measure(self.world, self.models[channel], capture.time, folder, stem, generator, self.device)

    def _own(self, *key: object) -> str:
        """Return the token of a key of this scene."""
        return token(self.spec, *key)

    def _log(self) -> str:
        return f"synthetic-{'-'.join(map(str, self.spec.seed))}-{self.spec.name}"

    def _write(self, file: File) -> None:
        assert self.root is not None, "this writer only measures"
        target = self.root / file.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
        except OSError as error:  # a failed write, unlike a failed open, does not say which file it was
            raise OSError(error.errno, error.strerror, str(target)) from error

    def _add_scene_rows(self, samples: Sequence[Capture], sample_tokens: Sequence[str]) -> None:
        scene_token, log_token, map_token = self._own("scene"), self._own("log"), self._own("map")
        world, map_path = self.world, f"maps/{map_token}.png"
        self._write(File(map_path, street_map(world.street)))
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
        self.tables["map"].append(
            {"token": map_token, "log_tokens": [log_token], "category": "semantic_prior", "filename": map_path}
        )
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
                    **links(sample_tokens, index),
                    "scene_token": scene_token,
                }
            )
        for channel, model in self.models.items():
            mounting = np.array(model.ego_from_sensor)
            self.tables["calibrated_sensor"].append(
                {
                    "token": self._own("calibrated", channel),
                    "sensor_token": token("sensor", channel),
                    "translation": mounting[:3, 3].tolist(),
                    "rotation": geometry.quaternion_from_transform(mounting).tolist(),
                    "camera_intrinsic": model.intrinsics.tolist() if isinstance(model, CameraModel) else [],
                }
            )

    def _add_data_rows(
        self,
        model: SensorModel,
        capture: Capture,
        path: str,
        tokens: Sequence[str],
        index: int,
        sample_tokens: Sequence[str],
    ) -> None:
        pose = self.world.ego_pose(capture.time)
        self.tables["ego_pose"].append(
            {
                "token": tokens[index],
                "timestamp": capture.timestamp,
                "rotation": geometry.quaternion_from_transform(pose).tolist(),
                "translation": pose[:3, 3].tolist(),
            }
        )
        height, width = (model.height, model.width) if isinstance(model, CameraModel) else (0, 0)
        self.tables["sample_data"].append(
            {
                "token": tokens[index],
                "sample_token": sample_tokens[capture.sample],
                "ego_pose_token": tokens[index],
                "calibrated_sensor_token": self._own("calibrated", model.channel),
                "timestamp": capture.timestamp,
                "fileformat": "jpg" if isinstance(model, CameraModel) else "pcd",
                "is_key_frame": capture.is_key_frame,
                "height": height,
                "width": width,
                "filename": path,
                **links(tokens, index),
            }
        )
