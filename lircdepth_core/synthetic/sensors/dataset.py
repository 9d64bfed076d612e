# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The street as an endless training set: batches of image, radar channels and depth, made when they are asked for.

    loader = DataLoader(StreetDataset(seed=0, batch_size=6), batch_size=None, num_workers=8)

Batch g depends on the seed and g alone: the loader gives the same batches in the same order with any number of workers,
and a run that stopped after g batches goes on with ``load_state_dict({"batch": g})``.
"""

from collections import OrderedDict

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from lircdepth_core import geometry, radar
from lircdepth_core.errors import LircDepthError
from lircdepth_core.synthetic.render.camera import camera_frame
from lircdepth_core.synthetic.sensors.lidar import lidar_scan
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.sensors.rig import CameraModel, LidarModel, RadarModel
from lircdepth_core.synthetic.sensors.scanning import bearings
from lircdepth_core.synthetic.world.builder import build_world
from lircdepth_core.synthetic.world.world import MAX_DURATION

_LIDAR_DELAY, _RADAR_SPREAD = 0.0355, 0.03  # seconds from the image to the lidar scan, and to the radar scan at most


class StreetDataset(IterableDataset):
    """Endless batches of synthetic samples, each a dict of tensors on ``device`` (0 is "none" in every depth map):

    image uint8 [N, 3, H, W] (RGB); radar float32 [N, 4, H, W] (depth [m], RCS [dBsm], vx, vy [m/s]); depth float32
    [N, H, W], exact and dense, metres; lidar_depth [N, H, W], one scan; with ``accumulate`` accumulated_depth [N, H,
    W], many scans; intrinsics float64 [N, 3, 3].

    crop: (height, width) of a window of the camera's picture, drawn anew for each sample, with street in it; only it is
    rendered. None: the whole picture. accumulate: time offsets [s] of further lidar scans (see
    ``accumulated_lidar_depth``). reuse: batches in which a street is used (building one costs as much as a sample; more
    with many workers). shard: (this, of how many) for training on several GPUs, each with its own batches. weather,
    difficulty: fixed instead of drawn.
    Raises LircDepthError for sizes that cannot be.
    """

    def __init__(
        self,
        seed=0,
        batch_size=1,
        crop=(352, 704),
        camera=CameraModel(),  # noqa: B008 - frozen
        lidar=LidarModel(),  # noqa: B008
        radar_model=RadarModel(),  # noqa: B008
        accumulate=(),
        reuse=32,
        shard=(0, 1),
        weather=None,
        difficulty=None,
        device="cpu",
    ):
        if batch_size < 1 or reuse < 1:
            raise LircDepthError(f"batch_size is {batch_size} and reuse {reuse}, expected at least 1")
        if crop is not None and not (32 <= crop[0] <= camera.height and 32 <= crop[1] <= camera.width):
            raise LircDepthError(f"crop is {crop}, expected (height, width) of 32 to {camera.height}, {camera.width}")
        self.seed, self.batch_size, self.crop, self.accumulate = seed, batch_size, crop, tuple(accumulate)
        self.camera, self.lidar, self.radar_model = camera, lidar, radar_model
        self.reuse, self.shard, self.device = reuse, shard, device
        self.weather, self.difficulty = weather, difficulty
        self._batch = 0
        self._worlds = OrderedDict()

    def state_dict(self):
        """Return where this dataset stands: the number of the next batch. In a loader's workers each has its own; count
        the loader's batches instead and give that number to ``load_state_dict``.
        """
        return {"batch": self._batch}

    def load_state_dict(self, state):
        """Go on with batch ``state["batch"]`` of the loader at the next iteration."""
        self._batch = int(state["batch"])

    def __iter__(self):
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        number = self._batch + worker  # the loader takes one batch from each worker in turn
        while True:
            self._batch = number + workers
            yield self.batch(number)
            number += workers

    def batch(self, number):
        """Return batch ``number`` (0, 1, ...), whatever was made before."""
        samples = [self._sample(number, slot) for slot in range(self.batch_size)]
        return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}

    def _world(self, number, slot):
        # Each slot of the batch changes its street every ``reuse`` batches, not all at once.
        turn = (number + slot * self.reuse // self.batch_size) // self.reuse
        key = (self.seed, *self.shard, slot, turn)
        if key not in self._worlds:
            self._worlds[key] = build_world(key, weather_name=self.weather, difficulty=self.difficulty)
            while len(self._worlds) > self.batch_size + 1:
                self._worlds.popitem(last=False)
        self._worlds.move_to_end(key)
        return self._worlds[key]

    def _sample(self, number, slot):
        generator = np.random.default_rng((self.seed, *self.shard, 3, number, slot))
        world, camera = self._world(number, slot), self.camera
        if self.crop is not None:
            height, width = self.crop
            # Not the sky alone: the horizon is never below the window's lower fifth.
            highest = int(np.clip(camera.cy - 0.8 * height, 0, camera.height - height))
            left = generator.integers(camera.width - width + 1)
            top = generator.integers(highest, camera.height - height + 1)
            camera = camera.cropped(int(left), int(top), width, height)
        time = generator.uniform(0.2, MAX_DURATION)
        frame = camera_frame(world, camera, time, self.device)
        scan_time = time + generator.uniform(-_RADAR_SPREAD, 2 * _RADAR_SPREAD)
        returns = radar_scan(world, self.radar_model, scan_time, generator, self.device)
        transform = camera_from(world, camera, time, self.radar_model, scan_time)
        scan = radar.RadarScan.from_pcd(returns)
        seen = radar.project_scan(scan, transform, camera.intrinsics, camera.width, camera.height)
        channels = radar.rasterize(*seen, camera.width, camera.height)
        single = lidar_depth(world, camera, time, self.lidar, time + _LIDAR_DELAY, generator, self.device)
        sample = {
            "image": frame.image.permute(2, 0, 1).contiguous(),
            "radar": torch.from_numpy(channels).to(self.device),
            "depth": torch.where(torch.isfinite(frame.depth), frame.depth, 0.0),
            "lidar_depth": torch.from_numpy(single).to(self.device),
            "intrinsics": torch.from_numpy(camera.intrinsics).to(self.device),
        }
        if self.accumulate:
            dense = accumulated_lidar_depth(world, camera, time, self.lidar, self.accumulate, generator, self.device)
            sample["accumulated_depth"] = torch.from_numpy(dense).to(self.device)
        return sample


def camera_from(world, camera, time, sensor, sensor_time):
    """Return the 4x4 transform from a sensor at its own time to a camera at its own, with the ego motion between."""
    return geometry.sensor_to_sensor(
        np.array(camera.ego_from_sensor),
        np.array(sensor.ego_from_sensor),
        world.ego_pose(time),
        world.ego_pose(sensor_time),
    )


def _field(camera, lidar):
    """Return the part of the lidar's turn that a camera can see: (centre, half width) in radians, with a margin."""
    edges = np.array([[(u - camera.cx) / camera.fx, 0.0, 1.0] for u in (0.0, camera.width)])
    turn = geometry.invert(np.array(lidar.ego_from_sensor))[:3, :3] @ np.array(camera.ego_from_sensor)[:3, :3]
    azimuth = bearings(edges @ turn.T)
    spread = np.angle(np.exp(1j * (azimuth[0] - azimuth[1])))
    return float(azimuth[1] + spread / 2), float(abs(spread) / 2 + 0.15)


