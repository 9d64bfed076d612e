# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth infer`: depth for one image and one radar scan of one's own, from files."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lircdepth_core import options
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.pictures import decode_picture
from lircdepth_core.radar import RadarScan
from lircdepth_core.radar.point_files import read_points
from lircdepth_ros.messages.clouds import missing_fields_caution, radar_field_names
from lircdepth_ros.messages.depth import to_millimetres


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--image", required=True, metavar="FILE", help="rectified image, JPEG or PNG")
    parser.add_argument(
        "--radar", metavar="FILE", help="scan: any PCD, or a table (.csv, .tsv, .txt) with a line of names"
    )
    parser.add_argument(
        "--radar-scan",
        metavar="SCAN",
        help="which scan of a table of several: the text in its column of times or scan numbers; 'all' for all rows",
    )
    parser.add_argument("--calibration", required=True, metavar="YAML", help="mounting of both, camera's intrinsics")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help=".png: 16 bit, mm; .npy: float32, m")
    parser.add_argument("--camera-frame", default="CAM_FRONT", help="in the calibration (default: %(default)s)")
    parser.add_argument("--radar-frame", default="RADAR_FRONT", help="in the calibration (default: %(default)s)")
    parser.add_argument(
        "--radar-fields",
        default="x y z rcs vx vy",
        help="names in the file of position [m], cross section [dBsm] and velocity [m/s]; 0 for one that it lacks, all "
        "zero then (default: %(default)s)",
    )
    options.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Estimate, write the depth, print a line. Raises LircDepthError."""
    output = Path(arguments.output)
    if output.suffix.lower() not in (".png", ".npy"):
        raise LircDepthError(f"--output is {output}, expected a name that ends in .png or .npy")
    if not output.absolute().parent.is_dir():
        raise LircDepthError(f"--output is {output}: there is no folder {output.absolute().parent}")
    calibration = Calibration.load(arguments.calibration)
    camera, radar_frame = arguments.camera_frame, arguments.radar_frame
    if camera not in calibration.intrinsics:
        known = ", ".join(sorted(calibration.intrinsics)) or "none"
        raise LircDepthError(f"{arguments.calibration} has no intrinsics of {camera}; it has those of: {known}")
    radars = []
    if arguments.radar:
        scan = read_scan(arguments.radar, arguments.radar_fields, arguments.radar_scan)
        caution = missing_fields_caution(arguments.radar_fields.split())
        if caution:
            print(f"note: {caution}", file=sys.stderr)
        radars.append((scan, calibration.transform(camera, radar_frame)))
    image = decode_picture(Path(arguments.image).read_bytes(), arguments.image)
    _check_size(arguments.calibration, calibration, camera, image.shape[1], image.shape[0])
    chosen = options.from_arguments(arguments)
    from lircdepth_core.pipeline import DepthPipeline  # late: importing PyTorch takes seconds

    pipeline = DepthPipeline.from_weights(**asdict(chosen))
    frame = pipeline(image, calibration.intrinsics[camera], radars)
    _write(output, frame.depth)
    returns = sum(len(scan) for scan, _ in radars)
    print(f"{output}: {image.shape[1]}x{image.shape[0]}, {frame.returns_seen} of {returns} radar returns in the image")
    if frame.rejected_returns:
        print(f"note: {frame.rejected_returns} returns are left out: a value is missing or not finite", file=sys.stderr)
    if returns and not frame.returns_seen:
        print(
            f"note: no return lies in the image; check the mounting in {arguments.calibration}: the frame of {camera} "
            f"has x to the right, y down and z forward, that of {radar_frame} x forward and y to the left",
            file=sys.stderr,
        )
    if pipeline.header.caution:
        print(pipeline.header.caution)


def _check_size(path: str, calibration: Calibration, camera: str, width: int, height: int) -> None:
    """Raise LircDepthError where the calibration says that its intrinsics are those of another image size."""
    expected = calibration.image_sizes.get(camera, (width, height))
    if expected != (width, height):
        raise LircDepthError(
            f"the image is {width}x{height}, the intrinsics of {camera} in {path} are those of "
            f"{expected[0]}x{expected[1]}: scale one of them"
        )


def read_scan(path: str | Path, fields: str, scan: str | None = None) -> RadarScan:
    """Return the RadarScan of a point file. fields: its six names for x y z rcs vx vy; "0" means all zero.

    scan: which one of a table of several. Raises LircDepthError.
    """
    names = radar_field_names(fields, "--radar-fields")
    units = dict(zip(names, ("m", "m", "m", "dBsm", "m/s", "m/s"), strict=True))
    units.pop("0", None)
    columns = read_points(path, units, scan)
    count = len(next(iter(columns.values())))
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and is left out as such
        return RadarScan.from_fields(*(columns[name] if name in columns else np.zeros(count) for name in names))


def _write(path: Path, depth: npt.NDArray[np.float32]) -> None:
    """Write depth under its name only when complete: .npy as it is; .png as the node's 16UC1."""
    with written_whole(path) as partial:
        if path.suffix.lower() == ".npy":
            with open(partial, "wb") as file:  # NumPy would add .npy to a name that ends in .NPY
                np.save(file, depth)
        else:
            from PIL import Image

            Image.fromarray(to_millimetres(depth)[0]).save(partial)
