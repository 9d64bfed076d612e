# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms, projection, trajectories and calibration, in float64. Nothing here knows a sensor or a network."""

from lircdepth_core.geometry.projection import project, visible
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
    "project",
    "quaternion_from_transform",
    "rigid_transform",
    "sensor_to_sensor",
    "transform_points",
    "visible",
]
