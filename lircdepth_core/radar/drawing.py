# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radar scans projected into an image, and drawn into the four channels that the network reads: depth, RCS, vx, vy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.radar.motion import velocity_in_camera_heading
from lircdepth_core.radar.scan import RadarScan


class ProjectedReturns(NamedTuple):
    """Radar returns in an image.

    pixels [N, 2] (u, v), depth [N] m, rcs [N] dBsm, velocity [N, 2] m/s (vx, vy along the camera's heading).
    """

    pixels: Float64Array
    depth: Float64Array
    rcs: npt.NDArray[np.float32]
    velocity: npt.NDArray[np.float32]

    def resampled(
        self, scale: float | Float64Array, width: int, height: int, left: int = 0, top: int = 0
    ) -> ProjectedReturns:
        """Return the returns inside a window of the resampled image.

        scale: of the image, one number or (along u, along v). width, height, left, top: of the window, in pixels of
        the resampled image. Pixel centres map as in the image's resampling.
        """
        pixels = (self.pixels + 0.5) * scale - 0.5 - (left, top)
        rounded = np.rint(pixels)
        inside = ((rounded >= 0) & (rounded < (width, height))).all(axis=1)
        return ProjectedReturns(pixels[inside], self.depth[inside], self.rcs[inside], self.velocity[inside])


def project_scan(
    scan: RadarScan, camera_from_radar: Float64Array, intrinsics: npt.ArrayLike, width: int, height: int
) -> ProjectedReturns:
    """Return the returns of a scan that an image of width x height sees (geometry.visible), in scan order."""
    pixels, depth = geometry.project(geometry.transform_points(camera_from_radar, scan.points), intrinsics)
    seen = geometry.visible(pixels, depth, width, height)
    velocity = velocity_in_camera_heading(scan.velocity[seen], camera_from_radar)
    return ProjectedReturns(pixels[seen], depth[seen], scan.rcs[seen], velocity)


def project_scans(
    radars: Iterable[tuple[RadarScan, Float64Array]], intrinsics: npt.ArrayLike, width: int, height: int
) -> ProjectedReturns:
    """Return the returns of all scans that an image sees. radars: pairs (scan, camera_from_radar), or none."""
    seen = [project_scan(scan, transform, intrinsics, width, height) for scan, transform in radars]
    if not seen:
        nothing = np.zeros(0, np.float32)
        return ProjectedReturns(np.zeros((0, 2)), np.zeros(0), nothing, nothing.reshape(0, 2))
    return ProjectedReturns(*(np.concatenate(values) for values in zip(*seen, strict=True)))


def nearest_returns(
    pixels: Float64Array,
    depth: Float64Array,
    rcs: npt.NDArray[np.float32],
    velocity: npt.NDArray[np.float32],
    width: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the pixels that returns fall on, as places [M] = row * width + column, and their values float32 [M, 4].

    Returns as in ProjectedReturns, all inside an image of ``width``. A value is depth, RCS, vx, vy. The nearest return
    wins a pixel (geometry.nearest_points), so that no place comes up twice.
    """
    places, nearest = geometry.nearest_points(pixels, depth, width)
    values = np.column_stack([depth, rcs, velocity]).astype(np.float32)
    return places, values[nearest]


def rasterize(
    pixels: Float64Array,
    depth: Float64Array,
    rcs: npt.NDArray[np.float32],
    velocity: npt.NDArray[np.float32],
    width: int,
    height: int,
) -> npt.NDArray[np.float32]:
    """Draw returns that are inside the image into radar channels: float32 [4, height, width].

    Returns as for ``nearest_returns``. The channels are depth, RCS, vx, vy, zero where there is no return.
    """
    places, values = nearest_returns(pixels, depth, rcs, velocity, width)
    channels = np.zeros((4, height * width), dtype=np.float32)
    channels[:, places] = values.T
    return channels.reshape(4, height, width)
