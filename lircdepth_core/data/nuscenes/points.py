# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Points of nuScenes' lidar and radar files, and their pixels in an image of the same key frame."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry, radar
from lircdepth_core.data.nuscenes.lidar import decode_lidar
from lircdepth_core.data.nuscenes.poses import camera_from_sensor
from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

_LFS_POINTER = b"version https://git-lfs.github.com/spec"


def read_points(nusc: "NuScenes", record: Record) -> npt.NDArray[np.float32]:
    """Return the points of a lidar or radar sample_data record in the sensor's frame, as float32 [N, 3] metres.

    Raises LircDepthError when the file is missing or damaged.
    """
    if record["sensor_modality"] == "radar":
        return read_radar_scan(nusc, record).points
    path, data = _read(nusc, record)
    return decode_lidar(data, path)[:, :3]


def read_radar_scan(nusc: "NuScenes", record: Record) -> radar.RadarScan:
    """Return the scan of a radar record. Raises LircDepthError when its file is missing or damaged."""
    path, data = _read(nusc, record)
    return radar.RadarScan.from_pcd(radar.decode_pcd(data, path))


def _read(nusc: "NuScenes", record: Record) -> tuple[Path, bytes]:
    """Return the path and the content of a sample_data record's file."""
    path = Path(nusc.dataroot, record["filename"])
    return path, read_sensor_file(path)


def read_sensor_file(path: Path) -> bytes:
    """Return the content of a sensor file. Raises LircDepthError for whatever stands in its place, or does not."""
    reason = why_unreadable(path)
    if reason is not None:
        raise LircDepthError(reason)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LircDepthError(f"{path} cannot be read: {error.strerror}") from error
    if data.startswith(_LFS_POINTER):
        raise LircDepthError(f"{path} is a pointer of Git LFS, expected the file itself (`git lfs pull`)")
    return data


def why_unreadable(path: Path) -> str | None:
    """Return why no sensor file can be at a path, without reading it, or None."""
    if path.is_file():
        return None
    if path.is_dir():
        return f"{path} is a folder, expected a file"
    if path.is_symlink():
        return f"{path} is missing: it is a link to {path.readlink()}, which is not there"
    return f"{path} is {'no file' if path.exists() else 'missing'}"


def project_channel(nusc: "NuScenes", sample: Record, channel: str, camera: str) -> tuple[Float64Array, Float64Array]:
    """Project a key frame's lidar or radar points into one of its images.

    Returns (pixels [M, 2], depth [M] metres) of the points that the image sees (geometry.visible).
    """
    camera_record, record = (nusc.get("sample_data", sample["data"][name]) for name in (camera, channel))
    intrinsics = nusc.get("calibrated_sensor", camera_record["calibrated_sensor_token"])["camera_intrinsic"]
    points = geometry.transform_points(camera_from_sensor(nusc, camera_record, record), read_points(nusc, record))
    pixels, depth = geometry.project(points, intrinsics)
    seen = geometry.visible(pixels, depth, camera_record["width"], camera_record["height"])
    return pixels[seen], depth[seen]
