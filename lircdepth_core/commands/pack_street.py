# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack-street`: frames of the synthetic street in files, for training at the speed of the network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lircdepth_core.commands import packed_output
from lircdepth_core.errors import LircDepthError

if TYPE_CHECKING:
    from lircdepth_core.data.frame import FrameSource

_SCALES = {"usual": 0.5, "varied": 0.25}  # of a 1600x900 camera


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--split",
        default="train",
        help="train, val or test of the usual street; varied (to train on), unseen-val or unseen-test of varied "
        "streets (default: %(default)s)",
    )
    parser.add_argument("--frames", type=int, required=True, help="number of frames")
    parser.add_argument("--scale", type=float, help="of a 1600x900 camera (default: 0.5, and 0.25 for varied streets)")
    parser.add_argument("--seed", type=int, default=0, help="of training streets (default: %(default)s)")
    parser.add_argument(
        "--lidar", action="store_true", help="varied streets: also what a lidar tells, beside the rendered depth"
    )
    parser.add_argument(
        "--rendered", action="store_true", help="usual street: rendered depth with the sky, in the place of lidar"
    )
    parser.add_argument("--device", default="auto", help="to render on; --jobs and --cluster: CPU, one thread each")
    packed_output.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command. Raises LircDepthError."""
    frames = _source(arguments)
    return packed_output.write(frames, packed_output.checked(arguments), arguments)


def _source(arguments: argparse.Namespace) -> FrameSource:
    from lircdepth_core.data.street import USUAL_SPLITS, StreetFrames
    from lircdepth_core.data.varied_street import VARIED_SPLITS, VariedFrames
    from lircdepth_core.inference.device import choose_device

    varied = arguments.split in VARIED_SPLITS
    if not varied and arguments.split not in USUAL_SPLITS:
        raise LircDepthError(f"--split {arguments.split}: expected {', '.join((*USUAL_SPLITS, *VARIED_SPLITS))}")
    scale = arguments.scale if arguments.scale is not None else _SCALES["varied" if varied else "usual"]
    if arguments.frames < 1 or not 0 < scale <= 1:
        raise LircDepthError(f"--frames {arguments.frames} --scale {scale}: expected at least 1, and 0 to 1")
    device = choose_device("cpu" if arguments.jobs > 1 or arguments.cluster else arguments.device)
    if varied:
        if arguments.rendered:
            raise LircDepthError(
                "--rendered is of the usual street: frames of varied streets have rendered depth anyway"
            )
        scale /= _SCALES["varied"]
        return VariedFrames(arguments.split, arguments.frames, scale, arguments.seed, device, arguments.lidar)
    if arguments.lidar:
        raise LircDepthError("--lidar is of varied streets: frames of the usual street have lidar anyway")
    return StreetFrames(
        arguments.split, arguments.frames, scale, arguments.seed, device=device, rendered=arguments.rendered
    )
