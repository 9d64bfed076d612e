# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The sensor suite of nuScenes: nominal intrinsics, timing, noise and mountings (4x4, ego_from_sensor)."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError

LIDAR_DELAY_S = 0.0355  # from the front camera's image to the lidar's stamp, in key frames
RADAR_SPREAD_S = 0.03  # a radar scan is at most this much earlier than its image, or twice as much later


def _mounting(
    translation: tuple[float, float, float], rotation_wxyz: tuple[float, float, float, float]
) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, geometry.rigid_transform(translation, rotation_wxyz).tolist()))


def _turned(
    translation: tuple[float, float, float], degrees: float, optical: bool = False, down: float = 0.0
) -> tuple[tuple[float, ...], ...]:
    """Return the mounting of a sensor that looks ``degrees`` to the left of straight ahead, and ``down`` degrees down.

    optical: its frame is a camera's (x right, y down, z forward).
    """
    angle, pitch = np.radians(degrees) / 2, np.radians(down) / 2
    turn = geometry.rigid_transform(translation, (np.cos(angle), 0.0, 0.0, np.sin(angle)))
    turn = turn @ geometry.rigid_transform((0, 0, 0), (np.cos(pitch), 0.0, np.sin(pitch), 0.0))
    if optical:
        turn = turn @ geometry.rigid_transform((0, 0, 0), (0.5, -0.5, 0.5, -0.5))
    return tuple(map(tuple, turn.tolist()))


