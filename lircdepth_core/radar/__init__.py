# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radar scans: files, motion, and the channels that the network reads."""

from lircdepth_core.radar.drawing import ProjectedReturns, nearest_returns, project_scan, project_scans, rasterize
from lircdepth_core.radar.measured import MeasuredScan, VelocityKind, sensor_velocity
from lircdepth_core.radar.motion import move_to, velocity_in_camera_heading
from lircdepth_core.radar.nuscenes_pcd import PCD_DTYPE, decode_pcd, encode_pcd
from lircdepth_core.radar.scan import RadarScan

__all__ = [
    "PCD_DTYPE",
    "MeasuredScan",
    "ProjectedReturns",
    "RadarScan",
    "VelocityKind",
    "decode_pcd",
    "encode_pcd",
    "move_to",
    "nearest_returns",
    "project_scan",
    "project_scans",
    "rasterize",
    "sensor_velocity",
    "velocity_in_camera_heading",
]
