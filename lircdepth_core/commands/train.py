# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth train`: Lightning's command line."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="fit|validate ...",
        help="Lightning's own, such as: fit -c training/student_kd.yaml --data.batch_size 4",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.training.command_line import main

    main(arguments.arguments)
