# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Returns as radars measure them, and the way from there to the convention that the network reads.

The convention is that of nuScenes' ARS 408: velocities relative to the sensor; a standing return carries the sensor's
whole apparent motion, a moving one has its own speed along the line of sight on top of that. Most radars measure the
speed along the line of sight alone: the rest follows from the motion of the sensor itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.radar.scan import RadarScan


class VelocityKind(Enum):
    """What a radar's velocities are. Speeds along the line of sight are negative where a return approaches."""

    RELATIVE = "relative"  # vx, vy relative to the sensor
    OVER_GROUND = "over_ground"  # vx, vy over ground
    RADIAL = "radial"  # along the line of sight, relative to the sensor
    COMPENSATED_RADIAL = "compensated_radial"  # along the line of sight, over ground
    NONE = "none"  # not measured


@dataclass(frozen=True)
class MeasuredScan:
    """The returns of one scan as a radar gives them, all float64 and finite.

    points [N, 3] metres. rcs [N] dBsm. velocity [N, 2] or [N, 1] m/s, by ``kind``; of NONE [N, 0]. rejected: how many
    returns were left out. radar_frame: the radar's own frame, where ``points`` and ``velocity`` are in another one,
    that of the message; empty where they are in the radar's.
    """

    points: Float64Array
    rcs: Float64Array
    velocity: Float64Array
    kind: VelocityKind
    rejected: int = 0
    radar_frame: str = ""

    def __len__(self) -> int:
        return len(self.rcs)

    @property
    def needs_motion(self) -> bool:
        """Whether the sensor's own velocity is needed for the convention."""
        return self.kind is not VelocityKind.RELATIVE

    def moved(self, radar_from_message: Float64Array) -> MeasuredScan:
        """Return the scan in the radar's own frame. radar_from_message: 4x4."""
        velocity = self.velocity
        if self.kind in (VelocityKind.RELATIVE, VelocityKind.OVER_GROUND):
            flat = np.column_stack([velocity, np.zeros(len(velocity))])
            velocity = (flat @ radar_from_message[:3, :3].T)[:, :2]
        points = geometry.transform_points(radar_from_message, self.points)
        return replace(self, points=points, velocity=velocity, radar_frame="")

    def to_scan(self, sensor_velocity: npt.ArrayLike = (0.0, 0.0, 0.0)) -> RadarScan:
        """Return the scan in the network's convention; the points must be in the radar's own frame.

        sensor_velocity: of the sensor over ground [3] m/s, in its own frame. 0 where it is not known: the vehicle is
        taken to stand.
        """
        own = np.asarray(sensor_velocity, np.float64)
        if self.kind is VelocityKind.RELATIVE:
            velocity = self.velocity
        elif self.kind is VelocityKind.OVER_GROUND:
            velocity = self.velocity - own[:2]
        elif self.kind is VelocityKind.NONE:
            velocity = np.broadcast_to(-own[:2], (len(self), 2))
        else:
            distance = np.linalg.norm(self.points, axis=1, keepdims=True)
            sight = np.divide(self.points, distance, out=np.zeros_like(self.points), where=distance > 0)
            along = self.velocity
            if self.kind is VelocityKind.RADIAL:
                along = along + sight @ own[:, None]  # what is left is the return's own speed
            velocity = (along * sight - own)[:, :2]
        x, y, z = self.points.T
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and is left out as such
            scan = RadarScan.from_fields(x, y, z, self.rcs, velocity[:, 0], velocity[:, 1])
        return replace(scan, rejected=scan.rejected + self.rejected)


def sensor_velocity(now_from_before: Float64Array, seconds: float) -> Float64Array:
    """Return a sensor's velocity over ground [3] m/s in its own frame.

    now_from_before: 4x4, from the sensor's frame ``seconds`` ago into its frame now; yaw rate and lever arm are in it.
    """
    velocity: Float64Array = -now_from_before[:3, 3] / seconds
    return velocity
