# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Stamps of messages as integer nanoseconds."""

from lircdepth_ros.messages import protocols

NANOSECONDS_PER_SECOND = 1_000_000_000


def stamp_to_ns(stamp: protocols.Time) -> int:
    """Return builtin_interfaces/Time as integer nanoseconds."""
    return stamp.sec * NANOSECONDS_PER_SECOND + stamp.nanosec
