# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth infer`: depth for one image and one radar scan from files: one's own, or the sample that ships."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import lircdepth_core
from lircdepth_core import options
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import add_scale_arguments, scale_of
from lircdepth_core.evaluation.views import frame_view
from lircdepth_core.files import written_whole
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.pictures import PICTURE_SUFFIXES, decode_picture, save_picture
from lircdepth_core.radar import MeasuredScan
from lircdepth_core.radar.field_maps import FieldMap
from lircdepth_core.radar.point_files import read_points
from lircdepth_ros.messages.depth import to_millimetres
from lircdepth_ros.messages.radars import radar_map

SAMPLE = Path(lircdepth_core.__file__).parent / "sample"
SAMPLE_FILES = ("image.jpg", "radar.pcd", "calibration.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--image", metavar="FILE", help="rectified image, JPEG or PNG")
    parser.add_argument(
        "--radar",
        metavar="FILE",
        help="scan: any PCD, a table (.csv, .tsv, .txt) with a line of names, or what the driver's map says of .bin",
    )
    parser.add_argument(
        "--radar-scan",
        metavar="SCAN",
        help="which scan of a table of several: the text in its column of times or scan numbers; 'all' for all rows",
    )
    parser.add_argument("--calibration", metavar="YAML", help="mounting of both, camera's intrinsics")
    parser.add_argument(
        "--sample", action="store_true", help="take the frame that ships with the package, and draw a --picture, too"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help=".png: 16 bit, mm; .npy: float32, m")
    parser.add_argument(
        "--picture",
        metavar="FILE",
        help=".png or .jpg for people: camera, radar, depth in colours with a scale (with --sample: OUTPUT's .jpg)",
    )
    add_scale_arguments(parser)
    parser.add_argument("--camera-frame", default="CAM_FRONT", help="in the calibration (default: %(default)s)")
    parser.add_argument("--radar-frame", default="RADAR_FRONT", help="in the calibration (default: %(default)s)")
    parser.add_argument(
        "--radar-driver",
        default="nuscenes",
        metavar="NAME",
        help="what the file's fields mean: a name of config/radars or a .yaml file (default: %(default)s)",
    )
    parser.add_argument(
        "--radar-fields",
        default="",
        help="instead of a driver: names for x y z [m] rcs [dBsm] vx vy [m/s] in the file, 0 for one that it lacks",
    )
    parser.add_argument(
        "--ego-motion",
        type=float,
        nargs=3,
        metavar=("VX", "VY", "YAW_RATE"),
        help="of the vehicle, m/s and rad/s, for radars that measure speeds along the line of sight (default: 0)",
    )
    options.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print what was made for machines")


def run(arguments: argparse.Namespace) -> None:
    """Estimate, write the depth, print a line. Raises LircDepthError."""
    output = Path(arguments.output)
    if output.suffix.lower() not in (".png", ".npy"):
        raise LircDepthError(f"--output is {output}, expected a name that ends in .png or .npy")
    if not output.absolute().parent.is_dir():
        raise LircDepthError(f"--output is {output}: there is no folder {output.absolute().parent}")
    _choose_files(arguments)
    if arguments.picture and Path(arguments.picture).suffix.lower() not in PICTURE_SUFFIXES:
        raise LircDepthError(f"--picture is {arguments.picture}, expected a name that ends in .png or .jpg")
    scale = scale_of(arguments)
    calibration = Calibration.load(arguments.calibration)
    camera, radar_frame = arguments.camera_frame, arguments.radar_frame
    if camera not in calibration.intrinsics:
        known = ", ".join(sorted(calibration.intrinsics)) or "none"
        raise LircDepthError(f"{arguments.calibration} has no intrinsics of {camera}; it has those of: {known}")
    radars = []
    if arguments.radar:
        fields = arguments.radar_fields
        field_map = (
            FieldMap.of_names(fields, "--radar-fields")
            if fields
            else radar_map(arguments.radar_driver, "--radar-driver")
        )
        measured = read_scan(arguments.radar, field_map, arguments.radar_scan)
        mounting = calibration.transform(BASE_FRAME, radar_frame)
        scan = measured.to_scan(_sensor_velocity(arguments.ego_motion or (0.0, 0.0, 0.0), mounting))
        notes = [field_map.caution]
        if measured.needs_motion and arguments.ego_motion is None:
            notes.append("the vehicle is taken to stand: --ego-motion says how it moved")
        for note in filter(None, notes):
            print(f"note: {note}", file=sys.stderr)
        radars.append((scan, calibration.transform(camera, radar_frame)))
    image = decode_picture(Path(arguments.image).read_bytes(), arguments.image)
    _check_size(arguments.calibration, calibration, camera, image.shape[1], image.shape[0])
    chosen = options.from_arguments(arguments)
    if arguments.sample and chosen.backend == "auto":
        chosen = replace(chosen, backend="plain")  # measuring backends takes longer than the frame
    from lircdepth_core.pipeline import DepthPipeline  # late: importing PyTorch takes seconds

    pipeline = DepthPipeline.from_weights(**asdict(chosen))
    frame = pipeline(image, calibration.intrinsics[camera], radars)
    _write(output, frame.depth)
    if arguments.picture:
        save_picture(arguments.picture, frame_view(image, calibration.intrinsics[camera], radars, frame.depth, scale))
    told = {
        "output": str(output),
        "picture": arguments.picture,
        "width": image.shape[1],
        "height": image.shape[0],
        "returns": sum(len(scan) for scan, _ in radars),
        "returns_seen": frame.returns_seen,
        "rejected_returns": frame.rejected_returns,
        "seconds": frame.seconds,
        "caution": pipeline.header.caution,
    }
    _print(told, arguments)


