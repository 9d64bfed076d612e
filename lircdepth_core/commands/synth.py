# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth synth`: generate synthetic scenes as a nuScenes data root."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from lircdepth_core import manifest, work
from lircdepth_core.errors import LircDepthError

_WEATHERS = ("clear", "clouds", "overcast", "wet", "haze", "dusk", "night", "wet-night")


def _image_size(text):
    width, separator, height = text.partition("x")
    if not (separator and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not WIDTHxHEIGHT, for example 1600x900")
    return int(width), int(height)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("-o", "--output", required=True, type=Path, help="the data root to create")
    parser.add_argument("--scenes", type=int, default=1, help="number of scenes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another street (default: %(default)s)")
    parser.add_argument("--split", choices=["val", "test"], help="the frozen validation or test scenes instead")
    parser.add_argument("--duration", type=float, default=20.0,
                        help="seconds a scene, at most 20 (default: %(default)s)")  # fmt: skip
    parser.add_argument(
        "--sensors",
        choices=["front", "all"],
        default="front",
        help="front: CAM_FRONT, LIDAR_TOP, RADAR_FRONT; all: six cameras, five radars (default: %(default)s)",
    )
    parser.add_argument("--weather", choices=_WEATHERS, help="the same for all scenes (default: drawn)")
    parser.add_argument("--difficulty", choices=["easy", "medium", "hard"], help="how much traffic (default: drawn)")
    parser.add_argument(
        "--vehicle",
        choices=["nuscenes", "low", "high"],
        default="nuscenes",
        help="whose sensors: low and high have the camera 1.1 m lower or 0.9 m higher, pitched, with another focal "
        "length and size, and the radar elsewhere (default: %(default)s)",
    )
    parser.add_argument("--image-size", type=_image_size, metavar="WxH",
                        help="pixels of the cameras, same field of view (default: those of the vehicle)")  # fmt: skip
    work.add_arguments(parser)
    manifest.add_argument(parser)
    parser.add_argument("--device", default="cpu", help="where rays are cast (default: %(default)s)")
    parser.add_argument("--version", default="v1.0-mini", help="name of the tables' folder (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Run the command. Raises LircDepthError."""
    if arguments.split and (arguments.weather or arguments.difficulty):
        raise LircDepthError("--split fixes weather and difficulty: give no --weather and no --difficulty")
    from lircdepth_core import synthetic
    from lircdepth_core.synthetic.writing.generate import TABLES_ITEM

    sensors = synthetic.suite(arguments.sensors, arguments.image_size, arguments.vehicle)
    output, duration, workers = arguments.output, arguments.duration, work.workers_of(arguments)
    choice = {"weather": arguments.weather, "difficulty": arguments.difficulty, "split": arguments.split}
    specs = synthetic.scene_specs(arguments.scenes, arguments.seed, **choice)
    if arguments.verify:
        return manifest.check(output, [*(spec.name for spec in specs), TABLES_ITEM])
    synthetic.check(output, arguments.scenes, arguments.seed, duration, sensors)
    seconds, size = synthetic.estimate(specs, duration, sensors, arguments.jobs, arguments.device)
    place = next(folder for folder in output.absolute().parents if folder.exists())
    free = shutil.disk_usage(place).free
    print(
        f"{len(specs)} scene(s) of {duration:g} s: about {seconds:.0f} s and {size / 1e6:.0f} MB "
        f"({free / 1e6:.0f} MB free)",
        flush=True,
    )
    partial = synthetic.partial_folder(output)
    finished = sum(1 for spec in specs if (partial / spec.name).is_dir())
    if finished:
        print(f"{finished} of them were finished before and are kept", flush=True)
    elif size > free:
        raise LircDepthError(f"{place} has {free / 1e6:.0f} MB free, and about {size / 1e6:.0f} MB are needed")
    try:
        synthetic.generate(
            output, arguments.scenes, arguments.seed, duration, sensors, arguments.version, arguments.device,
            progress=True, workers=workers, **choice,
        )  # fmt: skip
    except BaseException:
        if partial.is_dir() and any(partial.glob("scene-*")):
            print(f"finished scenes are kept in {partial}: the same command goes on from there", file=sys.stderr)
        raise
    print(f"wrote {output} ({arguments.version})")
    return 0
