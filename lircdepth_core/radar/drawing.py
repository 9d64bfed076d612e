# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radar scans drawn into the four channels that the network reads: depth, RCS, vx, vy."""

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.radar.motion import velocity_in_camera_heading


def nearest_returns(pixels, depth, rcs, velocity, width):
    """Return the pixels that returns fall on, as places [M] = row * width + column, and their values float32 [M, 4].

    pixels [N, 2], depth [N] m, rcs [N] dBsm, velocity [N, 2] m/s. A value is depth, RCS, vx, vy. A return's pixel is
    its position rounded half to even; the nearest return wins a pixel, so that no place comes up twice.
    """
    places, nearest = geometry.nearest_points(pixels, depth, width)
    values = np.column_stack([depth, rcs, velocity]).astype(np.float32)
    return places, values[nearest]


def rasterize(pixels, depth, rcs, velocity, width, height):
    """Draw returns that are inside the image into radar channels: float32 [4, height, width].

    Returns as for ``nearest_returns``. The channels are depth, RCS, vx, vy, zero where there is no return.
    """
    places, values = nearest_returns(pixels, depth, rcs, velocity, width)
    channels = np.zeros((4, height * width), dtype=np.float32)
    channels[:, places] = values.T
    return channels.reshape(4, height, width)


def project_scan(scan, camera_from_radar, intrinsics, width, height):
    """Project a scan into an image of width x height.

    Returns pixels [M, 2], depth [M], rcs [M] and velocity [M, 2] (along the camera's heading) of the M returns that
    the image sees, in scan order.
    """
    pixels, depth = geometry.project(geometry.transform_points(camera_from_radar, scan.points), intrinsics)
    seen = geometry.visible(pixels, depth, width, height)
    return pixels[seen], depth[seen], scan.rcs[seen], velocity_in_camera_heading(scan.velocity[seen], camera_from_radar)


NOTHING_SEEN = (np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.float32), np.zeros((0, 2), np.float32))
