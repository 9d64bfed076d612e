# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radar scans: files, motion, and the channels that the network reads."""

from lircdepth_core.radar.drawing import NOTHING_SEEN, nearest_returns, project_scan, rasterize
from lircdepth_core.radar.motion import move_to, velocity_in_camera_heading
from lircdepth_core.radar.nuscenes_pcd import PCD_DTYPE, decode_pcd, encode_pcd
from lircdepth_core.radar.scan import RadarScan

__all__ = [
    "NOTHING_SEEN",
    "PCD_DTYPE",
    "RadarScan",
    "decode_pcd",
    "encode_pcd",
    "move_to",
    "nearest_returns",
    "project_scan",
    "rasterize",
    "velocity_in_camera_heading",
]
