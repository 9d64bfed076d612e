# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Bags of a drive past a car that crosses the road, towards a wall: lidar, poses, and depth that is known exactly."""

import numpy as np

import small_bags as small
from lircdepth_core.geometry import rigid_transform
from lircdepth_ros.messages import building
from small_bags import IMAGE, INFO, LIDAR, MS, RADAR, START

SECONDS, SPEED = 8, 5.0  # m/s, straight ahead
WALL_M, ROAD_M = 60.0, -1.8  # ahead of the start, and below the lidar
MOUNTING = small.MOUNTING | {"LIDAR_TOP": rigid_transform((0.9, 0.0, 1.8), (1.0, 0.0, 0.0, 0.0))}
INTRINSICS = np.array([[160.0, 0, 80], [0, 160.0, 48], [0, 0, 1.0]])


def car(seconds):
    """The side of a car that crosses the road 20 m ahead of the start: x, then its extent in y, in the map."""
    y = -12 + 4.0 * seconds
    return 25.0, (y, y + 4.0)


def cast(origin, directions, seconds, *, moving=True):
    """Return the distance along each direction to the wall, the road or the car. The vehicle never turns."""
    with np.errstate(divide="ignore", invalid="ignore"):
        road = np.where(directions[:, 2] < 0, -origin[2] / directions[:, 2], np.inf)
        wall = np.where(directions[:, 0] > 0, (WALL_M - origin[0]) / directions[:, 0], np.inf)
        place, (right, left) = car(seconds)
        near = np.where(directions[:, 0] > 0, (place - origin[0]) / directions[:, 0], np.inf)
        hit = origin + near[:, None] * directions
        on_car = (near > 0) & (hit[:, 1] > right) & (hit[:, 1] < left) & (hit[:, 2] > 0) & (hit[:, 2] < 1.6)
    return np.minimum(np.minimum(road, wall), np.where(on_car & moving, near, np.inf))


def lidar_scan(stamp):
    seconds = (stamp - START) / 1e9
    azimuth, elevation = np.meshgrid(np.radians(np.arange(-40, 40, 0.5)), np.radians(np.arange(-24, 8, 1.0)))
    directions = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1
    ).reshape(-1, 3)
    origin = np.array([SPEED * seconds + 0.9, 0.0, 1.8])
    distance = cast(origin, directions, seconds)
    found = (directions * distance[:, None])[np.isfinite(distance) & (distance < 70)]
    points = np.zeros(len(found), [(axis, "<f4") for axis in "xyz"])
    for axis, values in zip("xyz", found.T, strict=True):
        points[axis] = values
    return building.point_cloud(stamp, "LIDAR_TOP", points)


def true_depth(stamp):
    """The depth of the camera's image at a stamp, and where the car is in it."""
    seconds = (stamp - START) / 1e9
    columns, rows = np.meshgrid(np.arange(small.WIDTH), np.arange(small.HEIGHT))
    rays = np.stack([np.ones_like(columns), (80 - columns) / 160.0, (48 - rows) / 160.0], axis=-1).reshape(-1, 3)
    origin = np.array([SPEED * seconds + 1.7, 0.0, 1.5])
    depth = cast(origin, rays, seconds)  # along x, since the rays have x = 1
    still = cast(origin, rays, seconds, moving=False)
    shape = small.HEIGHT, small.WIDTH
    return depth.reshape(shape), (depth < still).reshape(shape)


def drive(path, *, lidar=True, poses=True, info=True, seconds=SECONDS, sizes=None, zoom=1.0, more=()):
    """Write a drive. zoom: factor of the focal length. more: further (topic, log time, message)."""
    entries = [*more, ("/tf_static", START - 100 * MS, building.tf_message(
        building.transform_stamped(START, "base_link", frame, transform) for frame, transform in MOUNTING.items()))
    ]  # fmt: skip
    for i in range(seconds * 10):
        stamp = START + i * 100 * MS
        entries.append((IMAGE, stamp, small.image(stamp)))
        if info:
            intrinsics = INTRINSICS * [[zoom, 1, 1], [1, zoom, 1], [1, 1, 1]]
            intrinsics = intrinsics * (np.array([[2.0], [1], [1]]) if sizes and i > 30 else 1)
            entries.append(
                (INFO, stamp, building.camera_info(stamp, "CAM_FRONT", intrinsics, small.WIDTH, small.HEIGHT))
            )
        entries.append((RADAR, stamp + 13 * MS, small.cloud(stamp + 13 * MS)))
        if lidar:
            entries.append((LIDAR, stamp + 30 * MS, lidar_scan(stamp + 30 * MS)))
    if poses:
        stamps = [START + i * 20 * MS for i in range(-10, seconds * 50 + 10)]
        entries += [("/odom", stamp, small.odometry(stamp, (stamp - START) / 1e9 * SPEED)) for stamp in stamps]
    return small.write(path, entries)
