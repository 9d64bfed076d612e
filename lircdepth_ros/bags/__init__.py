# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""rosbag2 bags: reading, writing, conversion, verification, depth and its errors. Needs rosbags, not ROS."""
