# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack`: frames of a nuScenes split, or of several files, in files to train on at the network's speed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lircdepth_core.commands import packed_output
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
    packed_output.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.data.nuscenes_frames import NuScenesFrames
    from lircdepth_core.data.shards import ShardedFrames

    if not arguments.scale > 0:
        raise LircDepthError(f"--scale {arguments.scale}: expected a positive number")
    output = packed_output.checked(arguments)
    frames: FrameSource
    if arguments.merge:
        frames = ShardedFrames(arguments.merge)
    else:
        frames = NuScenesFrames(
            arguments.dataroot, arguments.version, arguments.split, arguments.dense, arguments.scale, arguments.labels
        )
    return packed_output.write(frames, output, arguments)
