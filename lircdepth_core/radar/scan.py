# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One radar scan, in the convention that the network reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class RadarScan:
    """The returns of one scan in the sensor's own frame (x forward, y left).

    points [N, 3] metres, rcs [N] dBsm, velocity [N, 2] (vx, vy) m/s; all float32 and finite.
    ``rejected`` counts returns that were left out because a value was NaN or infinite.
    """

    points: npt.NDArray[np.float32]
    rcs: npt.NDArray[np.float32]
    velocity: npt.NDArray[np.float32]
    rejected: int = 0

    @classmethod
    def from_fields(
        cls,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        z: npt.ArrayLike,
        rcs: npt.ArrayLike,
        vx: npt.ArrayLike,
        vy: npt.ArrayLike,
    ) -> RadarScan:
        """Make a scan from one array [N] a field; returns with a value that is not finite are counted and left out."""
        columns = np.stack([np.asarray(c, dtype=np.float32).reshape(-1) for c in (x, y, z, rcs, vx, vy)], axis=1)
        finite = np.isfinite(columns).all(axis=1)
        columns = columns[finite]
        return cls(columns[:, :3], columns[:, 3], columns[:, 4:], int(len(finite) - finite.sum()))

    @classmethod
    def from_pcd(cls, returns: npt.NDArray[np.void]) -> RadarScan:
        """Make a scan from decoded nuScenes returns (see decode_pcd): all of them, vx and vy uncompensated."""
        x, y, z, rcs, vx, vy = (returns[name] for name in ("x", "y", "z", "rcs", "vx", "vy"))
        return cls.from_fields(x, y, z, rcs, vx, vy)

    def __len__(self) -> int:
        return len(self.rcs)