def lidar_depth(world, camera, time, lidar, lidar_time, generator, device="cpu"):
    """Return one lidar scan in a camera's picture: float32 [H, W] metres, 0 where there is no point, nearest wins."""
    points = lidar_scan(world, lidar, lidar_time, generator, device, _field(camera, lidar))
    transform = camera_from(world, camera, time, lidar, lidar_time)
    pixels, depth = geometry.project(geometry.transform_points(transform, points[:, :3]), camera.intrinsics)
    return geometry.splat_depth(pixels, depth, camera.width, camera.height)


def accumulated_lidar_depth(world, camera, time, lidar, offsets, generator, device="cpu", pose_noise=(0.02, 5e-4)):
    """Return many lidar scans in one picture, as accumulated ground truth has it: float32 [H, W] metres, 0 for none.

    offsets: when the scans are taken, seconds after the image. Points on what moves are left out; the poses of the
    other scans err by pose_noise (standard deviations in metres and radians); and what a scan saw from elsewhere shows
    through what hides it from the camera, unless a nearer point wins its pixel. These are the errors of the real thing.
    """
    still = world.actors.speed.numpy() == 0
    field = _field(camera, lidar)
    pixels, depth = [np.zeros((0, 2))], [np.zeros(0)]
    for offset in offsets:
        if not 0 <= time + offset <= MAX_DURATION + 1:
            continue
        points, actor = lidar_scan(world, lidar, time + offset, generator, device, field, with_actor=True)
        points = points[(actor < 0) | still[actor], :3]
        turn = generator.normal(0, pose_noise[1], 3) / 2
        error = geometry.rigid_transform(generator.normal(0, pose_noise[0], 3), (np.sqrt(1 - turn @ turn), *turn))
        transform = camera_from(world, camera, time, lidar, time + offset) @ error
        found = geometry.project(geometry.transform_points(transform, points), camera.intrinsics)
        pixels.append(found[0])
        depth.append(found[1])
    return geometry.splat_depth(np.concatenate(pixels), np.concatenate(depth), camera.width, camera.height)
