# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Cameras as vehicles of many kinds carry them, and what their lenses and encoders do to a picture."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.sensors.rig import CAMERAS, RADARS, CameraModel, LidarModel, RadarModel

SensorT = TypeVar("SensorT", CameraModel, LidarModel, RadarModel)

FOCAL_LENGTH_PX, SIZE = 316.6, (225, 400)  # the nominal camera's: a quarter of nuScenes' front camera
_FRONT_SHARE = 0.45
_HEIGHT_M = (1.0, 2.4)
_YAW, _PITCH, _ROLL = np.radians([6.0, 2.5, 1.6])  # standard deviations
_STEEP_SHARE, _STEEPER = 0.15, 2.5  # some cameras are mounted more carelessly, or their vehicle leans
_FOCAL_SPREAD = 0.02
_CENTRE_PX = (8.0, 10.0)  # the principal point is moved by up to this
_NEAREST_M = 0.7
_MOST_NEAR = 0.1  # share of the pixels that may be nearer than that
_LEAST_MEDIAN_M = 1.3
_FRONT_RADAR_ALONE_RAD = 0.6  # a camera that looks ahead within this is read with the front radar alone


def draw_camera(
    generator: np.random.Generator, scale: float = 1.0, bearings: Sequence[tuple[float, float]] | None = None
) -> CameraModel:
    """Return a camera of nominally FOCAL_LENGTH_PX and SIZE, times ``scale``.

    bearings: directions to the left of straight ahead [degrees] with their chances; None: nuScenes' six mountings, the
    front camera nearly half of the time.
    """
    if bearings is None:
        front = generator.random() < _FRONT_SHARE
        camera = CAMERAS[0] if front else CAMERAS[generator.integers(1, len(CAMERAS))]
        mounting = np.array(camera.ego_from_sensor)
        channel = camera.channel
    else:
        angles, chances = np.array(bearings).T
        angle = np.radians(angles[generator.choice(len(angles), p=chances / chances.sum())])
        turn = geometry.rigid_transform((0, 0, 0), (np.cos(angle / 2), 0.0, 0.0, np.sin(angle / 2)))
        mounting = turn @ np.array(CAMERAS[0].ego_from_sensor)
        mounting[:2, 3] = 1.0 + 0.7 * np.cos(angle), 0.5 * np.sin(angle)
        channel = "CAM_FRONT" if abs(angle) < 0.5 else "CAM_SIDE"
    careless = _STEEPER if generator.random() < _STEEP_SHARE else 1.0
    for axis, spread in ((1, _YAW), (0, careless * _PITCH), (2, careless * _ROLL)):  # the optical frame's y, x, z
        half = generator.normal(0, spread) / 2
        quaternion = [np.cos(half), 0.0, 0.0, 0.0]
        quaternion[1 + axis] = np.sin(half)
        mounting = mounting @ geometry.rigid_transform((0, 0, 0), tuple(quaternion))
    mounting[:2, 3] += generator.uniform(-0.5, 0.5, 2)
    mounting[2, 3] = generator.uniform(*_HEIGHT_M)
    height, width = (round(scale * pixels) for pixels in SIZE)
    focal = scale * FOCAL_LENGTH_PX * float(np.exp(generator.normal(0, _FOCAL_SPREAD)))
    nominal = CAMERAS[0].resized(width, height)
    return CameraModel(
        channel,
        width,
        height,
        focal,
        focal,
        nominal.cx + scale * generator.uniform(-_CENTRE_PX[0], _CENTRE_PX[0]),
        nominal.cy + scale * generator.uniform(-_CENTRE_PX[1], _CENTRE_PX[1]),
        tuple(map(tuple, mounting.tolist())),
    )


def moved_aside(sensor: SensorT, metres: float) -> SensorT:
    """Return the sensor of the same vehicle that stands ``metres`` farther to the left."""
    mounting = np.array(sensor.ego_from_sensor)
    mounting[1, 3] += metres
    return replace(sensor, ego_from_sensor=tuple(map(tuple, mounting.tolist())))


def radars_seeing(camera: CameraModel, aside: float = 0.0) -> tuple[RadarModel, ...]:
    """Return the radars whose field of view meets the camera's; the front one alone for a camera that looks ahead.

    aside: how far their vehicle stands to the left [m], see moved_aside.
    """
    sight = np.array(camera.ego_from_sensor)[:2, 2]
    bearing = np.arctan2(sight[1], sight[0])
    half = np.arctan(camera.width / 2 / camera.fx)
    seeing = []
    for radar in RADARS[:1] if abs(bearing) < _FRONT_RADAR_ALONE_RAD else RADARS:
        mounting = np.array(radar.ego_from_sensor)
        between = np.abs(np.angle(np.exp(1j * (np.arctan2(mounting[1, 0], mounting[0, 0]) - bearing))))
        if between < half + np.radians(radar.reach[-1][0]):
            seeing.append(moved_aside(radar, aside))
    return tuple(seeing)


def is_usable(depth: torch.Tensor) -> bool:
    """Return whether a depth map [H, W] shows more than what hides the lens."""
    near = float((depth < _NEAREST_M).float().mean())
    return near <= _MOST_NEAR and float(depth.median()) > _LEAST_MEDIAN_M


def photograph(image: npt.NDArray[np.uint8], generator: np.random.Generator, jpeg: int) -> npt.NDArray[np.uint8]:
    """Return a picture [H, W, 3] as a real camera delivers it: blurred by lens and motion, and JPEG-compressed.

    jpeg: quality, 1 to 95.
    """
    import cv2
    from PIL import Image

    sigma = float(generator.choice([0.0, 0.6, 1.3], p=(0.4, 0.45, 0.15)) * generator.uniform(0.7, 1.3))
    if sigma:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    if generator.random() < 0.2:
        length, angle = int(generator.integers(3, 10)), generator.normal(0, 0.3)
        kernel = np.zeros((length, length), np.float32)
        steps = np.linspace(-0.5, 0.5, 4 * length) * (length - 1)
        middle = (length - 1) / 2
        rows, columns = (np.rint(middle + steps * part).astype(int) for part in (np.sin(angle), np.cos(angle)))
        kernel[rows, columns] = 1
        image = np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=jpeg)
    return np.array(Image.open(buffer).convert("RGB"))
