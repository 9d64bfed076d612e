# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A nuScenes data root through the official devkit."""

from lircdepth_core.data.nuscenes.tables import (
    LIDAR_PERIOD,
    MAP_ORIGINS,
    base_from_sensor,
    body_twists,
    camera_from_sensor,
    can_messages,
    channel_records,
    decode_lidar,
    find_scene,
    geodetic,
    global_from_base,
    lidar_point_times,
    neighbouring_records,
    open_nuscenes,
    project_channel,
    read_points,
    scene_channels,
    scene_samples,
    scenes_of_split,
)

__all__ = [
    "LIDAR_PERIOD",
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
    "scene_channels",
    "scene_samples",
    "scenes_of_split",
]
