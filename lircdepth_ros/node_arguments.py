# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a node's command line has beside ROS's own arguments: --help and --version. Needs no ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from lircdepth_core.options import Option
from lircdepth_core.version import VersionAction


def parse_node_arguments(
    name: str, description: str, parameters: Iterable[Option], argv: Sequence[str] | None = None
) -> None:
    """Answer --help and --version, and end the process then; or with status 2 after any other argument.

    argv: the program and its arguments, ROS's own included; by default those of this process.
    """
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
    parser.parse_args(_without_ros_arguments((sys.argv if argv is None else argv)[1:]))


def _without_ros_arguments(words: Sequence[str]) -> list[str]:
    """Return the words outside ``--ros-args ... --``."""
    kept, of_ros = [], False
    for word in words:
        if word == "--ros-args" or (of_ros and word == "--"):
            of_ros = word == "--ros-args"
        elif not of_ros:
            kept.append(word)
    return kept
