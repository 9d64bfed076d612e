# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which radar scans belong to an image, and where the radars are, seen from the camera."""
