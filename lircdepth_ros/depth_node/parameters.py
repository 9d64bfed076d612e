# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node's parameters in rclpy: declared, read, and refused with a reason. Their list is in settings.py."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter

from lircdepth_ros.depth_node.settings import PARAMETERS, Settings
from lircdepth_ros.parameter_descriptors import descriptor

_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def declare(node: Node) -> None:
    """Declare every parameter on a node, with its type, description and range."""
    for parameter in PARAMETERS:
        remark = "" if parameter.live else " Read when the node is configured."
        default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        node.declare_parameter(parameter.name, default, descriptor(parameter, remark))


def read(node: Node) -> Settings:
    """Return the values of every parameter. Raises LircDepthError for a value that cannot work."""
    return Settings(**{name: _value(node.get_parameter(name)) for name in _BY_NAME})


def changed(settings: Settings, changes: Iterable[Parameter[Any]]) -> Settings:
    """Return settings with changes in them; parameters that are not the depth node's own are left out."""
    known = {change.name: _value(change) for change in changes if change.name in _BY_NAME}
    return dataclasses.replace(settings, **known)


def _value(parameter: Parameter[Any]) -> Any:
    return tuple(parameter.value) if parameter.type_ is Parameter.Type.STRING_ARRAY else parameter.value


def refuse(parameter: Parameter[Any], configured: bool) -> str | None:
    """Return why a change is refused, or None. Types and ranges are refused by rclpy itself.

    configured: whether the node has read its parameters, so that only live ones can still change.
    """
    declared = _BY_NAME.get(parameter.name)
    if declared is None:
        return None
    if declared.choices and parameter.value not in declared.choices:
        return f"{declared.name} is '{parameter.value}', expected one of {', '.join(declared.choices)}"
    if isinstance(parameter.value, float) and not math.isfinite(parameter.value):
        return f"{declared.name} is {parameter.value}, expected a finite number"
    if configured and not declared.live:
        return f"{declared.name} is read when the node is configured: clean up the node first"
    return None
