# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Building ROS 2 messages with rosbags' classes, without a ROS installation.

Stamps are integer nanoseconds, lengths metres, frames as in REP 103 and REP 105.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_ros.messages.clouds import point_field_layout
from lircdepth_ros.messages.definitions import Message, typestore
from lircdepth_ros.messages.depth import COMPRESSED_DEPTH_FORMAT, compressed_depth_data
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND

Transform: TypeAlias = npt.NDArray[np.float64]  # 4x4, rigid

_STATUS_FIX, _SERVICE_GPS = 0, 1  # sensor_msgs/NavSatStatus
_MARKER_CUBE, _MARKER_ADD, _MARKER_DELETE_ALL = 1, 0, 3  # visualization_msgs/Marker
_BOX_OPACITY = 0.5


def _new(msgtype: str, *fields: Any) -> Message:
    return typestore().types[msgtype](*fields)


def _header(stamp: int, frame_id: str) -> Message:
    time = _new("builtin_interfaces/msg/Time", *divmod(int(stamp), NANOSECONDS_PER_SECOND))
    return _new("std_msgs/msg/Header", time, frame_id)


def _quaternion(transform: Transform) -> Message:
    w, x, y, z = geometry.quaternion_from_transform(transform).tolist()
    return _new("geometry_msgs/msg/Quaternion", x, y, z, w)


def _vector3(values: npt.ArrayLike) -> Message:
    return _new("geometry_msgs/msg/Vector3", *np.asarray(values, np.float64).tolist())


def _pose(transform: Transform) -> Message:
    position = _new("geometry_msgs/msg/Point", *transform[:3, 3].tolist())
    return _new("geometry_msgs/msg/Pose", position, _quaternion(transform))


def compressed_image(stamp: int, frame_id: str, data: bytes, image_format: str) -> Message:
    """Return a sensor_msgs/CompressedImage that holds the bytes ``data`` of a "jpeg" or "png" file unchanged."""
    header = _header(stamp, frame_id)
    return _new("sensor_msgs/msg/CompressedImage", header, image_format, np.frombuffer(data, np.uint8))


def image(stamp: int, frame_id: str, pixels: npt.NDArray[Any], encoding: str) -> Message:
    """Return a sensor_msgs/Image of pixels [H, W] or [H, W, C], little-endian, rows without padding."""
    pixels = np.ascontiguousarray(pixels)
    header, data = _header(stamp, frame_id), pixels.reshape(-1).view(np.uint8)
    return _new("sensor_msgs/msg/Image", header, *pixels.shape[:2], encoding, 0, pixels.strides[0], data)


def compressed_depth(stamp: int, frame_id: str, millimetres: npt.NDArray[np.uint16]) -> Message:
    """Return depth [H, W] in millimetres as a sensor_msgs/CompressedImage for compressed_depth_image_transport.

    Raises LircDepthError for an array that OpenCV cannot write as a PNG of 16 bit.
    """
    data = compressed_depth_data(millimetres)
    return _new("sensor_msgs/msg/CompressedImage", _header(stamp, frame_id), COMPRESSED_DEPTH_FORMAT, data)


def string(text: str) -> Message:
    """Return a std_msgs/String."""
    return _new("std_msgs/msg/String", text)


