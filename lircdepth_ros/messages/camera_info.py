# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/CameraInfo to the intrinsics of the rectified image."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages import protocols


def camera_matrix(message: protocols.CameraInfo) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
    """Return the intrinsics of the rectified image as float64 [3, 3] in pixels, and the image's size (width, height).

    Raises LircDepthError for a camera that is not calibrated (K[0] = 0, REP 104) or an image that is not rectified.
    """
    intrinsics = np.asarray(message.k, dtype=np.float64).reshape(3, 3)
    if not _is_calibrated(intrinsics):
        raise LircDepthError(f"camera_info is not calibrated: K is {intrinsics.reshape(-1).tolist()} (REP 104)")
    if any(message.d):
        # A rectified topic keeps D for users who want the raw image back; P describes the rectified image.
        intrinsics = np.asarray(message.p, dtype=np.float64).reshape(3, 4)[:, :3]
        if not _is_calibrated(intrinsics):
            raise LircDepthError("camera_info has distortion but no P matrix; expected the info of a rectified image")
    return intrinsics, (message.width, message.height)


def require_size(image: npt.NDArray[Any], size: tuple[int, int], name: str = "the image") -> None:
    """Raise LircDepthError where an image [H, W, ...] is not of camera_info's size (width, height)."""
    if size != (image.shape[1], image.shape[0]):
        raise LircDepthError(f"camera_info is for {size[0]}x{size[1]}, {name} is {image.shape[1]}x{image.shape[0]}")


def _is_calibrated(matrix: npt.NDArray[np.float64]) -> bool:
    return bool(np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0)
