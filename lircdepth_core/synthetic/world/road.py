# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The street's plan: a centre line of constant curvature, what lies beside it, and the streets that cross it."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

Reals: TypeAlias = float | npt.NDArray[np.float64]
Poses: TypeAlias = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]

KERB_HEIGHT_M = 0.13
LINE_WIDTH_M = 0.15  # of a lane marking


@dataclass(frozen=True)
class Road:
    """A centre line of constant curvature [1/m] (not 0) that starts at (x, y) [m] with a heading [rad]."""

    x: float
    y: float
    heading: float
    curvature: float
    length: float

    def pose(self, s: Reals, d: Reals) -> Poses:
        """Return x, y, yaw (float64 arrays) at ``s`` metres along the road and ``d`` metres left of its centre line."""
        s, d = np.asarray(s, dtype=np.float64), np.asarray(d, dtype=np.float64)
        turn = self.curvature * s
        ahead = np.sin(turn) / self.curvature - d * np.sin(turn)
        left = 2 * np.sin(turn / 2) ** 2 / self.curvature + d * np.cos(turn)
        c, sn = np.cos(self.heading), np.sin(self.heading)
        return self.x + c * ahead - sn * left, self.y + sn * ahead + c * left, self.heading + turn

    def coordinates(
        self, points: torch.Tensor, origin: npt.NDArray[np.float64] | tuple[float, float]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (s, d) of points [..., 2] (any float dtype) that are given relative to ``origin`` (x, y).

        The offset is taken in float64 and the formula has no difference of large numbers, so that float32 points
        keep their accuracy however far from the map's origin the road lies.
        """
        c, sn = float(np.cos(self.heading)), float(np.sin(self.heading))
        east, north = float(origin[0]) - self.x, float(origin[1]) - self.y
        ahead = c * points[..., 0] + sn * points[..., 1] + (c * east + sn * north)
        left = c * points[..., 1] - sn * points[..., 0] + (c * north - sn * east)
        q = self.curvature * (ahead**2 + left**2) - 2 * left
        d = -q / (1 + torch.sqrt((1 + self.curvature * q).clamp(min=0)))
        return torch.atan2(self.curvature * ahead, 1 - self.curvature * left) / self.curvature, d


@dataclass(frozen=True)
class Street:
    """A road's cross section and its junctions; metres.

    lanes: each way, ``lane_width`` wide. parking: whether a strip of 2.3 m lies beside them. kerb: distance from the
    centre line to the kerb; edge: to the far side of the pavement. junctions: s of the streets that cross at a right
    angle, each with a kerb ``crossing_kerb`` to both sides of its own centre line. double_line: whether the centre
    line is solid and double. verge: RGB colour of the ground beside the pavement.
    """

    road: Road
    lanes: int
    lane_width: float
    parking: bool
    kerb: float
    edge: float
    junctions: tuple[float, ...]
    crossing_kerb: float
    double_line: bool
    verge: tuple[float, float, float]

    @property
    def carriageway(self) -> float:
        """Half the width of the driven lanes [m]."""
        return self.lanes * self.lane_width

    def lane_centre(self, lane: int) -> float:
        """Return the distance [m] from the centre line to the middle of lane 0 (innermost) or more."""
        return (lane + 0.5) * self.lane_width

    def crossing_coordinates(
        self, points: torch.Tensor, origin: npt.NDArray[np.float64] | tuple[float, float], s: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (a, l) of points [..., 2] that are given relative to ``origin``.

        a: metres along the main road's tangent, l: metres to its left, from the middle of the junction at ``s``.
        """
        x, y, yaw = self.road.pose(s, 0.0)
        east, north = float(origin[0] - x), float(origin[1] - y)
        c, sn = float(np.cos(yaw)), float(np.sin(yaw))
        a = c * points[..., 0] + sn * points[..., 1] + (c * east + sn * north)
        return a, c * points[..., 1] - sn * points[..., 0] + (c * north - sn * east)

    def crossing_pose(self, s: float, a: Reals, left: Reals) -> Poses:
        """Return x, y, yaw of the point (a, left) of the junction at ``s``; yaw is the main road's tangent there."""
        x, y, yaw = self.road.pose(s, 0.0)
        return x + a * np.cos(yaw) - left * np.sin(yaw), y + a * np.sin(yaw) + left * np.cos(yaw), yaw
