# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of depth: metrics, truth, and one report for every command that measures."""