def camera_info(stamp: int, frame_id: str, intrinsics: npt.NDArray[np.float64], width: int, height: int) -> Message:
    """Return the sensor_msgs/CameraInfo of a rectified image: K = intrinsics [3, 3], P = [K | 0], no distortion."""
    k = np.asarray(intrinsics, dtype=np.float64)
    p = np.column_stack([k, np.zeros(3)])
    roi = _new("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False)
    return _new(
        "sensor_msgs/msg/CameraInfo",
        _header(stamp, frame_id),
        height,
        width,
        "plumb_bob",
        np.zeros(5),
        k.ravel(),
        np.eye(3).ravel(),
        p.ravel(),
        0,
        0,
        roi,
    )


@functools.cache
def _point_fields(dtype: np.dtype[np.void]) -> list[Message]:
    return [_new("sensor_msgs/msg/PointField", *field, 1) for field in point_field_layout(dtype)]


def point_cloud(stamp: int, frame_id: str, points: npt.NDArray[np.void]) -> Message:
    """Return a sensor_msgs/PointCloud2 with the fields of a structured array [N], little-endian, one row."""
    points = np.ascontiguousarray(points)
    step = points.dtype.itemsize
    all_finite = all(np.isfinite(points[axis]).all() for axis in "xyz" if axis in (points.dtype.names or ()))
    return _new(
        "sensor_msgs/msg/PointCloud2",
        _header(stamp, frame_id),
        1,  # height
        len(points),
        _point_fields(points.dtype),
        False,  # little-endian
        step,
        step * len(points),
        points.view(np.uint8),
        all_finite,
    )


def transform_stamped(stamp: int, parent: str, child: str, transform: Transform) -> Message:
    """Return a geometry_msgs/TransformStamped of the rigid 4x4 transform parent <- child."""
    body = _new("geometry_msgs/msg/Transform", _vector3(transform[:3, 3]), _quaternion(transform))
    return _new("geometry_msgs/msg/TransformStamped", _header(stamp, parent), child, body)


def tf_message(transforms: Iterable[Message]) -> Message:
    """Return a tf2_msgs/TFMessage of transform_stamped messages."""
    return _new("tf2_msgs/msg/TFMessage", list(transforms))


def odometry(
    stamp: int, parent: str, child: str, transform: Transform, linear: npt.ArrayLike, angular: npt.ArrayLike
) -> Message:
    """Return a nav_msgs/Odometry: pose parent <- child, twist (m/s, rad/s) in the child's frame.

    The covariances are not known. The message defines no value for that; zero is read as certainty by filters, so
    that the first element is -1, as sensor_msgs/Imu marks what there is no estimate of.
    """
    unknown = np.zeros(36)
    unknown[0] = -1.0
    twist = _new("geometry_msgs/msg/Twist", _vector3(linear), _vector3(angular))
    return _new(
        "nav_msgs/msg/Odometry",
        _header(stamp, parent),
        child,
        _new("geometry_msgs/msg/PoseWithCovariance", _pose(transform), unknown),
        _new("geometry_msgs/msg/TwistWithCovariance", twist, unknown),
    )


def nav_sat_fix(stamp: int, frame_id: str, latitude: float, longitude: float) -> Message:
    """Return a sensor_msgs/NavSatFix [deg, WGS 84]; the altitude is NaN and the covariance unknown."""
    status = _new("sensor_msgs/msg/NavSatStatus", _STATUS_FIX, _SERVICE_GPS)
    header, unknown = _header(stamp, frame_id), np.zeros(9)
    return _new("sensor_msgs/msg/NavSatFix", header, status, latitude, longitude, float("nan"), unknown, 0)


def imu(
    stamp: int,
    frame_id: str,
    orientation: Iterable[float],
    angular_velocity: npt.ArrayLike,
    linear_acceleration: npt.ArrayLike,
) -> Message:
    """Return a sensor_msgs/Imu: orientation (x, y, z, w), rad/s, m/s^2; covariances unknown."""
    rotation = _new("geometry_msgs/msg/Quaternion", *map(float, orientation))
    angular, linear = _vector3(angular_velocity), _vector3(linear_acceleration)
    unknown = np.zeros(9)
    return _new("sensor_msgs/msg/Imu", _header(stamp, frame_id), rotation, unknown, angular, unknown, linear, unknown)


def twist_stamped(stamp: int, frame_id: str, linear: npt.ArrayLike, angular: npt.ArrayLike) -> Message:
    """Return a geometry_msgs/TwistStamped [m/s, rad/s]."""
    twist = _new("geometry_msgs/msg/Twist", _vector3(linear), _vector3(angular))
    return _new("geometry_msgs/msg/TwistStamped", _header(stamp, frame_id), twist)


class Box(NamedTuple):
    """A box to show: its pose frame <- box, its size along x, y and z [m], and its colour, 0 to 1."""

    namespace: str
    number: int
    pose: Transform
    size: npt.ArrayLike
    color: tuple[float, float, float]
    text: str


def boxes(stamp: int, frame_id: str, entries: Iterable[Box]) -> Message:
    """Return a visualization_msgs/MarkerArray that replaces the boxes shown before."""
    nothing = Box("", 0, np.eye(4), (0, 0, 0), (0, 0, 0), "")
    markers = [_marker(stamp, frame_id, _MARKER_DELETE_ALL, nothing)]
    markers += (_marker(stamp, frame_id, _MARKER_ADD, box) for box in entries)
    return _new("visualization_msgs/msg/MarkerArray", markers)


def _marker(stamp: int, frame_id: str, action: int, box: Box) -> Message:
    no_data = np.zeros(0, np.uint8)
    return _new(
        "visualization_msgs/msg/Marker",
        _header(stamp, frame_id),
        box.namespace,
        box.number,
        _MARKER_CUBE,
        action,
        _pose(box.pose),
        _vector3(box.size),
        _new("std_msgs/msg/ColorRGBA", *map(float, box.color), _BOX_OPACITY),
        _new("builtin_interfaces/msg/Duration", 0, 0),  # lifetime: until it is replaced
        False,  # frame_locked
        [],  # points
        [],  # colors
        "",  # texture_resource
        _new("sensor_msgs/msg/CompressedImage", _header(0, ""), "", no_data),
        [],  # uv_coordinates
        box.text,
        "",  # mesh_resource
        _new("visualization_msgs/msg/MeshFile", "", no_data),
        False,  # mesh_use_embedded_materials
    )
