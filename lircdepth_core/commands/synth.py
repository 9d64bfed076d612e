"""`lircdepth synth`: generate synthetic scenes as a nuScenes data root."""

import argparse
import shutil
from pathlib import Path

from lircdepth_core import synthetic


def _image_size(text):
    width, separator, height = text.partition("x")
    if not (separator and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not WIDTHxHEIGHT, for example 1600x900")
    return int(width), int(height)


def add_arguments(parser):
    parser.add_argument("-o", "--output", required=True, type=Path, help="the data root to create")
    parser.add_argument("--scenes", type=int, default=1, help="number of scenes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another street (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=synthetic.MAX_DURATION,
                        help="seconds a scene, at most 20 (default: %(default)s)")  # fmt: skip
    parser.add_argument("--image-size", type=_image_size, default=(1600, 900), metavar="WxH",
                        help="pixels of the camera, same field of view (default: 1600x900)")  # fmt: skip
    parser.add_argument("--version", default="v1.0-mini", help="name of the tables' folder (default: %(default)s)")


def run(arguments):
    camera = synthetic.CameraModel().resized(*arguments.image_size)
    common = (arguments.scenes, arguments.seed, arguments.duration, camera)
    synthetic.check(arguments.output, *common)
    seconds, size = synthetic.estimate(*common)
    place = next(folder for folder in arguments.output.absolute().parents if folder.exists())
    print(
        f"{arguments.scenes} scene(s) of {arguments.duration:g} s: about {seconds:.0f} s and {size / 1e6:.0f} MB "
        f"({shutil.disk_usage(place).free / 1e6:.0f} MB free)",
        flush=True,
    )
    output = synthetic.generate(arguments.output, *common, version=arguments.version, progress=True)
    print(f"wrote {output} ({arguments.version})")
