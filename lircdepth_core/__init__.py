# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""LiRCDepth: depth from one camera and radar. No ROS in this package (see lircdepth_ros for the nodes)."""
