# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Synthetic scenes: a procedural street, ray-cast into camera, lidar and radar, in the nuScenes v1.0 schema."""

from lircdepth_core.synthetic.sensors.rig import CameraModel, LidarModel, RadarModel, suite
from lircdepth_core.synthetic.world.builder import build_world
from lircdepth_core.synthetic.world.world import MAX_DURATION_S
from lircdepth_core.synthetic.writing.generate import check, estimate, generate, partial_folder, scene_specs

__all__ = [
    "MAX_DURATION_S",
    "CameraModel",
    "LidarModel",
    "RadarModel",
    "build_world",
    "check",
    "estimate",
    "generate",
    "partial_folder",
    "scene_specs",
    "suite",
]
