# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 messages and bags without a ROS installation: built and serialised with `rosbags`.

Stamps are integer nanoseconds, lengths metres, frames as in REP 103 and REP 105. Definitions are Humble's, the oldest
supported distribution; the later ones have the same for every type used here.
"""

import fcntl
import functools
import os
import shutil
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError

# sensor_msgs/PointField's constants for the types that a point may have.
_POINT_FIELD_TYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


@functools.cache
def typestore():
    """Return the message definitions. Raises LircDepthError when `rosbags` is not installed (it has no rosdep key)."""
    try:
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise LircDepthError(f"bags need the package rosbags (pip install rosbags): {error}") from error
    return get_typestore(Stores.ROS2_HUMBLE)


def offered_qos(depth, transient_local=False):
    """Return a reliable QoS profile to record with a topic, so that whoever replays it offers the same."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    forever = QosTime(9223372036, 854775807)  # how a recorder writes an infinite duration
    durability = QosDurability.TRANSIENT_LOCAL if transient_local else QosDurability.VOLATILE
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        forever,
        forever,
        QosLiveliness.AUTOMATIC,
        forever,
        False,
    )


def _new(msgtype, *fields):
    return typestore().types[msgtype](*fields)


def _header(stamp, frame_id):
    time = _new("builtin_interfaces/msg/Time", *divmod(int(stamp), 1_000_000_000))
    return _new("std_msgs/msg/Header", time, frame_id)


def _quaternion(transform):
    w, x, y, z = geometry.quaternion_from_transform(transform).tolist()
    return _new("geometry_msgs/msg/Quaternion", x, y, z, w)


def _vector3(values):
    return _new("geometry_msgs/msg/Vector3", *np.asarray(values).tolist())


def serialize(message):
    """Return a message's CDR bytes."""
    return typestore().serialize_cdr(message, message.__msgtype__)


def compressed_image(stamp, frame_id, data, image_format):
    """Return a sensor_msgs/CompressedImage that holds the bytes ``data`` of a "jpeg" or "png" file unchanged."""
    header = _header(stamp, frame_id)
    return _new("sensor_msgs/msg/CompressedImage", header, image_format, np.frombuffer(data, np.uint8))


def image(stamp, frame_id, pixels, encoding):
    """Return a sensor_msgs/Image of pixels [H, W] or [H, W, C], little-endian, rows without padding."""
    pixels = np.ascontiguousarray(pixels)
    header, data = _header(stamp, frame_id), pixels.reshape(-1).view(np.uint8)
    return _new("sensor_msgs/msg/Image", header, *pixels.shape[:2], encoding, 0, pixels.strides[0], data)


