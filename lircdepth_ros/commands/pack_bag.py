# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack-bag`: one's own drives as frames to train on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lircdepth_core.commands import packed_output
from lircdepth_core.errors import LircDepthError
from lircdepth_ros.commands.bag_inputs import add_input_arguments, job_options

if TYPE_CHECKING:
    from lircdepth_core.data.frame import FrameSource
    from lircdepth_ros.bags.drive_frames import DriveFrames

_SHEET_FRAMES = 8
_SHEET_RANGE_M = 80.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bags", nargs="+", metavar="BAG", help="drives with a camera, radars, a lidar and poses")
    packed_output.add_arguments(parser)
    parser.add_argument(
        "--validation",
        type=Path,
        metavar="FILE.safetensors",
        help="also write the end of each drive to this file (with --shard: folder), to select on; frames at random "
        "would be nearly the same pictures as those of training",
    )
    parser.add_argument("--validation-share", type=float, default=0.15, help="of each drive (default: %(default)s)")
    parser.add_argument("--gap", type=float, default=5.0, help="seconds between both (default: %(default)s)")
    parser.add_argument("--lidar-topic", default="/LIDAR_TOP/points", help="default: %(default)s")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two frames (default: %(default)s)")
    parser.add_argument(
        "--accumulate",
        type=float,
        default=1.5,
        help="seconds of lidar before and after an image that become its dense depth (default: %(default)s)",
    )
    parser.add_argument("--scale", type=float, help="resize images by this (default: 1, or what --like says)")
    parser.add_argument(
        "--like", metavar="WEIGHTS", help="resize images to the focal length of these weights: to fine-tune them"
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="picture of some frames, to look at")
    add_input_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read the drives, write the frames, say what was left out. Raises LircDepthError."""
    from lircdepth_core.data.packed import JoinedFrames
    from lircdepth_ros.bags.drive_frames import DriveFrames, DriveOptions

    _check(arguments)
    drives = []
    for bag in arguments.bags:
        options = DriveOptions(
            job_options(arguments), arguments.lidar_topic, arguments.every, arguments.accumulate, arguments.scale or 1.0
        )
        drive = DriveFrames(bag, options)
        if arguments.like:
            drive = drive.scaled(_focal_length(arguments.like) / drive.focal_length)
        drives.append(drive)
        _report(drive)
    parts: dict[Path, FrameSource] = {}
    if arguments.validation:
        training, validation = zip(*(_split(drive, arguments) for drive in drives), strict=True)
        parts[arguments.validation] = JoinedFrames([part for part in validation if len(part)])
        drives = [part for part in training if len(part)]
    parts[arguments.output] = JoinedFrames(drives)
    packed_output.checked(arguments)
    status = 0
    for path, frames in parts.items():
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        status |= packed_output.write(frames, path, arguments)
    if arguments.sheet:
        _draw(parts[arguments.output], arguments.sheet)
        print(f"{arguments.sheet}: image with radar, and depth; look whether both lie on what they are of")
    return status


def _check(arguments: argparse.Namespace) -> None:
    if arguments.scale is not None and (arguments.like or not 0 < arguments.scale <= 1):
        raise LircDepthError(f"--scale {arguments.scale}: expected 0 to 1, and no --like")
    if not arguments.every >= 0 or not arguments.accumulate >= 0 or not arguments.gap >= 0:
        raise LircDepthError("--every, --accumulate and --gap: expected seconds, 0 or more")
    if not 0 < arguments.validation_share < 1:
        raise LircDepthError(f"--validation-share {arguments.validation_share}: expected between 0 and 1")
    if arguments.validation and arguments.validation == arguments.output:
        raise LircDepthError(f"--validation and --output are both {arguments.output}")


def _focal_length(weights: str) -> float:
    from lircdepth_core.models import checkpoints

    return checkpoints.read_header(checkpoints.file_of(weights)).focal_length


def _report(drive: DriveFrames) -> None:
    account = drive.account
    print(f"{drive.description} of {account.received} images ({account.causes() or 'none left out'})", flush=True)
    damaged = [f"{number} messages of {topic} are damaged" for topic, number in drive.bag_account.damaged.items()]
    for text in (*damaged, *drive.cautions, *account.reasons[:3]):
        print(f"note: {text}", file=sys.stderr)


def _split(drive: DriveFrames, arguments: argparse.Namespace) -> tuple[DriveFrames, DriveFrames]:
    """Return the frames of a drive to train on, and those of its end to validate on."""
    first, last = drive.span
    border = last - round((last - first) * arguments.validation_share)
    training, validation = drive.between(first, border - round(arguments.gap * 1e9)), drive.between(border, last + 1)
    if not len(training) or not len(validation):
        raise LircDepthError(
            f"{drive.description}: too short to be split with --validation-share {arguments.validation_share:g} and "
            f"--gap {arguments.gap:g}"
        )
    return training, validation


def _draw(frames: FrameSource, path: Path) -> None:
    """Draw frames spread over the source: the image with its radar returns above the dense depth."""
    import cv2

    from lircdepth_core.evaluation.colours import colorize, scale_within
    from lircdepth_core.files import written_whole

    scale = scale_within(_SHEET_RANGE_M)
    columns = []
    for index in np.linspace(0, len(frames) - 1, min(_SHEET_FRAMES, len(frames))).round().astype(int):
        frame = frames.frame(int(index))
        picture = frame["image"].permute(1, 2, 0).numpy().copy()
        depth = frame["dense"][0].numpy()
        radar = frame["radar"][0].numpy()
        rows, cols = np.nonzero(radar)
        colours = colorize(radar[rows, cols][None], scale)[0].tolist() if len(rows) else []
        for row, column, colour in zip(rows.tolist(), cols.tolist(), colours, strict=True):
            cv2.circle(picture, (column, row), max(2, picture.shape[1] // 150), colour, thickness=-1)
        columns.append(np.concatenate([picture, colorize(np.where(depth > 0, depth, np.nan), scale)]))
    half = -(-len(columns) // 2)
    while len(columns) < 2 * half:
        columns.append(np.zeros_like(columns[0]))
    sheet = np.concatenate([np.concatenate(columns[:half], axis=1), np.concatenate(columns[half:], axis=1)])
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        kind = path.suffix.lower() or ".png"
        encoded, data = cv2.imencode(kind, sheet[..., ::-1])
        if not encoded:
            raise LircDepthError(f"{path}: expected a name that ends in .png or .jpg")
        partial.write_bytes(data.tobytes())
