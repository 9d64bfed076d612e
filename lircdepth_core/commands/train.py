# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth train`: Lightning's command line."""

import argparse


def add_arguments(parser):
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="fit|validate ...",
        help="Lightning's own, such as: fit -c training/student_kd.yaml --data.batch_size 4",
    )  # fmt: skip


def run(arguments):
    from lircdepth_core.training.command_line import main

    main(arguments.arguments)