def compressed_depth(stamp, frame_id, millimetres):
    """Return depth uint16 [H, W] mm as a sensor_msgs/CompressedImage for compressed_depth_image_transport.

    Its data is a header of 12 bytes (int32 0, two float32 that only inverse depth uses) before a PNG of 16 bit.
    """
    import cv2

    whole, png = cv2.imencode(".png", millimetres, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not whole:
        raise LircDepthError(f"OpenCV cannot write a PNG of {millimetres.shape}")
    data = np.concatenate([np.zeros(12, np.uint8), png])
    return _new("sensor_msgs/msg/CompressedImage", _header(stamp, frame_id), "16UC1; compressedDepth png", data)


def depth_of(message):
    """Return a depth message as float32 [H, W] metres; NaN where there is none (0 in 16UC1).

    Image 32FC1 or 16UC1, or a CompressedImage of compressed_depth_image_transport (16UC1, PNG). Raises LircDepthError.
    """
    if hasattr(message, "format"):
        import cv2

        if not message.format.startswith("16UC1; compressedDepth"):
            raise LircDepthError(f"depth of format '{message.format}', expected '16UC1; compressedDepth png'")
        pixels = cv2.imdecode(np.frombuffer(message.data, np.uint8)[12:], cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 2:
            raise LircDepthError("compressed depth holds no PNG of 16 bit")
    else:
        kind = {"32FC1": "f4", "16UC1": "u2"}.get(message.encoding)
        if kind is None:
            raise LircDepthError(f"depth of encoding '{message.encoding}', expected 32FC1 or 16UC1")
        kind = np.dtype((">" if message.is_bigendian else "<") + kind)
        size = message.width * kind.itemsize
        if message.step < size or len(message.data) < message.step * message.height:
            raise LircDepthError(f"depth of {message.width}x{message.height} holds {len(message.data)} bytes")
        rows = np.frombuffer(message.data, np.uint8, message.step * message.height).reshape(message.height, -1)
        pixels = np.ascontiguousarray(rows[:, :size]).view(kind)
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    return np.where(pixels > 0, pixels * np.float32(0.001), np.float32(np.nan))


def string(text):
    """Return a std_msgs/String."""
    return _new("std_msgs/msg/String", text)


def camera_info(stamp, frame_id, intrinsics, width, height):
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
def _point_fields(dtype):
    return [
        _new("sensor_msgs/msg/PointField", name, offset, _POINT_FIELD_TYPES[kind.str[1:]], 1)
        for name, (kind, offset) in dtype.fields.items()
    ]


def point_cloud(stamp, frame_id, points):
    """Return a sensor_msgs/PointCloud2 with the fields of a structured array [N], little-endian, one row."""
    points = np.ascontiguousarray(points)
    step = points.dtype.itemsize
    data = points.view(np.uint8)
    finite = all(np.isfinite(points[axis]).all() for axis in "xyz")
    header = _header(stamp, frame_id)
    return _new(
        "sensor_msgs/msg/PointCloud2",
        header,
        1,
        len(points),
        _point_fields(points.dtype),
        False,
        step,
        step * len(points),
        data,
        finite,
    )


def transform_stamped(stamp, parent, child, transform):
    """Return a geometry_msgs/TransformStamped of the rigid 4x4 transform parent <- child."""
    body = _new("geometry_msgs/msg/Transform", _vector3(transform[:3, 3]), _quaternion(transform))
    return _new("geometry_msgs/msg/TransformStamped", _header(stamp, parent), child, body)


def tf_message(transforms):
    """Return a tf2_msgs/TFMessage of transform_stamped messages."""
    return _new("tf2_msgs/msg/TFMessage", list(transforms))


def odometry(stamp, parent, child, transform, linear, angular):
    """Return a nav_msgs/Odometry: pose parent <- child, twist (m/s, rad/s) in the child's frame.

    The covariances are zero, which in this message means that they are not known.
    """
    position = _new("geometry_msgs/msg/Point", *transform[:3, 3].tolist())
    pose = _new("geometry_msgs/msg/Pose", position, _quaternion(transform))
    twist = _new("geometry_msgs/msg/Twist", _vector3(linear), _vector3(angular))
    return _new(
        "nav_msgs/msg/Odometry",
        _header(stamp, parent),
        child,
        _new("geometry_msgs/msg/PoseWithCovariance", pose, np.zeros(36)),
        _new("geometry_msgs/msg/TwistWithCovariance", twist, np.zeros(36)),
    )


def nav_sat_fix(stamp, frame_id, latitude, longitude):
    """Return a sensor_msgs/NavSatFix [deg, WGS 84]; the altitude is NaN and the covariance unknown."""
    status = _new("sensor_msgs/msg/NavSatStatus", 0, 1)  # STATUS_FIX, SERVICE_GPS
    header, unknown = _header(stamp, frame_id), np.zeros(9)
    return _new("sensor_msgs/msg/NavSatFix", header, status, latitude, longitude, float("nan"), unknown, 0)


def imu(stamp, frame_id, orientation, angular_velocity, linear_acceleration):
    """Return a sensor_msgs/Imu: orientation (x, y, z, w), rad/s, m/s^2; covariances unknown."""
    rotation = _new("geometry_msgs/msg/Quaternion", *map(float, orientation))
    rates = (_vector3(np.asarray(values, float)) for values in (angular_velocity, linear_acceleration))
    angular, linear = rates
    unknown = np.zeros(9)
    return _new("sensor_msgs/msg/Imu", _header(stamp, frame_id), rotation, unknown, angular, unknown, linear, unknown)


def twist_stamped(stamp, frame_id, linear, angular):
    """Return a geometry_msgs/TwistStamped [m/s, rad/s]."""
    twist = _new("geometry_msgs/msg/Twist", *(_vector3(np.asarray(values, float)) for values in (linear, angular)))
    return _new("geometry_msgs/msg/TwistStamped", _header(stamp, frame_id), twist)


def boxes(stamp, frame_id, entries):
    """Return a visualization_msgs/MarkerArray that replaces the boxes shown before.

    entries: (namespace, id, pose 4x4 frame <- box, size (x, y, z) [m], colour (r, g, b), text) of each box.
    """
    markers = [_marker(stamp, frame_id, 3, "", 0, np.eye(4), (0, 0, 0), (0, 0, 0), "")]  # DELETEALL
    markers += (_marker(stamp, frame_id, 0, *entry) for entry in entries)  # ADD
    return _new("visualization_msgs/msg/MarkerArray", markers)


def _marker(stamp, frame_id, action, namespace, number, pose, size, color, text):
    transform = _new(
        "geometry_msgs/msg/Pose", _new("geometry_msgs/msg/Point", *pose[:3, 3].tolist()), _quaternion(pose)
    )
    return _new(
        "visualization_msgs/msg/Marker",
        _header(stamp, frame_id),
        namespace,
        number,
        1,  # CUBE
        action,
        transform,
        _vector3(np.asarray(size, float)),
        _new("std_msgs/msg/ColorRGBA", *map(float, color), 0.5),
        _new("builtin_interfaces/msg/Duration", 0, 0),
        False,
        [],
        [],
        "",
        _new("sensor_msgs/msg/CompressedImage", _header(0, ""), "", np.zeros(0, np.uint8)),
        [],
        text,
        "",
        _new("visualization_msgs/msg/MeshFile", "", np.zeros(0, np.uint8)),
        False,
    )


def open_bag(path):
    """Return an opened rosbags Reader of a rosbag2 directory or a single .mcap or .db3 file. Raises LircDepthError."""
    typestore()  # says what is missing without rosbags
    from rosbags.rosbag2 import Reader

    path = Path(path)
    if not path.exists():
        raise LircDepthError(f"bag {path} does not exist")
    if path.is_dir() and not (path / "metadata.yaml").is_file():
        raise LircDepthError(f"{path} is not a rosbag2 directory: it has no metadata.yaml")
    try:
        reader = Reader(path)
        reader.open()
    except Exception as error:  # a damaged file makes rosbags raise whatever its parts raise
        raise LircDepthError(f"{path} cannot be read as a rosbag2 bag: {' '.join(str(error).split())}") from error
    return reader


def read_messages(reader, *selection, **span):
    """Yield a Reader's messages (arguments as for its own method). Raises LircDepthError when the bag is damaged."""
    count = 0
    try:
        for entry in reader.messages(*selection, **span):
            count += 1
            yield entry
    except Exception as error:  # rosbags lets a decoder's or struct's own errors through
        reason = " ".join(str(error).split())
        raise LircDepthError(f"{reader.path} is damaged after {count} messages: {reason}") from error


def _partial(path):
    return path.parent / f".{path.name}.partial"


def clear_partial(path):
    """Remove what a process that was killed left of the bag ``path``, unless another one is writing it."""
    partial = _partial(Path(path))
    if partial.is_dir():
        lock = os.open(partial, os.O_RDONLY)
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


@contextmanager
def new_bag(path, storage="mcap", compression="none"):
    """Write a rosbag2 directory: a context manager that gives rosbags' Writer.

    storage: "mcap" or "sqlite3". compression: "none" or "zstd" (of MCAP's chunks, or of each message in sqlite3).
    The directory appears under its name only when it is complete; after an error, an interrupt or a full disk nothing
    is left, and what a killed run left is cleared. Raises LircDepthError when ``path`` exists, when another process is
    writing it, and when the disk is full.
    """
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    path = Path(path)
    if path.exists() or path.is_symlink():
        raise LircDepthError(f"{path} exists already and is not overwritten")
    partial = _partial(path)
    partial.mkdir(parents=True, exist_ok=True)
    lock = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise LircDepthError(f"another process is writing {path}") from None
    try:
        # rosbags names its file after the folder, so the folder has its final name, one level down.
        folder = partial / path.name
        if folder.exists():
            shutil.rmtree(folder)
        # Version 9 of the metadata is unreadable to Humble (it writes QoS profiles as a list); 8 is read by all.
        writer = Writer(folder, version=8, storage_plugin=StoragePlugin[storage.upper()])
        if compression == "zstd":
            mode = CompressionMode.STORAGE if storage == "mcap" else CompressionMode.MESSAGE
            writer.set_compression(mode, CompressionFormat.ZSTD)
        with writer:
            yield writer
        folder.rename(path)
    except OSError as error:
        if error.filename:
            raise
        raise LircDepthError(f"cannot write {path}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise LircDepthError(f"cannot write {path}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)
