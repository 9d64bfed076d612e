# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth completion`: what completes commands and options in a shell, by shtab."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="which shell it is for")


def run(arguments: argparse.Namespace) -> None:
    """Print the script. arguments.whole_parser: makes the parser of all commands.

    Raises LircDepthError where shtab is missing.
    """
    from lircdepth_core.packages import import_package

    shtab = import_package("shtab")
    print(shtab.complete(arguments.whole_parser(), arguments.shell))
