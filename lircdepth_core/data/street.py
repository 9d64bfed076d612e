# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of the synthetic street, rendered on any device: for files that training and evaluation read at full speed."""

import numpy as np
import torch

from lircdepth_core.data.ground_truth import dense_from_accumulated
from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import RadarScan, project_scan, rasterize

_REACH = 3.0  # seconds before and after the image: the lidar scans that dense depth is accumulated from
_EVERY, _SELDOM = 0.15, 0.6  # seconds between them for a camera of full size; a smaller picture is filled by fewer
_A_STREET = 4  # frames of training: building a street costs as much as several
_FIRST, _LAST = 1.0, 19.0  # seconds of a scene
_RADAR_SPREAD, _LIDAR_DELAY = 0.03, 0.0355  # seconds between image, radar and lidar at most


class StreetFrames:
    """``count`` frames of a split of the street: "train" draws a new street for every four, "val" and "test" are
    the frozen scenes, the frames spread over each scene's duration.

    scale: of nuScenes' 1600x900 camera. exact: also the rendered depth, which evaluation wants and training must not
    see. Raises LircDepthError for a split that there is not.
    """

    def __init__(self, split, count, scale=0.5, seed=0, exact=None, device="cpu"):
        from lircdepth_core.synthetic.sensors.rig import CameraModel
        from lircdepth_core.synthetic.world.splits import SPLITS

        if split != "train" and split not in SPLITS:
            raise LircDepthError(f"street split {split!r}: expected train, {', '.join(SPLITS)}")
        self.camera = CameraModel().scaled(scale)
        self.size, self.focal_length = (self.camera.height, self.camera.width), float(self.camera.fx)
        self._split, self._specs, self._count, self._seed = split, SPLITS.get(split), count, seed
        self._exact = split != "train" if exact is None else exact
        self._device = device
        every = min(_EVERY / scale, _SELDOM)
        self._scans = every * np.arange(-int(_REACH / every), int(_REACH / every) + 1)
        self.description = f"synthetic street, {split}, {count} frames" + (f", seed {seed}" if split == "train" else "")
        self._world = (None, None)

    def __len__(self):
        return self._count

    def _moment(self, index):
        """(key, arguments of build_world, time) of a frame."""
        if self._split == "train":
            time = np.random.default_rng((self._seed, index, 5)).uniform(_FIRST, _LAST)
            return (self._seed, index // _A_STREET), {}, float(time)
        spec = self._specs[index % len(self._specs)]
        rounds = -(-self._count // len(self._specs))
        time = _FIRST + (_LAST - _FIRST) * (index // len(self._specs) + 0.5) / rounds
        return spec.seed, {"weather_name": spec.weather, "difficulty": spec.difficulty}, time

    def frame(self, index):
        """Return the raw frame ``index``, see data.frame; the same for the same arguments."""
        from lircdepth_core.synthetic.render.camera import camera_frame
        from lircdepth_core.synthetic.sensors.dataset import accumulated_lidar_depth, camera_from, lidar_depth
        from lircdepth_core.synthetic.sensors.radar import radar_scan
        from lircdepth_core.synthetic.sensors.rig import LidarModel, RadarModel
        from lircdepth_core.synthetic.world.builder import build_world

        key, options, time = self._moment(index)
        if self._world[0] != key:
            self._world = key, build_world(key, **options)
        world, camera, device = self._world[1], self.camera, self._device
        generator = np.random.default_rng((*key, 6, index))
        lidar, radar = LidarModel(), RadarModel()
        image = camera_frame(world, camera, time, device)
        scan_time = time + generator.uniform(-_RADAR_SPREAD, 2 * _RADAR_SPREAD)
        scan = RadarScan.from_pcd(radar_scan(world, radar, scan_time, generator, device))
        transform = camera_from(world, camera, time, radar, scan_time)
        channels = rasterize(
            *project_scan(scan, transform, camera.intrinsics, camera.width, camera.height), camera.width, camera.height
        )
        single = lidar_depth(world, camera, time, lidar, time + _LIDAR_DELAY, generator, device)
        accumulated = accumulated_lidar_depth(world, camera, time, lidar, self._scans, generator, device)
        frame = {
            "image": image.image.permute(2, 0, 1).cpu(),
            "radar": torch.from_numpy(channels),
            "dense": torch.from_numpy(dense_from_accumulated(accumulated, self.focal_length))[None],
            "single": torch.from_numpy(single)[None],
        }
        if self._exact:
            frame["exact"] = torch.where(torch.isfinite(image.depth), image.depth, 0.0).float().cpu()[None]
        return frame
