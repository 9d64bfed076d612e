# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One capture of one sensor: the bytes of its files, and its points where it has some."""

import io
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.radar import encode_pcd
from lircdepth_core.synthetic.sensors.camera import camera_frame
from lircdepth_core.synthetic.sensors.lidar import lidar_scan
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.sensors.rig import CameraModel, LidarModel, SensorModel
from lircdepth_core.synthetic.world.world import World

_DEPTH_STEPS_PER_M = 256
_DEEPEST_M = 65535.5 / _DEPTH_STEPS_PER_M  # what is farther does not fit into 16 bits


class File(NamedTuple):
    """A file's path below the data root, and its bytes."""

    path: str
    data: bytes


class Measurement(NamedTuple):
    """files: the sensor's own file first. points: [N, 3] in the sensor's frame [m], None for a camera."""

    files: list[File]
    points: npt.NDArray[np.float32] | None


def measure(
    world: World,
    model: SensorModel,
    time: float,
    folder: str,
    stem: str,
    generator: np.random.Generator,
    device: torch.device | str = "cpu",
) -> Measurement:
    """Return the files of a sensor at a time [s]: FOLDER/CHANNEL/STEM and, for a camera, depth/CHANNEL/STEM.png."""
    path = f"{folder}/{model.channel}/{stem}"
    if isinstance(model, CameraModel):
        frame = camera_frame(world, model, time, device).numpy()
        metres = np.where(frame.depth < _DEEPEST_M, frame.depth, 0)
        depth = np.rint(metres * _DEPTH_STEPS_PER_M).astype(np.uint16)
        files = [
            File(f"{path}.jpg", _encoded(frame.image, "JPEG", quality=world.weather.jpeg)),
            File(f"depth/{model.channel}/{stem}.png", _encoded(depth, "PNG", compress_level=1)),
        ]
        return Measurement(files, None)
    if isinstance(model, LidarModel):
        points = lidar_scan(world, model, time, generator, device).points
        return Measurement([File(f"{path}.pcd.bin", points.astype("<f4").tobytes())], points[:, :3])
    returns = radar_scan(world, model, time, generator, device)
    places = np.column_stack([returns["x"], returns["y"], returns["z"]])
    return Measurement([File(f"{path}.pcd", encode_pcd(returns))], places)


def _encoded(image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], file_format: str, **options: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, file_format, **options)
    return buffer.getvalue()
