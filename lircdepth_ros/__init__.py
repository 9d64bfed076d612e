# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 side of lircdepth: nodes, message conversion and bags. The work itself is done in lircdepth_core."""
