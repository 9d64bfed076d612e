# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The replay node's parameters in rclpy: declared and read at once. Their list is in settings.py."""

from __future__ import annotations

from typing import Any

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from lircdepth_core.errors import LircDepthError
from lircdepth_core.options import Option
from lircdepth_ros.parameter_descriptors import descriptor
from lircdepth_ros.replay_node.settings import PARAMETERS, ReplaySettings


def declare_and_read(node: Node) -> ReplaySettings:
    """Declare every parameter on a node, and return the values. Raises LircDepthError for a wrong type or range."""
    return ReplaySettings(**{parameter.name: _declared(node, parameter) for parameter in PARAMETERS})


def _declared(node: Node, parameter: Option) -> Any:
    is_list = isinstance(parameter.default, tuple)
    try:
        # A list without a default has no value at first: rclpy cannot tell the type of an empty one.
        default = Parameter.Type.STRING_ARRAY if is_list else parameter.default
        node.declare_parameter(parameter.name, default, descriptor(parameter, read_only=True))
    except ParameterException as error:
        raise LircDepthError(f"parameter '{parameter.name}' ({parameter.help}): {error}") from error
    value = node.get_parameter_or(parameter.name, Parameter(parameter.name)).value
    return tuple(item for item in value or () if item) if is_list else value  # launch writes an empty list as ['']
