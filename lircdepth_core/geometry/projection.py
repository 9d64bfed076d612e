# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pinhole projection, and points drawn into the pixels of an image: one rule for radar, lidar and ground truth.

Lengths are metres, computed in float64. Cameras look along +z with x right and y down (REP 103, optical frame). A point
falls on the pixel that its position is nearest to, halves rounded to even; the nearest point wins a pixel.
"""

import numpy as np
import numpy.typing as npt


def project(
    points_camera: npt.ArrayLike, intrinsics: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Project points in the camera's optical frame with a pinhole camera.

    points_camera: [N, 3] metres. intrinsics: [3, 3] (pixels).
    Returns pixels [N, 2] (u along columns, v along rows; NaN where depth is not positive) and depth [N] metres.
    """
    points = np.asarray(points_camera, dtype=np.float64)
    depth = points[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = points @ np.asarray(intrinsics, dtype=np.float64)[:2].T / depth[:, None]
    pixels[~(depth > 0)] = np.nan
    return pixels, depth


def visible(
    pixels: npt.NDArray[np.float64], depth: npt.NDArray[np.float64], width: int, height: int, min_depth: float = 1.0
) -> npt.NDArray[np.bool_]:
    """Return which projected points an image of width x height sees, as nuScenes counts it: bool [N].

    depth > min_depth (metres), 1 < u < width - 1 and 1 < v < height - 1 (devkit, map_pointcloud_to_image).
    """
    u, v = pixels[:, 0], pixels[:, 1]
    seen: npt.NDArray[np.bool_] = (depth > min_depth) & (u > 1) & (u < width - 1) & (v > 1) & (v < height - 1)
    return seen


def nearest_points(
    pixels: npt.NDArray[np.float64], depth: npt.NDArray[np.float64], width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Return the pixels on which points fall, and the point that wins each: the nearest; of equal ones, the last.

    pixels: [N, 2], inside the image. depth: [N] metres. width: of the image.
    Returns places [M], ascending, row * width + column, and the winners' indices [M]. For many points of which only the
    depth matters ``splat_depth`` is faster.
    """
    nearest_first = np.argsort(-depth, kind="stable")[::-1]
    places, first = np.unique(_places(pixels, width)[nearest_first], return_index=True)
    return places, nearest_first[first]


def splat_depth(
    pixels: npt.NDArray[np.float64], depth: npt.NDArray[np.float64], width: int, height: int
) -> npt.NDArray[np.float32]:
    """Draw those projected points that an image sees (see ``visible``) into a depth map.

    pixels: [N, 2], depth: [N] metres, as ``project`` returns them. Returns float32 [height, width] metres, 0 = none.
    """
    seen = visible(pixels, depth, width, height)
    places = _places(pixels[seen], width)
    depth_map = np.zeros(height * width, np.float32)
    depth_map[places] = np.inf
    np.minimum.at(depth_map, places, depth[seen].astype(np.float32))
    return depth_map.reshape(height, width)


def _places(pixels: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.int64]:
    columns, rows = np.rint(pixels).astype(np.int64).T
    places: npt.NDArray[np.int64] = rows * width + columns
    return places
