# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth import-checkpoint`: a published .pth becomes a safetensors file that everything here loads."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("checkpoint", metavar="FILE.pth", help="published LiRCDepth or CaFNet checkpoint")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.safetensors", help="file to write")


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.models import checkpoints
    from lircdepth_core.models.published import load_published

    output = checkpoints.output_path(arguments.output)
    network, header = load_published(arguments.checkpoint)
    checkpoints.save(output, network, header)
    print(f"{output}: {header.model}, trained on {header.trained_on}")
