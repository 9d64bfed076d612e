# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packages that may be missing, and classes of one's own: imported where they are used, and what is wrong is named."""

import importlib
import os
import sys
from types import ModuleType
from typing import TypeVar

from lircdepth_core.dependencies import EXTRAS, REQUIRED
from lircdepth_core.errors import LircDepthError

T = TypeVar("T")


def import_package(name: str) -> ModuleType:
    """Import an optional package and return it. Raises LircDepthError when it is not installed or does not load."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise LircDepthError(f"the package {name.partition('.')[0]} is needed: {remedy(error)}") from error


def remedy(error: ImportError) -> str:
    """Return the command that installs what an import did not find, or else the error's own text."""
    module = (error.name or "").partition(".")[0]
    # colcon's scripts run in the Python that built them, which is the system's where colcon itself was called.
    environment = os.environ.get("VIRTUAL_ENV")
    if environment and os.path.realpath(environment) != os.path.realpath(sys.prefix):
        return f"this runs in {sys.executable}, not in {environment}: build with `python3 -m colcon build` in that"
    if isinstance(error, ModuleNotFoundError):
        for extra, packages in EXTRAS.items():
            if module in packages.values():
                return f"pip install 'lircdepth_ros[{extra}]'"
        if module == "cv2" and "ROS_DISTRO" in os.environ:
            return "apt install python3-opencv"  # pip would bring a copy that ROS's own packages do not use
        for requirement, name in REQUIRED.items():
            if name == module:
                return f"pip install {requirement}"
        if module == "rclpy" or module.endswith(("_msgs", "_interfaces")):
            return f"{module} is a part of ROS 2: source /opt/ros/DISTRIBUTION/setup.bash"
    return str(error)


def import_class(what: str, path: str, base: type[T]) -> type[T]:
    """Return the class of a path such as "my_package.MyNetwork". what: says in errors what it is the class of.

    Importing a module runs it: see require_allowed for paths that come from a file. Raises LircDepthError for what is
    not there, and for what is no class derived from ``base``.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise LircDepthError(f"{what} {path}: cannot be imported ({error}); is its folder in PYTHONPATH?") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        expected = f"{base.__module__}.{base.__qualname__}"
        raise LircDepthError(f"{what} {path}: expected a class derived from {expected}, found {found!r}")
    return found


def require_allowed(what: str, path: str, variable: str) -> None:
    """Raise LircDepthError unless an environment variable names the package of a class: packages, separated by colons.

    For paths that a file holds, which would otherwise decide what code runs.
    """
    package = path.partition(".")[0]
    if package not in os.environ.get(variable, "").split(":"):
        raise LircDepthError(
            f"{what} {path} is not a part of lircdepth, and its code is run only where you allow it: "
            f"export {variable}={package}"
        )
