# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Dense ground-truth depth from accumulated lidar sweeps."""

from lircdepth_core.data.ground_truth.accumulation import (
    accumulate,
    dense_depth,
    single_scan_depth,
)
from lircdepth_core.data.ground_truth.depth_files import DEPTH_UNITS_PER_METRE, depth_path, read_depth, write_depth
from lircdepth_core.data.ground_truth.gaps import dense_from_accumulated, interpolate_gaps, remove_hidden
from lircdepth_core.data.ground_truth.tracks import Track, moving_tracks

__all__ = [
    "DEPTH_UNITS_PER_METRE",
    "Track",
    "accumulate",
    "dense_depth",
    "dense_from_accumulated",
    "depth_path",
    "interpolate_gaps",
    "moving_tracks",
    "read_depth",
    "remove_hidden",
    "single_scan_depth",
    "write_depth",
]
