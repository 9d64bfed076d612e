# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth synth-report`: synthetic radar against real radar; trivial depth guesses on the frozen sets."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole
from lircdepth_core.progress import counted

BASELINES_SCALE = 0.25  # of the camera's size, as the packed frames that the shipped weights learnt from
_FRAMES_OF_THE_CONSTANT = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("real", nargs="?", type=Path, help="folder of real radar files (nuScenes' samples/RADAR_FRONT)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/radar_report.png"), help="default: %(default)s")
    parser.add_argument("--scenes", type=int, default=20, help="synthetic scenes (default: %(default)s)")
    parser.add_argument("--scans", type=int, default=10, help="scans of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes (default: %(default)s)")
    parser.add_argument(
        "--contact-sheet", type=Path, metavar="FILE", help="instead: draw 24 frames, seeds and weathers"
    )
    parser.add_argument("--baselines", choices=["val", "test"], help="instead: trivial depth guesses on a frozen set")
    parser.add_argument("--frames", type=int, default=5, help="of each scene for --baselines (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    for name in ("scenes", "scans", "frames"):
        if getattr(arguments, name) < 1:
            raise LircDepthError(f"{name} is {getattr(arguments, name)}, expected at least 1")
    from lircdepth_core.synthetic.render.threads import one_thread

    with one_thread():
        if arguments.contact_sheet:
            _draw_contact_sheet(arguments.contact_sheet, arguments.seed)
        elif arguments.baselines:
            _print_baselines(arguments)
        else:
            _print_radar(arguments)


def _print_radar(arguments):
    from lircdepth_core.synthetic import RadarModel, build_world
    from lircdepth_core.synthetic.sensors import radar_statistics
    from lircdepth_core.synthetic.sensors.radar import radar_scan
    from lircdepth_core.synthetic.world.splits import training_scenes

    real = radar_statistics.read_scenes(arguments.real) if arguments.real else None
    if real is not None and len(real) < 2:
        raise LircDepthError(f"{arguments.real} holds one scene: two are needed to tell how far real scenes differ")
    scans = []
    for spec in counted(training_scenes(arguments.scenes, arguments.seed), "scene"):
        world = build_world(spec.seed)
        for index, time in enumerate(np.linspace(0.5, 19.5, arguments.scans)):
            scans.append(radar_scan(world, RadarModel(), time, np.random.default_rng((*spec.seed, 5, index))))
    for name, values in radar_statistics.measure(scans).items():
        low, middle, high = np.percentile(values, [5, 50, 95])
        print(f"{name:18} median {middle:7.2f}   5 to 95 %: {low:7.2f} to {high:7.2f}")
    if real is None:
        print("no comparison: no folder of real scans was given")
    else:
        print(
            f"\nagainst {sum(map(len, real))} real scans of {len(real)} scenes"
            " (Wasserstein-1; dyn_prop: total variation)"
        )
        print(f"{'':18} {'distance':>9} {'yardstick':>10} {'ratio':>6}   yardstick: one real scene against the others")
        for name, (reached, yardstick, ratio) in radar_statistics.compare(scans, real).items():
            print(f"{name:18} {reached:9.3f} {yardstick:10.3f} {ratio:6.2f}")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    radar_statistics.draw(arguments.output, scans, None if real is None else [scan for scene in real for scan in scene])
    print(f"wrote {arguments.output}")


def _draw_contact_sheet(path, seed):
    from PIL import Image

    from lircdepth_core.synthetic import CameraModel, build_world
    from lircdepth_core.synthetic.sensors.camera import camera_frame
    from lircdepth_core.synthetic.world.weather import WEATHERS

    columns, rows, size = 4, 6, (480, 270)
    sheet = Image.new("RGB", (columns * size[0], rows * size[1]))
    for number in counted(range(columns * rows), "frame"):
        world = build_world((seed, number), weather_name=WEATHERS[number % len(WEATHERS)])
        frame = camera_frame(world, CameraModel().resized(2 * size[0], 2 * size[1]), 1.0 + 3.7 * number % 18).numpy()
        place = (number % columns * size[0], number // columns * size[1])
        sheet.paste(Image.fromarray(frame.image).resize(size, Image.Resampling.LANCZOS), place)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        sheet.save(partial, quality=88)
    print(f"wrote {path}: weathers {', '.join(WEATHERS)}, in turn")


def _print_baselines(arguments):
    from lircdepth_core.data.street import StreetFrames
    from lircdepth_core.evaluation import trivial
    from lircdepth_core.synthetic.world.splits import SPLITS

    count = arguments.frames * len(SPLITS[arguments.baselines])
    frames, fitted_on = (
        StreetFrames(split, number, BASELINES_SCALE)
        for split, number in ((arguments.baselines, count), ("val", _FRAMES_OF_THE_CONSTANT))
    )
    for truth in ("single", "exact"):
        report = trivial.evaluate(fitted_on, frames, truth, lambda indices: counted(indices, "frame"))
        print("\n".join([*(f"{name}: {value}" for name, value in report.about.items()), *report.lines(), ""]))
