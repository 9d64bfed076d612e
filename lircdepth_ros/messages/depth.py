# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth images (REP 118) to arrays in metres and back."""

from __future__ import annotations

import array
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages import protocols

COMPRESSED_DEPTH_FORMAT = "16UC1; compressedDepth png"
# compressed_depth_image_transport puts a header before the PNG: int32 0 and two float32 that only inverse depth uses.
_COMPRESSED_DEPTH_HEADER_BYTES = 12
_METRES_PER_MILLIMETRE = np.float32(0.001)
_MAX_MILLIMETRES = 65535
FARTHEST_IN_MILLIMETRES = _MAX_MILLIMETRES / 1000  # metres, in 16UC1


def fill_depth_image(message: protocols.Image, depth: npt.NDArray[np.float32], encoding: str) -> int:
    """Write depth [H, W] in metres into a sensor_msgs/Image (REP 118); return how many pixels did not fit.

    "32FC1" holds metres as they are. "16UC1" holds millimetres, and 0 where there is no depth or where it is beyond
    65.535 m; pixels beyond (+Inf included) are counted. Raises LircDepthError for another encoding.
    """
    message.height, message.width = depth.shape
    message.encoding = encoding
    message.is_bigendian = sys.byteorder == "big"
    pixels: npt.NDArray[Any] = depth
    beyond_count = 0
    if encoding == "16UC1":
        pixels, beyond_count = to_millimetres(depth)
    elif encoding != "32FC1":
        raise LircDepthError(f"depth encoding '{encoding}' is not supported, expected 32FC1 or 16UC1")
    message.step = pixels.shape[1] * pixels.itemsize
    message.data = byte_array(pixels)
    return beyond_count


def to_millimetres(depth: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint16], int]:
    """Return depth [H, W] in metres as uint16 millimetres, and how many pixels did not fit.

    0 stands where there is no depth, and where it is beyond 65.535 m: these pixels (+Inf included) are counted.
    """
    with np.errstate(invalid="ignore"):
        millimetres = np.rint(depth * 1000.0)
        beyond = millimetres > _MAX_MILLIMETRES
        fits = (millimetres > 0) & ~beyond
    return np.where(fits, millimetres, 0).astype(np.uint16), int(beyond.sum())


def compressed_depth_data(millimetres: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Return the data of a CompressedImage in COMPRESSED_DEPTH_FORMAT. millimetres: [H, W], see ``to_millimetres``.

    Raises LircDepthError for a size that a PNG cannot have.
    """
    import cv2

    written, png = cv2.imencode(".png", millimetres, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not written:
        raise LircDepthError(f"OpenCV cannot write a PNG of {millimetres.shape}")
    return np.concatenate([np.zeros(_COMPRESSED_DEPTH_HEADER_BYTES, np.uint8), png])


def byte_array(values: npt.NDArray[Any]) -> array.array[int]:
    """Return an array's bytes as rclpy takes them over at once; it checks any other sequence byte by byte."""
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(values).view(np.uint8).reshape(-1).data)
    return data


def holds_millimetres(message: protocols.Image | protocols.CompressedImage) -> bool:
    """Return whether a depth message is in 16UC1, in which 0 stands for no depth and for what is beyond 65.535 m."""
    return protocols.is_compressed(message) or message.encoding == "16UC1"


def depth_of(message: protocols.Image | protocols.CompressedImage) -> npt.NDArray[np.float32]:
    """Return a depth message as float32 [H, W] in metres; NaN where there is no depth (0 in 16UC1).

    The message is an Image in 32FC1 or 16UC1, or a CompressedImage of compressed_depth_image_transport (16UC1, PNG).
    Raises LircDepthError for any other form and for sizes that do not fit the data.
    """
    pixels = _compressed_pixels(message) if protocols.is_compressed(message) else _raw_pixels(message)
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    return np.where(pixels > 0, pixels * _METRES_PER_MILLIMETRE, np.float32(np.nan))


def _compressed_pixels(message: protocols.CompressedImage) -> npt.NDArray[np.uint16]:
    import cv2

    if not message.format.startswith("16UC1; compressedDepth"):
        raise LircDepthError(f"depth of format '{message.format}', expected '{COMPRESSED_DEPTH_FORMAT}'")
    png = np.frombuffer(message.data, np.uint8)[_COMPRESSED_DEPTH_HEADER_BYTES:]
    pixels = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise LircDepthError("compressed depth holds no PNG of 16 bit")
    return pixels.view(np.uint16)


def _raw_pixels(message: protocols.Image) -> npt.NDArray[np.float32] | npt.NDArray[np.uint16]:
    kind = {"32FC1": "f4", "16UC1": "u2"}.get(message.encoding)
    if kind is None:
        raise LircDepthError(f"depth of encoding '{message.encoding}', expected 32FC1 or 16UC1")
    dtype = np.dtype((">" if message.is_bigendian else "<") + kind)
    row_bytes = message.width * dtype.itemsize
    if message.step < row_bytes or len(message.data) < message.step * message.height:
        raise LircDepthError(f"depth of {message.width}x{message.height} holds {len(message.data)} bytes")
    rows = np.frombuffer(message.data, np.uint8, message.step * message.height).reshape(message.height, -1)
    return np.ascontiguousarray(rows[:, :row_bytes]).view(dtype)
