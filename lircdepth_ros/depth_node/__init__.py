# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node that publishes depth."""
