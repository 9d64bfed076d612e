# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth and radar as points in space: pure functions of arrays.

Pictures are drawn in lircdepth_core.evaluation.colours.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lircdepth_core.geometry import transform_points
from lircdepth_core.radar import RadarScan

ARROW_S = 0.5  # a return's line ends where it is after this time
POINT_DTYPE = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])


def organised_points(
    depth: npt.NDArray[np.float32], image: npt.NDArray[np.uint8], intrinsics: npt.NDArray[np.float64], stride: int
) -> npt.NDArray[np.void]:
    """Return every ``stride``-th pixel of depth [H, W] m as a point, POINT_DTYPE [ceil(H / stride), ceil(W / stride)].

    image: uint8 [H, W, 3] RGB, which gives the colours. Points are in the camera's optical frame, in metres; those
    without finite depth are NaN, as in an organised cloud.
    """
    z = depth[::stride, ::stride]
    z = np.where(np.isfinite(z), z, np.nan)
    v, u = np.indices(z.shape) * stride
    points = np.empty(z.shape, POINT_DTYPE)
    points["x"] = (u - intrinsics[0, 2]) / intrinsics[0, 0] * z
    points["y"] = (v - intrinsics[1, 2]) / intrinsics[1, 1] * z
    points["z"] = z
    red, green, blue = np.moveaxis(image[::stride, ::stride].astype(np.uint32), 2, 0)
    points["rgb"] = red << 16 | green << 8 | blue
    return points


def return_arrows(
    radars: Iterable[tuple[RadarScan, npt.NDArray[np.float64]]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return where radar returns are and where they will be after ARROW_S, [N, 3] metres in the camera's frame.

    radars: (scan, camera_from_radar 4x4). The motion is that relative to the sensor, as the network reads it.
    """
    starts, ends = [np.zeros((0, 3))], [np.zeros((0, 3))]
    for scan, camera_from_radar in radars:
        starts.append(transform_points(camera_from_radar, scan.points))
        moved = scan.points.astype(np.float64)
        moved[:, :2] += ARROW_S * scan.velocity
        ends.append(transform_points(camera_from_radar, moved))
    return np.concatenate(starts), np.concatenate(ends)
