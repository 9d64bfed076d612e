# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack`: frames of a nuScenes split, or of several files, in one file, to train at the network's speed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lircdepth_core.errors import LircDepthError

if TYPE_CHECKING:
    from lircdepth_core.data.frame import FrameSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--dataroot", type=Path, help="nuScenes data root, or one of `lircdepth synth`")
    source.add_argument("--merge", nargs="+", type=Path, metavar="FILE",
                        help="files of frames, or folders of them, of one size and focal length")  # fmt: skip
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
    from lircdepth_core.data.packed import open_packed, output_file, pack

    if not arguments.scale > 0:
        raise LircDepthError(f"--scale {arguments.scale}: expected a positive number")
    output = output_file(arguments.output)
    frames: FrameSource
    if arguments.merge:
        frames = open_packed(arguments.merge)
    else:
        frames = NuScenesFrames(
            arguments.dataroot, arguments.version, arguments.split, arguments.dense, arguments.scale, arguments.labels
        )
    pack(frames, output, arguments.jobs, tell=True)
    print(f"{output}: {frames.description}, {output.stat().st_size / 1e6:.1f} MB")
