# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth view`: a bag in a browser (viser), and a running node's topics for Foxglove."""
