# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A radar scan seen from another heading, and at another time."""

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.radar.scan import RadarScan

_SAME_HEADING_RAD = np.radians(5.0)  # tolerance of a radar's mounting


def velocity_in_camera_heading(
    velocity: npt.NDArray[np.float32], camera_from_radar: Float64Array
) -> npt.NDArray[np.float32]:
    """Return radar velocities [N, 2] m/s in the frame that looks along the camera (x forward, y left).

    Those of a radar that looks where the camera looks are returned as they are, as in training. For any other mounting
    vx, vy are rotated about the vertical axis.
    """
    forward = camera_from_radar[:3, 0]  # the radar's x axis in the optical frame: z forward, x right
    heading = np.arctan2(-forward[0], forward[2])
    if abs(heading) < _SAME_HEADING_RAD:
        return velocity
    cosine, sine = np.cos(heading), np.sin(heading)
    turned: npt.NDArray[np.float32] = (velocity @ np.array([[cosine, sine], [-sine, cosine]])).astype(np.float32)
    return turned


def move_to(scan: RadarScan, now_from_then: Float64Array, seconds: float, moving_speed: float = 1.0) -> RadarScan:
    """Return an earlier scan with its returns at their places ``seconds`` later, in the sensor's frame then.

    now_from_then: 4x4, from the sensor's frame at the scan into its frame ``seconds`` later, by its own motion alone.
    Returns of standing objects are moved by it. A return whose velocity differs from that of a standing object by more
    than ``moving_speed`` [m/s] moves on with its own velocity, which is relative to the sensor already.
    """
    standing = geometry.transform_points(now_from_then, scan.points)
    moved = scan.points.astype(np.float64)
    moved[:, :2] += scan.velocity * seconds
    difference = np.linalg.norm((moved - standing)[:, :2], axis=1)
    moving = difference > moving_speed * abs(seconds)
    points = np.where(moving[:, None], moved, standing).astype(np.float32)
    return RadarScan(points, scan.rcs, scan.velocity, scan.rejected)
