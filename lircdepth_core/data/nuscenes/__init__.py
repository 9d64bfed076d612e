# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A nuScenes data root through the official devkit."""

from lircdepth_core.data.nuscenes.can_bus import can_messages
from lircdepth_core.data.nuscenes.geodesy import MAP_ORIGINS, geodetic
from lircdepth_core.data.nuscenes.lidar import LIDAR_PERIOD_S, decode_lidar, lidar_point_times
from lircdepth_core.data.nuscenes.points import project_channel, read_points, read_sensor_file, why_unreadable
from lircdepth_core.data.nuscenes.poses import base_from_sensor, body_twists, camera_from_sensor, global_from_base
from lircdepth_core.data.nuscenes.tables import (
    channel_records,
    find_scene,
    neighbouring_records,
    open_nuscenes,
    scene_channels,
    scene_samples,
    scenes_of_split,
)

__all__ = [
    "LIDAR_PERIOD_S",
    "MAP_ORIGINS",
    "base_from_sensor",
    "body_twists",
    "camera_from_sensor",
    "can_messages",
    "channel_records",
    "decode_lidar",
    "find_scene",
    "geodetic",
    "global_from_base",
    "lidar_point_times",
    "neighbouring_records",
    "open_nuscenes",
    "project_channel",
    "read_points",
    "read_sensor_file",
    "scene_channels",
    "scene_samples",
    "scenes_of_split",
    "why_unreadable",
]