def _print(told: dict[str, Any], arguments: argparse.Namespace) -> None:
    if told["rejected_returns"]:
        text = f"note: {told['rejected_returns']} returns are left out: a value is missing or not finite"
        print(text, file=sys.stderr)
    if told["returns"] and not told["returns_seen"]:
        print(
            f"note: no return lies in the image; check the mounting in {arguments.calibration}: the frame of "
            f"{arguments.camera_frame} has x to the right, y down and z forward, that of {arguments.radar_frame} x "
            "forward and y to the left",
            file=sys.stderr,
        )
    if arguments.json:
        print(json.dumps(told, indent=2))
        return
    if told["picture"]:
        print(f"{told['picture']}: to look at")
    print("{output}: {width}x{height}, {returns_seen} of {returns} radar returns in the image".format(**told))
    if told["caution"]:
        print(told["caution"])


def _choose_files(arguments: argparse.Namespace) -> None:
    """Put the sample's files in, or see that one's own are named. Raises LircDepthError."""
    names = ("image", "calibration")
    if not arguments.sample:
        missing = [f"--{name}" for name in names if getattr(arguments, name) is None]
        if missing:
            raise LircDepthError(f"{' and '.join(missing)} missing; --sample takes the frame that ships")
        return
    given = [f"--{name}" for name in (*names, "radar") if getattr(arguments, name)]
    if given:
        raise LircDepthError(f"--sample takes the frame that ships: leave {' and '.join(given)} away")
    arguments.image, arguments.radar, arguments.calibration = (SAMPLE / name for name in SAMPLE_FILES)
    arguments.picture = arguments.picture or str(Path(arguments.output).with_suffix(".jpg"))


def _check_size(path: str, calibration: Calibration, camera: str, width: int, height: int) -> None:
    """Raise LircDepthError where the calibration says that its intrinsics are those of another image size."""
    expected = calibration.image_sizes.get(camera, (width, height))
    if expected != (width, height):
        raise LircDepthError(
            f"the image is {width}x{height}, the intrinsics of {camera} in {path} are those of "
            f"{expected[0]}x{expected[1]}: scale one of them"
        )


def read_scan(path: str | Path, field_map: FieldMap, scan: str | None = None) -> MeasuredScan:
    """Return the returns of a point file. scan: which one of a table of several. Raises LircDepthError."""
    return field_map.measured(read_points(path, field_map.units, scan, field_map.columns))


def _sensor_velocity(ego_motion: Sequence[float], base_from_sensor: Float64Array) -> Float64Array:
    """Return a sensor's velocity over ground [3] m/s in its own frame, of a vehicle's (vx, vy, yaw rate)."""
    vx, vy, yaw_rate = ego_motion
    lever = base_from_sensor[:3, 3]
    velocity = np.array([vx - yaw_rate * lever[1], vy + yaw_rate * lever[0], 0.0])
    turned: Float64Array = base_from_sensor[:3, :3].T @ velocity
    return turned


def _write(path: Path, depth: npt.NDArray[np.float32]) -> None:
    """Write depth under its name only when complete: .npy as it is; .png as the node's 16UC1."""
    with written_whole(path) as partial:
        if path.suffix.lower() == ".npy":
            with open(partial, "wb") as file:  # NumPy would add .npy to a name that ends in .NPY
                np.save(file, depth)
        else:
            from PIL import Image

            Image.fromarray(to_millimetres(depth)[0]).save(partial)
