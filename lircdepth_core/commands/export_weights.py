# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth export-weights`: a training checkpoint becomes a weights file that everything here loads."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("checkpoint", metavar="FILE.ckpt", help="checkpoint of `lircdepth train`")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.safetensors", help="file to write")
    parser.add_argument("--float32", action="store_true", help="keep float32; by default matrices become float16")


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.models import checkpoints
    from lircdepth_core.training.export import export

    output = checkpoints.output_path(arguments.output)
    header = export(arguments.checkpoint, output, half=not arguments.float32)
    print(f"{output}: {header.model}, trained on {header.trained_on}, {output.stat().st_size / 1e6:.1f} MB")
