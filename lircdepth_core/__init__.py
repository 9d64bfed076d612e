# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""LiRCDepth: depth from one camera and radar. No ROS in this package (see lircdepth_ros for the nodes)."""

import os

# Before PyTorch starts its threads: by default they spin while they wait for each other, and where other processes use
# the same cores a frame takes many times as long. A value that the user has set is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Before ONNX Runtime can be imported: its import would write an identifier of this machine to the user's cache folder
# and report to its maker over the network (docs/security.md). A value that the user has set is kept.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
