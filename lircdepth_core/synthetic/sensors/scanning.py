# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rays of spinning and sweeping sensors: grids of azimuth and elevation, cast column by column."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.render.raycast import Hits, cast_together
from lircdepth_core.synthetic.world.scene import Snapshot

_MOST_COLUMNS = 4  # neighbouring azimuths in one bundle: a quarter faster than 8 on a CPU
_WIDEST_BUNDLE_RAD = 0.15  # between the first and the last of them: a wide bundle meets many solids


def directions(azimuth: torch.Tensor, elevation: torch.Tensor) -> torch.Tensor:
    """Return unit vectors [..., 3] of angles [...] in radians: x forward at azimuth 0, counter-clockwise."""
    flat = torch.cos(elevation)
    x, y, z = torch.broadcast_tensors(torch.cos(azimuth) * flat, torch.sin(azimuth) * flat, torch.sin(elevation))
    return torch.stack([x, y, z], dim=-1)


def bearings(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the azimuths [N] (radians, counter-clockwise from x) of vectors [N, 2] or [N, 3]; float64.

    The result is the same wherever the arrays lie in memory, which needs the two copies: NumPy uses its vectorised
    arctan2 only where its operands do not overlap, and its check takes a column of a row-major array to reach a few
    bytes beyond the array's end. When the result happens to be allocated right there, NumPy falls back to the scalar
    routine, whose last bit differs (NumPy 1.26 on processors with AVX-512).
    """
    return np.arctan2(vectors[:, 1].copy(), vectors[:, 0].copy())


def cast_columns(views: Sequence[Snapshot], poses: Sequence[npt.NDArray[np.float64]], rays: torch.Tensor) -> list[Hits]:
    """Return the flat Hits [N], azimuth by azimuth, of rays [azimuths, elevations, 3] at each of several moments.

    views: what they are cast into. poses: 4x4, global_from_sensor; the rays are in the sensor's frame.
    """
    columns, per_column, _ = rays.shape
    together = _columns_of_a_bundle(rays)
    wrapped = torch.arange(-(-columns // together) * together, device=rays.device).clamp(max=columns - 1)
    bundles = []
    for pose in poses:
        turn = torch.as_tensor(pose[:3, :3].T.copy(), device=rays.device)
        bundles.append((rays[wrapped] @ turn).reshape(-1, together * per_column, 3))
    hits = cast_together([view.scene for view in views], bundles)
    return [one.flat()[: columns * per_column] for one in hits]


def _columns_of_a_bundle(rays: torch.Tensor) -> int:
    """Return how many neighbouring columns of rays [azimuths, elevations, 3] form a bundle."""
    if len(rays) < 2:
        return 1
    step = float(torch.linalg.vector_norm(rays[1, 0] - rays[0, 0]) / torch.linalg.vector_norm(rays[0, 0, :2]))
    return max(1, min(_MOST_COLUMNS, 1 + int(_WIDEST_BUNDLE_RAD / step)))
