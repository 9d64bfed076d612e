# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parameters of both nodes in rclpy, made from the declarations in lircdepth_core.options.

A value is taken in the type that is declared (Option.fitted), and what is not taken is named: a value that cannot
work, a parameter that the node does not have, a parameter file that sets nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from lircdepth_core.errors import LircDepthError
from lircdepth_core.options import Option, nearest_text
from lircdepth_ros import parameter_files

QOS_PREFIX = "qos_overrides."


def descriptor(option: Option, remark: str = "", read_only: bool = False) -> ParameterDescriptor:
    """Return an option's descriptor: its help with the choices and ``remark``, and its range."""
    result = ParameterDescriptor(description=option.help_with_choices + remark, read_only=read_only)
    if option.minimum is not None and option.maximum is not None:
        if isinstance(option.default, int):
            low, high = int(option.minimum), int(option.maximum)
            result.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        else:
            result.floating_point_range = [FloatingPointRange(from_value=option.minimum, to_value=option.maximum)]
    return result


def overrides(node: Node) -> dict[str, Any]:
    """Return {parameter: value} of the command line and of parameter files. An empty list is None there."""
    given: dict[str, Parameter[Any]] = node._parameter_overrides  # rclpy has no public way to them
    return {name: parameter.value for name, parameter in given.items()}


def start_rclpy(argv: Sequence[str], **options: Any) -> None:
    """Call rclpy.init. Raises LircDepthError for a command line or a parameter file that is none."""
    for path in parameter_files.named_files(argv):
        parameter_files.parameters_by_node(path)  # rcl's own errors are hard to read
    try:
        rclpy.init(args=list(argv), **options)
    except RuntimeError as error:  # rcl ends its texts with the lines of its source
        raise LircDepthError(str(error).partition(", at ")[0]) from error


def warn_of_unmatched_files(node: Node, argv: Sequence[str]) -> None:
    """Log each parameter file that sets nothing of a node."""
    for path in parameter_files.named_files(argv):
        text = parameter_files.unmatched_text(path, node.get_fully_qualified_name())
        if text:
            node.get_logger().warning(text)


class DeclaringNode(Node):
    """A node whose parameters are options: values come in their declared types, and what does not change is taken."""

    def __init__(self, name: str, options: Sequence[Option], read_only: bool = False) -> None:
        """Declare each option as a parameter, with the value that the user gave. Raises LircDepthError.

        read_only: whether only live options may be changed at all.
        """
        super().__init__(name)
        self._options: dict[str, Option] = {}
        self.declare_options(options, read_only)

    def declare_options(self, options: Sequence[Option], read_only: bool = False) -> None:
        """Declare further options as parameters, see the constructor."""
        given = overrides(self)
        for option in options:
            self._options[option.name] = option
            value = _fitted(option, given[option.name]) if option.name in given else option.default
            # rclpy cannot tell the type of an empty list: such a parameter has no value.
            declared = (list(value) or Parameter.Type.STRING_ARRAY) if isinstance(value, tuple) else value
            remark = "" if option.live or read_only else " Read when the node is configured."
            what = descriptor(option, remark, read_only and not option.live)
            self.declare_parameter(option.name, declared, what, ignore_override=True)

    def option_values(self) -> dict[str, Any]:
        """Return {name: value} of every option, in its declared type."""
        unset: Parameter[Any] = Parameter("unset")
        return {
            name: _fitted(option, self.get_parameter_or(name, unset).value) for name, option in self._options.items()
        }

    def warn_of_unknown_parameters(self) -> None:
        """Log each parameter of the command line and of files that this node does not have. QoS is not looked at."""
        for name in overrides(self):
            if not name.startswith(QOS_PREFIX) and not self.has_parameter(name):
                self.get_logger().warning(f"{self._unknown_text(name)} It is ignored.")

    def _unknown_text(self, name: str) -> str:
        node = self.get_fully_qualified_name()
        return f"{node} has no parameter '{name}'{nearest_text(name, self._options) or '.'}"

    def set_parameters_atomically(self, parameter_list: list[Parameter[Any]]) -> SetParametersResult:
        """Set parameters in their declared types. One that has its value already is left as it is, and succeeds."""
        try:
            fitted = [self._fitted_change(change) for change in parameter_list]
        except LircDepthError as error:
            return SetParametersResult(successful=False, reason=str(error))
        changes = [change for change in fitted if not self._has(change)]
        if not changes:
            return SetParametersResult(successful=True)
        result: SetParametersResult = super().set_parameters_atomically(changes)
        return result

    def _fitted_change(self, change: Parameter[Any]) -> Parameter[Any]:
        if change.name not in self._options:
            if not self.has_parameter(change.name):
                raise LircDepthError(self._unknown_text(change.name))
            return change
        value = _fitted(self._options[change.name], change.value)
        return Parameter(change.name, value=(list(value) or None) if isinstance(value, tuple) else value)

    def _has(self, change: Parameter[Any]) -> bool:
        current = self.get_parameter_or(change.name, Parameter(change.name))
        return current.type_ == change.type_ and current.value == change.value


def _fitted(option: Option, value: Any) -> Any:
    """Return a parameter's value in the option's type. An empty list has no type in ROS, and comes as None."""
    return option.fitted([] if value is None and isinstance(option.default, tuple) else value)