@dataclass(frozen=True)
class CameraModel:
    """A pinhole camera: size and intrinsics in pixels. Optical frame: z forward, x right, y down.

    lead: how long before the lidar's stamp it fires at key frames [s].
    """

    channel: str = "CAM_FRONT"
    width: int = 1600
    height: int = 900
    fx: float = 1266.4
    fy: float = 1266.4
    cx: float = 816.3
    cy: float = 491.5
    ego_from_sensor: tuple[tuple[float, ...], ...] = _mounting((1.70, 0.016, 1.51), (0.5, -0.5, 0.5, -0.5))
    lead: float = LIDAR_DELAY_S

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    @property
    def intrinsics(self) -> npt.NDArray[np.float64]:
        """The 3x3 matrix of the intrinsics."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def resized(self, width: int, height: int) -> "CameraModel":
        """Return the camera that takes the same picture in another number of pixels (pixel centres at integers)."""
        right, down = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * right,
            fy=self.fy * down,
            cx=(self.cx + 0.5) * right - 0.5,
            cy=(self.cy + 0.5) * down - 0.5,
        )

    def scaled(self, scale: float) -> "CameraModel":
        """Return the camera that takes the same picture at ``scale`` times its size, in whole pixels."""
        return self.resized(round(self.width * scale), round(self.height * scale))

    def scale_for(self, focal_length: float) -> float:
        """Return the scale, at most 1, at which the camera has a focal length [px]."""
        return min(1.0, focal_length / self.fx)

    def cropped(self, left: int, top: int, width: int, height: int) -> "CameraModel":
        """Return the camera that takes only a window of the picture, in the same scale."""
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)


@dataclass(frozen=True)
class LidarModel:
    """A spinning lidar. Elevations in degrees, ring 0 first; range noise is one standard deviation in metres."""

    channel: str = "LIDAR_TOP"
    elevations: tuple[float, ...] = tuple(np.linspace(-30.67, 10.67, 32).round(3).tolist())
    azimuths: int = 1080
    range_noise: float = 0.02
    max_range: float = 100.0
    ego_from_sensor: tuple[tuple[float, ...], ...] = _mounting(
        (0.94, 0.0, 1.84), (np.sqrt(0.5), 0.0, 0.0, -np.sqrt(0.5))
    )


@dataclass(frozen=True)
class RadarModel:
    """A radar like the ARS 408: noise is one standard deviation in metres, degrees, m/s.

    reach: (azimuth in degrees, range in metres) pairs of the field of view's edge, interpolated between: a narrow far
    field and a wide near field. clutter: mean number of returns a scan that no modelled object causes. ghosts: mean
    number of echoes by a detour.
    """

    channel: str = "RADAR_FRONT"
    max_returns: int = 125
    reach: tuple[tuple[float, float], ...] = ((0.0, 250.0), (9.0, 250.0), (12.0, 110.0), (45.0, 80.0), (60.0, 60.0))
    range_noise: float = 0.15
    azimuth_noise: float = 0.4
    speed_noise: float = 0.07
    clutter: float = 30.0
    ghosts: float = 3.0
    ego_from_sensor: tuple[tuple[float, ...], ...] = _turned((3.41, 0.0, 0.5), 0)


CAMERAS = (
    CameraModel(),
    CameraModel(
        "CAM_FRONT_RIGHT",
        fx=1260.8,
        fy=1260.8,
        cx=807.9,
        cy=495.3,
        ego_from_sensor=_turned((1.55, -0.49, 1.50), -56.0, True),
        lead=0.0273,
    ),
    CameraModel(
        "CAM_BACK_RIGHT",
        fx=1259.5,
        fy=1259.5,
        cx=807.3,
        cy=501.2,
        ego_from_sensor=_turned((1.01, -0.48, 1.56), -110.0, True),
        lead=0.0198,
    ),
    CameraModel(
        "CAM_BACK",
        fx=809.2,
        fy=809.2,
        cx=829.2,
        cy=481.8,
        ego_from_sensor=_turned((0.03, 0.0, 1.58), 180.0, True),
        lead=0.0104,
    ),
    CameraModel(
        "CAM_BACK_LEFT",
        fx=1256.7,
        fy=1256.7,
        cx=792.1,
        cy=492.8,
        ego_from_sensor=_turned((1.04, 0.48, 1.59), 108.0, True),
        lead=0.0005,
    ),
    CameraModel(
        "CAM_FRONT_LEFT",
        fx=1272.6,
        fy=1272.6,
        cx=826.6,
        cy=479.8,
        ego_from_sensor=_turned((1.52, 0.49, 1.51), 55.0, True),
        lead=0.0431,
    ),
)
RADARS = (
    RadarModel(),
    RadarModel("RADAR_FRONT_LEFT", ego_from_sensor=_turned((2.42, 0.80, 0.78), 90.0)),
    RadarModel("RADAR_FRONT_RIGHT", ego_from_sensor=_turned((2.42, -0.80, 0.77), -90.0)),
    RadarModel("RADAR_BACK_LEFT", ego_from_sensor=_turned((-0.56, 0.63, 0.53), 176.0)),
    RadarModel("RADAR_BACK_RIGHT", ego_from_sensor=_turned((-0.56, -0.62, 0.53), -176.0)),
)
# Other vehicles: camera, lidar and radar of each. Weights that know nuScenes' car alone are wrong on them.
VEHICLES: dict[str, tuple[CameraModel, LidarModel, RadarModel]] = {
    "nuscenes": (CAMERAS[0], LidarModel(), RADARS[0]),
    "low": (
        CameraModel(
            width=1280, height=720, fx=900.0, fy=900.0, cx=631.0, cy=352.0,
            ego_from_sensor=_turned((1.9, -0.1, 0.42), 0.5, True, down=-2.0),
        ),
        LidarModel(ego_from_sensor=_mounting((0.5, 0.0, 1.25), (np.sqrt(0.5), 0.0, 0.0, -np.sqrt(0.5)))),
        RadarModel(ego_from_sensor=_turned((2.1, 0.35, 0.35), 6.0)),
    ),
    "high": (
        CameraModel(
            width=1440, height=928, fx=1080.0, fy=1080.0, cx=724.0, cy=470.0,
            ego_from_sensor=_turned((2.6, 0.15, 2.41), -0.5, True, down=4.0),
        ),
        LidarModel(ego_from_sensor=_mounting((2.0, 0.0, 2.9), (np.sqrt(0.5), 0.0, 0.0, -np.sqrt(0.5)))),
        RadarModel(ego_from_sensor=_turned((3.0, -0.5, 0.9), -8.0)),
    ),
}  # fmt: skip
SensorModel: TypeAlias = CameraModel | LidarModel | RadarModel
_MODALITIES = {CameraModel: "camera", LidarModel: "lidar", RadarModel: "radar"}


def modality(model: SensorModel) -> str:
    """Return nuScenes' name of what a model is: camera, lidar or radar."""
    return _MODALITIES[type(model)]


def suite(
    sensors: str = "front", image_size: tuple[int, int] | None = None, vehicle: str = "nuscenes"
) -> tuple[SensorModel, ...]:
    """Return the sensor models of "front" (CAM_FRONT, LIDAR_TOP, RADAR_FRONT) or "all" (six cameras, five radars).

    image_size: (width, height) of the cameras, the nominal one when it is None. vehicle: a name of VEHICLES; all
    sensors are those of nuScenes' car alone. Raises LircDepthError for another name.
    """
    if sensors not in ("front", "all"):
        raise LircDepthError(f"sensors is {sensors!r}, expected 'front' or 'all'")
    if vehicle not in VEHICLES or (sensors == "all" and vehicle != "nuscenes"):
        expected = f"one of {', '.join(VEHICLES)}" if sensors == "front" else "nuscenes with all sensors"
        raise LircDepthError(f"vehicle is {vehicle!r}, expected {expected}")
    if vehicle != "nuscenes":
        camera, lidar, radar = VEHICLES[vehicle]
        return camera if image_size is None else camera.resized(*image_size), lidar, radar
    count = None if sensors == "all" else 1
    cameras = [camera if image_size is None else camera.resized(*image_size) for camera in CAMERAS[:count]]
    return (*cameras, LidarModel(), *RADARS[:count])
