"""Synthetic scenes: a procedural street, ray-cast into camera, lidar and radar, in the nuScenes v1.0 schema."""

from lircdepth_core.synthetic.builder import build_world
from lircdepth_core.synthetic.generate import check, estimate, generate, partial_folder, scene_specs
from lircdepth_core.synthetic.rig import CameraModel, LidarModel, RadarModel, suite
from lircdepth_core.synthetic.world import MAX_DURATION

__all__ = [
    "MAX_DURATION",
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
