# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms, projection, trajectories and calibration, in float64; no module here knows sensors or networks."""

from lircdepth_core.geometry.projection import nearest_points, project, splat_depth, visible
from lircdepth_core.geometry.transforms import (
    interpolate,
    invert,
    quaternion_from_transform,
    rigid_transform,
    sensor_to_sensor,
    transform_points,
)

__all__ = [
    "interpolate",
    "invert",
    "nearest_points",
    "project",
    "quaternion_from_transform",
    "rigid_transform",
    "sensor_to_sensor",
    "splat_depth",
    "transform_points",
    "visible",
]
