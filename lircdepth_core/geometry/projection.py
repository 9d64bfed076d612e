# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pinhole projection, in float64.

Lengths are metres. Cameras look along +z with x right and y down (REP 103, optical frame).
"""

import numpy as np


def project(points_camera, intrinsics):
    """Project points in the camera's optical frame with a pinhole camera.

    points_camera: [N, 3] metres. intrinsics: [3, 3] (pixels).
    Returns pixels [N, 2] (u along columns, v along rows; NaN where depth is not positive) and depth [N] metres.
    """
    points_camera = np.asarray(points_camera, dtype=np.float64)
    depth = points_camera[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = points_camera @ np.asarray(intrinsics, dtype=np.float64)[:2].T / depth[:, None]
    pixels[~(depth > 0)] = np.nan
    return pixels, depth


def visible(pixels, depth, width, height, min_depth=1.0):
    """Return which projected points an image of width x height sees, as nuScenes counts it: bool [N].

    depth > min_depth (metres), 1 < u < width - 1 and 1 < v < height - 1 (devkit, map_pointcloud_to_image).
    """
    u, v = pixels[:, 0], pixels[:, 1]
    return (depth > min_depth) & (u > 1) & (u < width - 1) & (v > 1) & (v < height - 1)
