# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Running a network: its input, its backends, and depth at the size of the image."""
