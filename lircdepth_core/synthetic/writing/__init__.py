# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Synthetic scenes on disk, in the nuScenes v1.0 schema."""
