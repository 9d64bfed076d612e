# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rays of spinning and sweeping sensors: grids of azimuth and elevation, cast column by column."""

import numpy as np
import torch

from lircdepth_core.synthetic.render.raycast import cast

_TOGETHER = 4  # neighbouring azimuths in one bundle: a quarter faster than 8 on a CPU


def directions(azimuth, elevation):
    """Return unit vectors [..., 3], x forward at azimuth 0, counter-clockwise."""
    flat = torch.cos(elevation)
    x, y, z = torch.broadcast_tensors(torch.cos(azimuth) * flat, torch.sin(azimuth) * flat, torch.sin(elevation))
    return torch.stack([x, y, z], dim=-1)


def bearings(vectors):
    """Return the azimuths [N] (radians, counter-clockwise from x) of vectors [N, 2] or [N, 3]; float64.

    The result is the same wherever the arrays lie in memory, which needs the two copies: NumPy uses its vectorised
    arctan2 only where its operands do not overlap, and its check takes a column of a row-major array to reach a few
    bytes beyond the array's end. When the result happens to be allocated right there, NumPy falls back to the scalar
    routine, whose last bit differs (NumPy 1.26 on processors with AVX-512).
    """
    return np.arctan2(vectors[:, 1].copy(), vectors[:, 0].copy())


def cast_columns(view, pose, rays):
    """Cast rays [azimuths, elevations, 3] of the sensor's frame into a Snapshot; return flat Hits and flat rays,
    azimuth by azimuth. pose: global_from_sensor.
    """
    columns, per_column, _ = rays.shape
    wrapped = torch.arange(-(-columns // _TOGETHER) * _TOGETHER, device=rays.device).clamp(max=columns - 1)
    turn = torch.as_tensor(pose[:3, :3].T.copy(), device=rays.device)
    bundles = (rays[wrapped] @ turn).reshape(-1, _TOGETHER * per_column, 3)
    hits = cast(view.scene, bundles).flat()
    return hits[: columns * per_column], rays.flatten(0, 1)
