# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth as points in space: a pure function of arrays. Pictures are drawn in lircdepth_core.evaluation.colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
