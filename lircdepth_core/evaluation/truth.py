# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What depth is compared with: a lidar scan, or depth that was rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry
from lircdepth_core.data import ground_truth
from lircdepth_core.data.frame import BEYOND_RANGE_M
from lircdepth_core.data.nuscenes_frames import NuScenesFrames

Truth = Literal["lidar", "exact"]
Depth = npt.NDArray[np.float32]


def of_key_frame(frames: NuScenesFrames, sample: dict[str, Any], kind: Truth) -> Depth:
    """Return the true depth of a key frame's image, float32 [H, W] metres, 0 = unknown.

    kind: "lidar", its single scan, or "exact", the rendered depth of a synthetic data root. Raises LircDepthError where
    there is no such depth.
    """
    camera, _, lidar = frames.channels
    if kind == "lidar":
        return ground_truth.single_scan_depth(frames.nusc, sample, camera, lidar)
    record = frames.nusc.get("sample_data", sample["data"][camera])
    return ground_truth.read_depth(Path(frames.nusc.dataroot, "depth", camera, f"{Path(record['filename']).stem}.png"))


def of_prepared_frame(sample: dict[str, torch.Tensor]) -> Depth:
    """Return a prepared frame's rendered depth [H, W] metres where it has it, or its single lidar scan; 0 = unknown.

    The rendered depth is "rendered" or, of frames with lidar, "exact".
    """
    return next(sample[name] for name in ("rendered", "exact", "single") if name in sample)[0].numpy()


def sky_of(sample: dict[str, torch.Tensor]) -> npt.NDArray[np.bool_] | None:
    """Return where a prepared frame shows the sky, bool [H, W], or None where its truth is lidar, which cannot tell."""
    if "rendered" in sample:
        return (sample["rendered"][0] >= BEYOND_RANGE_M).numpy()
    return (sample["exact"][0] == 0).numpy() if "exact" in sample else None


def labelled_of(sample: dict[str, torch.Tensor]) -> npt.NDArray[np.bool_] | None:
    """Return where lidar labels a prepared frame with rendered depth, bool [H, W], or None where it has no lidar."""
    if "rendered" not in sample or "dense" not in sample:
        return None
    return ((sample["dense"][0] > 0) | (sample["single"][0] > 0)).numpy()


def points_in_image(
    points_camera: npt.ArrayLike, intrinsics: npt.ArrayLike, width: int, height: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return (pixels [M, 2], depth [M] metres) of the lidar points that an image sees.

    points_camera: [N, 3] metres, in the camera's frame at the image's time. Several points may fall on one pixel: each
    counts, as in the devkit's projection.
    """
    pixels, depth = geometry.project(points_camera, intrinsics)
    seen = geometry.visible(pixels, depth, width, height)
    return pixels[seen], depth[seen]


def at_pixels(depth: npt.NDArray[np.floating[Any]], pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.floating[Any]]:
    """Return the values [M] of a depth map [H, W] at pixels (column, row) [M, 2], rounded half to even."""
    columns, rows = np.rint(pixels).astype(int).T
    values: npt.NDArray[np.floating[Any]] = depth[rows, columns]
    return values
