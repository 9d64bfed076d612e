# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a radar scan looks like from another heading and at another time."""

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.radar.scan import RadarScan

_SAME_HEADING = np.radians(5.0)  # mounting tolerance


def velocity_in_camera_heading(velocity, camera_from_radar):
    """Return radar velocities [N, 2] m/s in the frame that looks along the camera (x forward, y left).

    A radar that looks where the camera looks keeps its own, as in training. For any other mounting vx, vy are
    rotated about the vertical axis.
    """
    forward = camera_from_radar[:3, 0]  # the radar's x axis in the optical frame: z forward, x right
    heading = np.arctan2(-forward[0], forward[2])
    if abs(heading) < _SAME_HEADING:
        return velocity
    cosine, sine = np.cos(heading), np.sin(heading)
    return (velocity @ np.array([[cosine, sine], [-sine, cosine]])).astype(np.float32)


def move_to(scan, now_from_then, seconds, moving_speed=1.0):
    """Return an earlier scan as it would be seen ``seconds`` later: where its returns are by then.

    now_from_then: 4x4, the sensor's frame then into its frame now (its own motion alone). Standing things follow from
    it. A return whose velocity differs from a standing thing's by more than ``moving_speed`` [m/s] moves on with its
    own: relative to the sensor that is velocity * seconds, whatever the sensor did.
    """
    standing = geometry.transform_points(now_from_then, scan.points)
    moved = scan.points.astype(np.float64)
    moved[:, :2] += scan.velocity * seconds
    difference = np.linalg.norm((moved - standing)[:, :2], axis=1)
    moving = difference > moving_speed * abs(seconds)
    points = np.where(moving[:, None], moved, standing).astype(np.float32)
    return RadarScan(points, scan.rcs, scan.velocity, scan.rejected)
