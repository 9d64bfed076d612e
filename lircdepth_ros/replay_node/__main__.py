# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`python -m lircdepth_ros.replay_node`."""

import sys

from lircdepth_ros.replay_node.node import main

sys.exit(main())
