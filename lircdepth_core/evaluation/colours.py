# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth as colours, and radar returns drawn over an image: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lircdepth_core import radar
from lircdepth_core.radar import RadarScan


def colorize(depth: npt.NDArray[np.float32], max_range: float) -> npt.NDArray[np.uint8]:
    """Return depth [H, W] m as uint8 [H, W, 3] RGB, near red to far blue (``max_range`` [m]); black where it is NaN."""
    import cv2

    with np.errstate(invalid="ignore"):
        near = np.clip(255 * (1 - depth / max_range), 0, 255)
    near[np.isnan(near)] = 0
    picture = cv2.cvtColor(cv2.applyColorMap(near.astype(np.uint8), cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    picture[np.isnan(depth)] = 0
    return picture.view(np.uint8)


def draw_returns(
    image: npt.NDArray[np.uint8],
    intrinsics: npt.NDArray[np.float64],
    radars: Iterable[tuple[RadarScan, npt.NDArray[np.float64]]],
    max_range: float,
) -> npt.NDArray[np.uint8]:
    """Return a copy of an image uint8 [H, W, 3] RGB with each radar return in view as a disc.

    radars: (scan, camera_from_radar 4x4). A disc is coloured by its distance as in ``colorize``.
    """
    import cv2

    picture = image.copy()
    height, width = image.shape[:2]
    radius = max(2, width // 200)
    for scan, camera_from_radar in radars:
        pixels, depth, _, _ = radar.project_scan(scan, camera_from_radar, intrinsics, width, height)
        if not len(depth):  # OpenCV divides by zero, which ends the process, where it colours an empty array
            continue
        colors = colorize(depth[None].astype(np.float32), max_range)[0]
        for (u, v), color in zip(np.rint(pixels).astype(int).tolist(), colors.tolist(), strict=True):
            cv2.circle(picture, (u, v), radius, color, thickness=-1)
    return picture
