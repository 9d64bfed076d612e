# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Descriptors of ROS parameters, made from the declarations in lircdepth_core.options. Needs ROS's message packages."""

from __future__ import annotations

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from lircdepth_core.options import Option


def descriptor(option: Option, remark: str = "", read_only: bool = False) -> ParameterDescriptor:
    """Return an option's descriptor: its help with the choices and ``remark``, and its range, which rclpy checks."""
    result = ParameterDescriptor(description=option.help_with_choices + remark, read_only=read_only)
    if option.minimum is not None and option.maximum is not None:
        if isinstance(option.default, int):
            low, high = int(option.minimum), int(option.maximum)
            result.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        else:
            result.floating_point_range = [FloatingPointRange(from_value=option.minimum, to_value=option.maximum)]
    return result
