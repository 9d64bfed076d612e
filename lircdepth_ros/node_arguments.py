# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Start of a node: --help and --version are answered, and a missing package is named, before ROS is imported."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence

from lircdepth_core.options import Option
from lircdepth_core.packages import remedy
from lircdepth_core.version import VersionAction


def run_node(module: str, description: str, parameters: Iterable[Option]) -> int:
    """Answer --help and --version, or run ``main`` of a node's module; return the exit status."""
    name = module.split(".")[1]
    _parse_arguments(name, description, parameters, sys.argv[1:])
    try:
        main = importlib.import_module(module).main  # late: it imports ROS and PyTorch, which takes seconds
    except ModuleNotFoundError as error:
        print(f"{name}: error: the package {error.name} is needed: {remedy(error)}", file=sys.stderr)
        return 2
    return int(main())


def _parse_arguments(name: str, description: str, parameters: Iterable[Option], words: Sequence[str]) -> None:
    """Answer --help and --version, and end the process; end it with status 2 after any other word that is not ROS's."""
    rows = []
    for parameter in parameters:
        default = parameter.default
        default = str(list(default) if isinstance(default, tuple) else default) or '""'
        rows.append(f"  {parameter.name} (default {default})\n      {parameter.help_with_choices}")
    parser = argparse.ArgumentParser(
        name,
        description=description,
        usage=f"{name} [--help] [--version] [--ros-args -p NAME:=VALUE ... --params-file FILE ...]",
        epilog="\n".join(["parameters:", *rows]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=VersionAction)
    parser.parse_args(_without_ros_arguments(words))


def _without_ros_arguments(words: Sequence[str]) -> list[str]:
    """Return the words outside ``--ros-args ... --``."""
    kept, of_ros = [], False
    for word in words:
        if word == "--ros-args" or (of_ros and word == "--"):
            of_ros = word == "--ros-args"
        elif not of_ros:
            kept.append(word)
    return kept
