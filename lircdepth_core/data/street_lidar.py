# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a lidar tells about a frame of a synthetic street: one scan, and dense depth accumulated from many."""

import numpy as np
import torch

from lircdepth_core.data.frame import Frame
from lircdepth_core.data.ground_truth import dense_from_accumulated
from lircdepth_core.synthetic.sensors.rig import LIDAR_DELAY_S, CameraModel, LidarModel
from lircdepth_core.synthetic.sensors.scan_images import accumulated_lidar_depth, lidar_depth
from lircdepth_core.synthetic.world.world import World

_ACCUMULATED_S = 3.0  # before and after the image: the scans that dense depth is accumulated from
_PERIOD_S = 0.15  # between these scans for a camera of full size; fewer of them fill a smaller picture
_LONGEST_PERIOD_S = 0.6


def lidar_maps(
    world: World,
    camera: CameraModel,
    time: float,
    generator: np.random.Generator,
    scale: float,
    lidar: LidarModel = LidarModel(),  # noqa: B008 - frozen
    device: torch.device | str = "cpu",
) -> Frame:
    """Return "single" and "dense", float32 [1, H, W] metres, 0 = unknown, of a camera at a time [s].

    generator: of the lidar's noise. scale: of the camera's pictures, 1 for 1600x900: it says how many scans are taken.
    """
    single = lidar_depth(world, camera, time, lidar, time + LIDAR_DELAY_S, generator, device)
    period = min(_PERIOD_S / scale, _LONGEST_PERIOD_S)
    scans = period * np.arange(-int(_ACCUMULATED_S / period), int(_ACCUMULATED_S / period) + 1)
    accumulated = accumulated_lidar_depth(world, camera, time, lidar, scans, generator, device)
    return {
        "dense": torch.from_numpy(dense_from_accumulated(accumulated, float(camera.fx)))[None],
        "single": torch.from_numpy(single)[None],
    }
