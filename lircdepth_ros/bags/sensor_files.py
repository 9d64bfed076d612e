# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Sensor files of nuScenes as the data of ROS messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.pictures import decode_picture

# ROS lidar drivers give the ring as a 16-bit integer and the time as seconds, and readers rely on it.
LIDAR_POINT = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4"), ("ring", "<u2"), ("time", "<f4")]
)

LIDAR_FILE_POINT_BYTES = 20  # five float32


def image_format(data: bytes, path: str | Path) -> str:
    """Return "jpeg" or "png". Raises LircDepthError, naming ``path``, for other and for truncated data."""
    if data.startswith(b"\xff\xd8") and data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xaeB`\x82"):
        return "png"
    raise LircDepthError(f"{path}: truncated, or neither JPEG nor PNG")


def decode_image(data: bytes, path: str | Path) -> npt.NDArray[np.uint8]:
    """Return an image file as uint8 [H, W, 3], BGR, as camera drivers publish it. Raises LircDepthError."""
    return np.ascontiguousarray(decode_picture(data, path)[..., ::-1])


def lidar_points(data: bytes, path: str | Path) -> npt.NDArray[np.void]:
    """Return a nuScenes lidar file as a structured array [N] of dtype LIDAR_POINT. Raises LircDepthError."""
    scan = nuscenes.decode_lidar(data, path)
    points = np.empty(len(scan), LIDAR_POINT)
    for i, name in enumerate(("x", "y", "z", "intensity")):
        points[name] = scan[:, i]
    with np.errstate(invalid="ignore"):
        points["ring"] = scan[:, 4]
    if not np.array_equal(points["ring"], scan[:, 4]):
        raise LircDepthError(f"{path}: a ring number is not a whole number from 0 to 65535")
    points["time"] = nuscenes.lidar_point_times(points["ring"])
    return points
