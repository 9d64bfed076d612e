# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where a sensor is, seen from the camera, with the vehicle's motion between their two time stamps.

``PoseSource`` is the one question that the node, the tools for bags and the evaluation ask. Its answer comes from a
calibration and poses that are added (``CalibrationPoses``: odometry, a bag, a data set) or from tf2 (the node's).
Stamps are integer nanoseconds; transforms are 4x4 float64, in metres, named right to left.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_core.geometry.trajectory import MIN_BASELINE, Trajectory
from lircdepth_core.radar import sensor_velocity

Transform = npt.NDArray[np.float64]


class PoseSource(Protocol):
    """Knows the transforms between the sensors of one vehicle, over time."""

    def ready(self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int) -> bool:
        """Return whether waiting longer would not give a better answer."""
        ...

    def camera_from_sensor(
        self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int
    ) -> tuple[Transform, bool]:
        """Return (camera <- sensor, whether the ego motion between the two stamps is in it).

        Raises LircDepthError when not even the mounting is known.
        """
        ...


def own_velocity(poses: PoseSource, sensor_frame: str, stamp: int) -> tuple[Transform, bool]:
    """Return (a sensor's velocity over ground [3] m/s in its own frame, whether the ego motion is known).

    It is 0 where that is not known. Raises LircDepthError as ``camera_from_sensor``.
    """
    now_from_before, known = poses.camera_from_sensor(sensor_frame, stamp, sensor_frame, stamp - MIN_BASELINE)
    return sensor_velocity(now_from_before, MIN_BASELINE / 1e9), known


class CalibrationPoses:
    """Mounting from a calibration; ego motion from poses ``fixed frame <- base_link`` that are added.

    calibration: None while it is not known yet; it may be set later.
    """

    def __init__(self, calibration: Calibration | None = None) -> None:
        self.calibration = calibration
        self._trajectory = Trajectory()

    def add_pose(self, stamp: int, fixed_from_base: Transform) -> None:
        """Take the vehicle's pose at a stamp. An older pose than the newest means that time went back."""
        self._trajectory.add(stamp, fixed_from_base)

    def forget_after(self, stamp: int) -> None:
        """Forget poses that are later than ``stamp``: time went back to before them."""
        self._trajectory.forget_after(stamp)

    @property
    def has_poses(self) -> bool:
        """Whether any pose is known."""
        return len(self._trajectory) > 0

    def ready(self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int) -> bool:
        """Return whether both poses are known without extrapolation."""
        return self._trajectory.covers(camera_stamp) and self._trajectory.covers(sensor_stamp)

    def camera_from_sensor(
        self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int
    ) -> tuple[Transform, bool]:
        """See PoseSource."""
        if self.calibration is None:
            raise LircDepthError("the mounting of the sensors is not known")
        camera_pose = self._trajectory.pose_at(camera_stamp)
        sensor_pose = self._trajectory.pose_at(sensor_stamp)
        transform = geometry.sensor_to_sensor(
            self.calibration.transform(BASE_FRAME, camera_frame),
            self.calibration.transform(BASE_FRAME, sensor_frame),
            camera_pose,
            sensor_pose,
        )
        return transform, camera_pose is not None and sensor_pose is not None
