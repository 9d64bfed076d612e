# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack-street`: frames of the synthetic street in one file, for training at the speed of the network."""

from __future__ import annotations

import argparse
from pathlib import Path

from lircdepth_core.errors import LircDepthError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--split", default="train", help="train, val or test (default: %(default)s)")
    parser.add_argument("--frames", type=int, required=True, help="number of frames")
    parser.add_argument("--scale", type=float, default=0.5, help="of a 1600x900 camera (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of training streets (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="to render on; not with --jobs")
    parser.add_argument("--jobs", type=int, default=1, help="processes that render on the CPU, one thread each")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE.safetensors", help="file to write")


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.data.packed import pack
    from lircdepth_core.data.street import StreetFrames
    from lircdepth_core.inference.device import choose_device

    if arguments.frames < 1 or not 0 < arguments.scale <= 1:
        raise LircDepthError(f"--frames {arguments.frames} --scale {arguments.scale}: expected at least 1, and 0 to 1")
    device = choose_device("cpu" if arguments.jobs > 1 else arguments.device)
    frames = StreetFrames(arguments.split, arguments.frames, arguments.scale, arguments.seed, device=device)
    arguments.output.absolute().parent.mkdir(parents=True, exist_ok=True)
    pack(frames, arguments.output, arguments.jobs)
    print(f"{arguments.output}: {frames.description}, {arguments.output.stat().st_size / 1e6:.1f} MB")
