# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the commands share that write packed frames: one file, or files of so many frames in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lircdepth_core import manifest, work
from lircdepth_core.errors import LircDepthError

if TYPE_CHECKING:
    from lircdepth_core.data.frame import FrameSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where frames are written to, and who makes them."""
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE.safetensors",
                        help="file to write, or with --shard the folder")  # fmt: skip
    parser.add_argument(
        "--shard",
        type=int,
        metavar="N",
        help="write files of N frames each into the folder --output, each by one worker; what is there already is "
        "kept, so that the same command goes on after an interruption, and with more frames adds to them",
    )
    work.add_arguments(parser)
    manifest.add_argument(parser)


def checked(arguments: argparse.Namespace) -> Path:
    """Return --output, whose folder is made. Called before any work. Raises LircDepthError and OSError."""
    from lircdepth_core.data.packed import output_file

    output: Path = arguments.output
    work.workers_of(arguments)
    if arguments.shard is None:
        if arguments.verify:
            raise LircDepthError("--verify goes with --shard: a single file has no manifest")
        if output.is_dir():
            raise LircDepthError(f"{output}: is a folder; give a file, or --shard N for files of N frames in it")
        return output_file(output)
    if arguments.shard < 1:
        raise LircDepthError(f"--shard {arguments.shard}: expected at least 1")
    if output.exists() and not output.is_dir():
        raise LircDepthError(f"{output}: is a file; with --shard, --output is a folder")
    return output


def write(frames: FrameSource, output: Path, arguments: argparse.Namespace) -> int:
    """Write or verify frames, and print what there is; return the exit status. Raises LircDepthError."""
    from lircdepth_core.data.packed import pack, pack_shards, shard_path, shards_of

    workers = work.workers_of(arguments)
    if arguments.verify:
        return manifest.check(
            output, [shard_path(output, each).name for each in shards_of(len(frames), arguments.shard)]
        )
    if arguments.shard is not None:
        pack_shards(frames, output, arguments.shard, workers)
        return 0
    pack(frames, output, workers, tell=True)
    print(f"{output}: {frames.description}, {output.stat().st_size / 1e6:.1f} MB")
    return 0
