# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The fields of ROS messages that this package reads. The message classes of rclpy and of rosbags both have them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from typing_extensions import TypeIs

# What a message holds in a field of type uint8[].
Bytes: TypeAlias = "bytes | array[int] | npt.NDArray[np.uint8]"


class Time(Protocol):
    """builtin_interfaces/Time."""

    sec: int
    nanosec: int


class Header(Protocol):
    """std_msgs/Header."""

    frame_id: str

    @property
    def stamp(self) -> Time:
        """The time of the measurement."""


class Image(Protocol):
    """sensor_msgs/Image, without its header."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Bytes


class CompressedImage(Protocol):
    """sensor_msgs/CompressedImage, without its header."""

    format: str
    data: Bytes


class PointField(Protocol):
    """sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int


class PointCloud2(Protocol):
    """sensor_msgs/PointCloud2, without its header."""

    height: int
    width: int
    is_bigendian: bool
    point_step: int
    row_step: int
    data: Bytes

    @property
    def fields(self) -> Sequence[PointField]:
        """The fields of one point."""


class RegionOfInterest(Protocol):
    """sensor_msgs/RegionOfInterest, in pixels of the full resolution."""

    x_offset: int
    y_offset: int
    height: int
    width: int


class CameraInfo(Protocol):
    """sensor_msgs/CameraInfo: its size and calibration."""

    height: int
    width: int
    binning_x: int
    binning_y: int

    @property
    def roi(self) -> RegionOfInterest:
        """The part of the full resolution that the image shows; all zero for all of it."""

    @property
    def d(self) -> Iterable[float]:
        """Distortion coefficients."""

    @property
    def k(self) -> Iterable[float]:
        """Intrinsics of the raw image, 3x3 by rows."""

    @property
    def p(self) -> Iterable[float]:
        """Projection matrix of the rectified image, 3x4 by rows."""


class Vector3(Protocol):
    """geometry_msgs/Vector3 or geometry_msgs/Point."""

    x: float
    y: float
    z: float


class Quaternion(Protocol):
    """geometry_msgs/Quaternion."""

    x: float
    y: float
    z: float
    w: float


class Transform(Protocol):
    """geometry_msgs/Transform."""

    @property
    def translation(self) -> Vector3:
        """Where the child's origin is in the parent's frame."""

    @property
    def rotation(self) -> Quaternion:
        """How the child is turned."""


class Pose(Protocol):
    """geometry_msgs/Pose."""

    @property
    def position(self) -> Vector3:
        """Where the child's origin is in the parent's frame."""

    @property
    def orientation(self) -> Quaternion:
        """How the child is turned."""


def is_compressed(message: Image | CompressedImage) -> TypeIs[CompressedImage]:
    """Return whether an image is a CompressedImage."""
    return hasattr(message, "format")
