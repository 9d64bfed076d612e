# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/CameraInfo to the camera of the rectified image, as REP 104 and image_geometry read it."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import RadarScan
from lircdepth_ros.messages import protocols

Float64Array = npt.NDArray[np.float64]

# Pixels. What is less is no camera's, and would become 0 where it is divided by the binning.
_LEAST_FOCAL_LENGTH = 1e-3


def camera_matrix(message: protocols.CameraInfo) -> tuple[Float64Array, tuple[int, int]]:
    """Return the intrinsics of the rectified image as float64 [3, 3] in pixels, and the image's size (width, height).

    P describes the rectified image wherever it is given; without it K does, if there is no distortion. Both are of the
    full resolution: a region of interest shifts them, and binning scales them. Raises LircDepthError for a camera that
    is not calibrated (K[0] = 0, REP 104), an image that is not rectified, and an impossible region of interest.
    """
    intrinsics = np.array(message.k, dtype=np.float64).reshape(3, 3)
    if not _is_calibrated(intrinsics):
        raise LircDepthError(f"camera_info is not calibrated: K is {intrinsics.reshape(-1).tolist()} (REP 104)")
    projection = np.array(message.p, dtype=np.float64).reshape(3, 4)
    if _is_calibrated(projection):
        intrinsics = projection[:, :3].copy()
    elif any(message.d):
        raise LircDepthError("camera_info has distortion but no P matrix; expected the info of a rectified image")
    elif projection.any():  # NaN, too
        raise LircDepthError(f"camera_info has a P matrix of no camera: {projection.reshape(-1).tolist()}")
    left, top, width, height = _window(message)
    binning = _binning(message)
    intrinsics[0, 2] -= left
    intrinsics[1, 2] -= top
    intrinsics[0] /= binning[0]
    intrinsics[1] /= binning[1]
    return intrinsics, (width // binning[0], height // binning[1])


def moved_to_projection(
    radars: Iterable[tuple[RadarScan, Float64Array]], message: protocols.CameraInfo
) -> list[tuple[RadarScan, Float64Array]]:
    """Return [(scan, camera_from_radar)] with the camera at the optical centre that P projects to.

    That is the origin of the camera's frame, except for the second camera of a stereo pair: its P describes it as seen
    from the first one's frame (P[3] = -fx * baseline, and P[7] below one another).
    """
    if not projection_offset(message).any():
        return list(radars)
    shift = projection_from_camera(message)
    return [(scan, shift @ transform) for scan, transform in radars]


def projection_from_camera(message: protocols.CameraInfo) -> Float64Array:
    """Return 4x4, from the camera's frame to the one at the optical centre that P projects to."""
    shift = np.eye(4)
    shift[:3, 3] = projection_offset(message)
    return shift


def projection_offset(message: protocols.CameraInfo) -> Float64Array:
    """Return what is added to a point [3] of the camera's frame, in metres, before it is projected."""
    projection = np.array(message.p, dtype=np.float64).reshape(3, 4)
    if not _is_calibrated(projection):
        return np.zeros(3)
    return np.array([projection[0, 3] / projection[0, 0], projection[1, 3] / projection[1, 1], 0.0])


def require_size(image: npt.NDArray[Any], size: tuple[int, int], name: str = "the image") -> None:
    """Raise LircDepthError where an image [H, W, ...] is not of camera_info's size (width, height)."""
    if size != (image.shape[1], image.shape[0]):
        raise LircDepthError(f"camera_info is for {size[0]}x{size[1]}, {name} is {image.shape[1]}x{image.shape[0]}")


def _binning(message: protocols.CameraInfo) -> tuple[int, int]:
    return max(message.binning_x, 1), max(message.binning_y, 1)  # 0 means 1


def _window(message: protocols.CameraInfo) -> tuple[int, int, int, int]:
    """Return (left, top, width, height) of the part of the full resolution that the image shows."""
    roi = message.roi
    values = (roi.x_offset, roi.y_offset, roi.width, roi.height)
    if not any(values):
        return 0, 0, message.width, message.height
    width, height = roi.width or message.width - roi.x_offset, roi.height or message.height - roi.y_offset
    if roi.x_offset + width > message.width or roi.y_offset + height > message.height or min(width, height) <= 0:
        raise LircDepthError(
            f"camera_info has a region of interest of {roi.width}x{roi.height} at ({roi.x_offset}, {roi.y_offset}), "
            f"beyond the full resolution of {message.width}x{message.height} (REP 104)"
        )
    return roi.x_offset, roi.y_offset, width, height


def _is_calibrated(matrix: Float64Array) -> bool:
    return bool(np.isfinite(matrix).all() and min(matrix[0, 0], matrix[1, 1]) >= _LEAST_FOCAL_LENGTH)
