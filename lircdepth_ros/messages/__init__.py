# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS messages to arrays and back, for messages of rclpy and of rosbags alike. Needs no ROS installation."""
