# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What trivial guesses reach on the frozen sets: a constant, the ground plane, the nearest radar return by column.

A network that is not clearly better than these has learned nothing; a set on which these are good would be too easy.
"""

import numpy as np

from lircdepth_core import radar
from lircdepth_core.evaluation.metrics import CAPS, depth_errors
from lircdepth_core.synthetic.render.camera import camera_depth
from lircdepth_core.synthetic.sensors.dataset import camera_from, lidar_depth
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.sensors.rig import CameraModel, LidarModel, RadarModel
from lircdepth_core.synthetic.world.builder import build_world

_CROPPED_ROWS = 4  # at the top, where 900 rows become a multiple of 32


def constant(camera, _returns, value):
    """The same depth everywhere."""
    return np.full((camera.height, camera.width), value)


def ground_plane(camera, _returns, _value):
    """The depth at which each pixel's ray meets level ground below the camera; the greatest cap above the horizon."""
    height = camera.ego_from_sensor[2][3]
    down = (np.arange(camera.height) - camera.cy) / camera.fy
    depth = np.where(down > 0, height / np.maximum(down, 1e-9), CAPS[-1])
    return np.repeat(np.minimum(depth, CAPS[-1])[:, None], camera.width, axis=1)


def nearest_return(camera, returns, value):
    """The depth of the radar return that lies nearest in columns (of several, the nearest one); ``value`` without
    any."""
    pixels, depth = returns
    if not len(depth):
        return constant(camera, returns, value)
    apart = np.abs(np.arange(camera.width)[:, None] - np.rint(pixels[:, 0]))
    columns = depth[np.lexsort((np.broadcast_to(depth, apart.shape), apart), axis=1)[:, 0]]
    return np.repeat(columns[None], camera.height, axis=0)


BASELINES = {"constant": constant, "ground plane": ground_plane, "nearest return by column": nearest_return}


def frames(specs, per_scene, camera=CameraModel(), progress=lambda items: items):  # noqa: B008 - frozen
    """Yield (exact depth, single-scan lidar depth [H, W], (pixels, depth) of radar returns) of evenly spaced
    moments."""
    lidar, front = LidarModel(), RadarModel()
    for spec in progress(specs):
        world = build_world(spec.seed, weather_name=spec.weather, difficulty=spec.difficulty)
        for index, time in enumerate(np.linspace(0.5, 19.5, per_scene)):
            generator = np.random.default_rng((*spec.seed, 4, index))
            exact = camera_depth(world, camera, time).numpy()
            measured = lidar_depth(world, camera, time, lidar, time + 0.0355, generator)
            scan = radar.RadarScan.from_pcd(radar_scan(world, front, time + 0.02, generator))
            transform = camera_from(world, camera, time, front, time + 0.02)
            seen = radar.project_scan(scan, transform, camera.intrinsics, camera.width, camera.height)
            yield exact, measured, seen[:2]


def evaluate(specs, fitted_on, per_scene=5, camera=CameraModel(), progress=lambda items: items):  # noqa: B008 - frozen
    """Return {(truth, baseline): {cap: (MAE, RMSE)}}, means over images; truth is "lidar" or "exact".

    The constant is the median lidar depth of the scenes ``fitted_on``.
    """
    depths = [measured[(measured > 0) & (measured < CAPS[-1])] for _, measured, _ in frames(fitted_on, 2, camera)]
    value = float(np.median(np.concatenate(depths)))
    collected = {}
    for exact, measured, returns in frames(specs, per_scene, camera, progress):
        for name, guess in BASELINES.items():
            prediction = guess(camera, returns, value)
            for truth, depth in (("lidar", measured), ("exact", exact)):
                for cap in CAPS:
                    error = depth_errors(prediction[_CROPPED_ROWS:], depth[_CROPPED_ROWS:], cap)
                    collected.setdefault((truth, name), {}).setdefault(cap, []).append((error["mae"], error["rmse"]))
    return {
        key: {cap: tuple(np.mean(values, axis=0).tolist()) for cap, values in caps.items()}
        for key, caps in collected.items()
    }, value
