# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack-street`: frames of the synthetic street in files, for training at the speed of the network."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

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
    parser.add_argument("--device", default="auto", help="to render on; not with --jobs")
    parser.add_argument("--jobs", type=int, default=1, help="processes that render on the CPU, one thread each")
    parser.add_argument(
        "--shard",
        type=int,
        metavar="N",
        help="write files of N frames each into the folder --output; what is there already is kept, so that the same "
        "command goes on after an interruption, and with more --frames adds to them",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE.safetensors",
                        help="file to write, or with --shard the folder")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.data.packed import output_file, pack

    frames = _source(arguments)
    if arguments.shard is not None:
        _pack_shards(frames, arguments.output, arguments.shard, arguments.jobs)
        return
    if arguments.output.is_dir():
        raise LircDepthError(f"{arguments.output}: is a folder; give a file, or --shard N for files of N frames in it")
    output = output_file(arguments.output)
    pack(frames, output, arguments.jobs, tell=True)
    print(f"{output}: {frames.description}, {output.stat().st_size / 1e6:.1f} MB")


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
    device = choose_device("cpu" if arguments.jobs > 1 else arguments.device)
    if varied:
        return VariedFrames(arguments.split, arguments.frames, scale / _SCALES["varied"], arguments.seed, device)
    return StreetFrames(arguments.split, arguments.frames, scale, arguments.seed, device=device)


def _pack_shards(frames: FrameSource, folder: Path, length: int, jobs: int) -> None:
    """Write the files of a folder that are missing, and say after each how far it is."""
    from lircdepth_core.data.packed import missing_shards, pack, shard_path

    if length < 1:
        raise LircDepthError(f"--shard {length}: expected at least 1")
    if folder.exists() and not folder.is_dir():
        raise LircDepthError(f"{folder}: is a file; with --shard, --output is a folder")
    folder.mkdir(parents=True, exist_ok=True)
    missing = missing_shards(frames, folder, length)
    left = sum(map(len, missing))
    print(f"{folder}: {frames.description}: {len(frames) - left} of {len(frames)} frames are there", flush=True)
    if not missing:
        return
    began = time.monotonic()
    size = sum(value.nbytes for name, value in frames.frame(missing[0][0]).items() if name != "radar") * left
    free = shutil.disk_usage(folder).free
    print(
        f"the rest takes about {(time.monotonic() - began) * left / jobs / 60:.0f} minutes and at most "
        f"{size / 1e6:.0f} MB ({free / 1e6:.0f} MB free)",
        flush=True,
    )
    if size > free:
        raise LircDepthError(f"{folder}: {free / 1e6:.0f} MB are free, and up to {size / 1e6:.0f} MB are needed")
    started, made = time.monotonic(), 0
    for indices in missing:
        pack(frames, shard_path(folder, indices), jobs, indices)
        made += len(indices)
        rate = made / (time.monotonic() - started)
        print(
            f"{len(frames) - left + made} of {len(frames)} frames, {60 * rate:.1f} a minute, about "
            f"{(left - made) / rate / 60:.0f} minutes left",
            flush=True,
        )
