# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/Image and sensor_msgs/CompressedImage to RGB.

The sizes that a message declares are checked against the data that it holds before anything is allocated or read.
Where the ROS installation has cv_bridge, it converts the encodings that it reads right; elsewhere the code here gives
the same pixels.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError, is_opencv_out_of_memory
from lircdepth_ros.messages import protocols

try:
    from cv_bridge import CvBridge
except ImportError:
    CvBridge = None

MAX_IMAGE_PIXELS = 64_000_000
_JPEG_END_MARKER = b"\xff\xd9"


class _Encoding(NamedTuple):
    """How an encoding of sensor_msgs/Image stores its pixels."""

    dtype: str
    channels: int
    opencv_conversion: str | None = None  # the name of OpenCV's conversion to RGB; None where slicing does it


ENCODINGS = {
    "rgb8": _Encoding("u1", 3),
    "bgr8": _Encoding("u1", 3),
    "rgba8": _Encoding("u1", 4),
    "bgra8": _Encoding("u1", 4),
    "mono8": _Encoding("u1", 1),
    "mono16": _Encoding("u2", 1),
    "rgb16": _Encoding("u2", 3),
    "bgr16": _Encoding("u2", 3),
    # OpenCV names a Bayer pattern by its second row, ROS by its first: the names are one step apart.
    "bayer_rggb8": _Encoding("u1", 1, "COLOR_BayerBG2RGB"),
    "bayer_bggr8": _Encoding("u1", 1, "COLOR_BayerRG2RGB"),
    "bayer_gbrg8": _Encoding("u1", 1, "COLOR_BayerGR2RGB"),
    "bayer_grbg8": _Encoding("u1", 1, "COLOR_BayerGB2RGB"),
    "yuv422": _Encoding("u1", 2, "COLOR_YUV2RGB_UYVY"),
    "uyvy": _Encoding("u1", 2, "COLOR_YUV2RGB_UYVY"),
    "yuv422_yuy2": _Encoding("u1", 2, "COLOR_YUV2RGB_YUY2"),
    "yuyv": _Encoding("u1", 2, "COLOR_YUV2RGB_YUY2"),
}


def any_image_to_rgb(message: protocols.Image | protocols.CompressedImage) -> npt.NDArray[np.uint8]:
    """Return sensor_msgs/CompressedImage, or Image, as uint8 [H, W, 3] RGB. Raises LircDepthError and MemoryError."""
    return compressed_image_to_rgb(message) if protocols.is_compressed(message) else image_to_rgb(message)


def image_to_rgb(message: protocols.Image) -> npt.NDArray[np.uint8]:
    """Return sensor_msgs/Image as uint8 [H, W, 3] RGB. 16-bit images keep their high byte; rows may be padded.

    Raises LircDepthError for an encoding that is not supported or sizes that do not fit the data.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise LircDepthError(
            f"image encoding '{message.encoding}' is not supported, expected one of {', '.join(ENCODINGS)}"
        )
    height, width, step = message.height, message.width, message.step
    _check_image_size(width, height)
    row_bytes = width * encoding.channels * int(encoding.dtype[1])
    if step < row_bytes or len(message.data) < step * height:
        raise LircDepthError(
            f"image of {width}x{height} {message.encoding} declares step {step} and holds {len(message.data)} bytes, "
            f"expected step >= {row_bytes} and step * height bytes"
        )
    # cv_bridge divides the step by the size of a pixel, so it shears rows that are padded by a part of a pixel.
    if CvBridge is not None and encoding.opencv_conversion is None and encoding.dtype == "u1" and step == row_bytes:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, "rgb8"))
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)[:, :row_bytes]
    stored = np.ascontiguousarray(rows).view((">" if message.is_bigendian else "<") + encoding.dtype)
    stored = stored.reshape(height, width, encoding.channels)
    pixels: npt.NDArray[np.uint8] = (stored >> 8).astype(np.uint8) if encoding.dtype == "u2" else stored
    if encoding.opencv_conversion is not None:
        return _converted(pixels, encoding.opencv_conversion, message.encoding)
    if encoding.channels == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1] if message.encoding.startswith("bgr") else pixels[..., :3])


def _converted(pixels: npt.NDArray[np.uint8], conversion: str, encoding: str) -> npt.NDArray[np.uint8]:
    """Return pixels [H, W, C] as uint8 [H, W, 3] RGB by one of OpenCV's conversions."""
    import cv2

    try:
        with _memory_errors():
            return cv2.cvtColor(pixels, getattr(cv2, conversion)).view(np.uint8)
    except cv2.error as error:  # an odd width of YUV 4:2:2, a Bayer pattern of a single row
        height, width = pixels.shape[:2]
        raise LircDepthError(f"image of {width}x{height} cannot be {encoding}: {error.err}") from error


def compressed_image_to_rgb(message: protocols.CompressedImage) -> npt.NDArray[np.uint8]:
    """Return sensor_msgs/CompressedImage (JPEG or PNG) as uint8 [H, W, 3] RGB.

    Raises LircDepthError for a damaged file, and MemoryError.
    """
    from PIL import Image

    data = bytes(message.data)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            _check_image_size(*image.size)  # known from the header, before the pixels are allocated
            pixels = None
            # OpenCV is faster and gives the same pixels; but old versions fill up an image that is cut off.
            if image.format == "JPEG" and image.mode in ("L", "RGB") and data.endswith(_JPEG_END_MARKER):
                pixels = _decode_jpeg(data)
            return np.asarray(image.convert("RGB")) if pixels is None else pixels
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LircDepthError(
            f"compressed image ('{message.format}', {len(data)} bytes) is not a whole JPEG or PNG: {error}"
        ) from error


def _decode_jpeg(data: bytes) -> npt.NDArray[np.uint8] | None:
    """Return a JPEG as uint8 [H, W, 3] RGB in its stored orientation, or None if OpenCV cannot read it."""
    import cv2

    with _memory_errors():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels).view(np.uint8)


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise MemoryError where OpenCV raises an error of its own for exhausted memory."""
    try:
        yield
    except Exception as error:
        if not is_opencv_out_of_memory(error):
            raise
        raise MemoryError(f"out of memory for an image: {getattr(error, 'err', error)}") from error


def _check_image_size(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_IMAGE_PIXELS:
        raise LircDepthError(f"image declares {width}x{height} pixels, expected 1 to {MAX_IMAGE_PIXELS:,}")
