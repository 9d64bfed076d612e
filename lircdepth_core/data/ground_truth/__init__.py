# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Dense ground-truth depth from accumulated lidar sweeps."""

from lircdepth_core.data.ground_truth.accumulation import (
    DEPTH_SCALE,
    Track,
    accumulate,
    dense_depth,
    dense_from_drawn,
    depth_path,
    interpolate_gaps,
    moving_tracks,
    read_depth,
    remove_hidden,
    single_scan_depth,
    write_depth,
)

__all__ = [
    "DEPTH_SCALE",
    "Track",
    "accumulate",
    "dense_depth",
    "dense_from_drawn",
    "depth_path",
    "interpolate_gaps",
    "moving_tracks",
    "read_depth",
    "remove_hidden",
    "single_scan_depth",
    "write_depth",
]
