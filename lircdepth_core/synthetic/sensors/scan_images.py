# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lidar scans in a camera's picture: one scan, and many of them accumulated with the errors of the real thing."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.sensors.lidar import lidar_echoes
from lircdepth_core.synthetic.sensors.rig import CameraModel, LidarModel, SensorModel
from lircdepth_core.synthetic.sensors.scanning import bearings
from lircdepth_core.synthetic.world.world import MAX_DURATION_S, World

_FIELD_MARGIN_RAD = 0.15


def camera_from_sensor(
    world: World, camera: CameraModel, time: float, sensor: SensorModel, sensor_time: float
) -> npt.NDArray[np.float64]:
    """Return the 4x4 transform from a sensor at its own time to a camera at its own, with the ego motion between."""
    return geometry.sensor_to_sensor(
        np.array(camera.ego_from_sensor),
        np.array(sensor.ego_from_sensor),
        world.ego_pose(time),
        world.ego_pose(sensor_time),
    )


def lidar_depth(
    world: World,
    camera: CameraModel,
    time: float,
    lidar: LidarModel,
    lidar_time: float,
    generator: np.random.Generator,
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.float32]:
    """Return one lidar scan in a camera's picture: float32 [H, W] metres, 0 where there is no point.

    The nearest point wins a pixel.
    """
    [echoes] = lidar_echoes(world, lidar, [lidar_time], device, _field(camera, lidar))
    transform = camera_from_sensor(world, camera, time, lidar, lidar_time)
    points = geometry.transform_points(transform, echoes.measured(generator).points[:, :3])
    return geometry.splat_depth(*geometry.project(points, camera.intrinsics), camera.width, camera.height)


def accumulated_lidar_depth(
    world: World,
    camera: CameraModel,
    time: float,
    lidar: LidarModel,
    offsets: Iterable[float],
    generator: np.random.Generator,
    device: torch.device | str = "cpu",
    pose_noise: tuple[float, float] = (0.02, 5e-4),
) -> npt.NDArray[np.float32]:
    """Return many lidar scans in one picture, as accumulated ground truth has it: float32 [H, W] metres, 0 for none.

    offsets: when the scans are taken, seconds after the image. It has the errors of the real thing: points on movers
    are left out; the poses of the other scans err by pose_noise (standard deviations in metres and radians); and what a
    scan saw from elsewhere shows through what hides it from the camera, unless a nearer point wins its pixel.
    """
    still = world.actors.speed.numpy() == 0
    times = [time + offset for offset in offsets if 0 <= time + offset <= MAX_DURATION_S + 1]
    pixels, depth = [np.zeros((0, 2))], [np.zeros(0)]
    for scan_time, echoes in zip(times, lidar_echoes(world, lidar, times, device, _field(camera, lidar)), strict=True):
        points, actor = echoes.measured(generator)
        points = points[(actor < 0) | still[actor], :3]
        turn = generator.normal(0, pose_noise[1], 3) / 2
        error = geometry.rigid_transform(generator.normal(0, pose_noise[0], 3), (np.sqrt(1 - turn @ turn), *turn))
        transform = camera_from_sensor(world, camera, time, lidar, scan_time) @ error
        found = geometry.project(geometry.transform_points(transform, points), camera.intrinsics)
        pixels.append(found[0])
        depth.append(found[1])
    return geometry.splat_depth(np.concatenate(pixels), np.concatenate(depth), camera.width, camera.height)


def _field(camera: CameraModel, lidar: LidarModel) -> tuple[float, float]:
    """Return the part of the lidar's turn that a camera can see: (centre, half width) in radians, with a margin."""
    edges = np.array([[(u - camera.cx) / camera.fx, 0.0, 1.0] for u in (0.0, camera.width)])
    turn = geometry.invert(np.array(lidar.ego_from_sensor))[:3, :3] @ np.array(camera.ego_from_sensor)[:3, :3]
    azimuth = bearings(edges @ turn.T)
    spread = np.angle(np.exp(1j * (azimuth[0] - azimuth[1])))
    return float(azimuth[1] + spread / 2), float(abs(spread) / 2 + _FIELD_MARGIN_RAD)
