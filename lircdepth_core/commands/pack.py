# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack`: frames of a nuScenes split in one file, for training at the speed of the network."""

from __future__ import annotations

import argparse
from pathlib import Path

from lircdepth_core.errors import LircDepthError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--dataroot", required=True, type=Path, help="nuScenes data root, or one of `lircdepth synth`")
    parser.add_argument("--version", default="v1.0-trainval", help="name of the tables' folder (default: %(default)s)")
    parser.add_argument("--split", default="all", help="train, val, mini_train ..., or all (default: %(default)s)")
    parser.add_argument("--dense", type=Path, help="folder of `lircdepth ground-truth`; without it: single scans alone")
    parser.add_argument("--scale", type=float, default=1.0, help="resize images by this (default: %(default)s)")
    parser.add_argument("--labels", action="store_true", help="add the teacher's confidence labels from boxes")
    parser.add_argument("--jobs", type=int, default=1, help="processes that make frames (default: %(default)s)")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE.safetensors", help="file to write")


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.data.nuscenes_frames import NuScenesFrames
    from lircdepth_core.data.packed import output_file, pack

    if not arguments.scale > 0:
        raise LircDepthError(f"--scale {arguments.scale}: expected a positive number")
    output = output_file(arguments.output)
    frames = NuScenesFrames(
        arguments.dataroot, arguments.version, arguments.split, arguments.dense, arguments.scale, arguments.labels
    )
    pack(frames, output, arguments.jobs, tell=True)
    print(f"{output}: {frames.description}, {output.stat().st_size / 1e6:.1f} MB")
