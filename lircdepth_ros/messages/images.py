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
from lircdepth_core.pictures import is_wide, rgb_of
from lircdepth_ros.messages import protocols

try:
    from cv_bridge import CvBridge
except ImportError:
    CvBridge = None

MAX_IMAGE_PIXELS = 64_000_000
_JPEG_END_MARKER = b"\xff\xd9"


class _Encoding(NamedTuple):
    """How an encoding of sensor_msgs/Image stores its pixels: in a row, numbers of ``dtype``, ``channels`` a pixel."""

    dtype: str
    channels: int
    opencv_conversion: str | None = None  # the name of OpenCV's conversion to RGB; None where slicing does it
    bgr: bool = False


class _Planes(NamedTuple):
    """An encoding of 8-bit YUV in planes, one behind the other; rows of luma have ``step`` bytes.

    rows: of all planes together for each row of luma, as if all had rows of luma's length. even: what must be even.
    """

    rows: float
    opencv_conversion: str | None  # None where OpenCV has none
    even: str


# OpenCV names a Bayer pattern by its second row, ROS by its first: the names are one step apart.
_BAYER = {"rggb": "BG", "bggr": "RG", "gbrg": "GR", "grbg": "GB"}
ENCODINGS: dict[str, _Encoding | _Planes] = {
    "rgb8": _Encoding("u1", 3),
    "bgr8": _Encoding("u1", 3, bgr=True),
    "rgba8": _Encoding("u1", 4),
    "bgra8": _Encoding("u1", 4, bgr=True),
    "rgb16": _Encoding("u2", 3),
    "bgr16": _Encoding("u2", 3, bgr=True),
    "rgba16": _Encoding("u2", 4),
    "bgra16": _Encoding("u2", 4, bgr=True),
    "mono8": _Encoding("u1", 1),
    "mono16": _Encoding("u2", 1),
    # OpenCV's own names say nothing about the order of colours, which is BGR throughout OpenCV.
    "8UC1": _Encoding("u1", 1),
    "8UC3": _Encoding("u1", 3, bgr=True),
    "8UC4": _Encoding("u1", 4, bgr=True),
    "16UC1": _Encoding("u2", 1),
    "16UC3": _Encoding("u2", 3, bgr=True),
    "16UC4": _Encoding("u2", 4, bgr=True),
    **{f"bayer_{name}8": _Encoding("u1", 1, f"COLOR_Bayer{cv}2RGB") for name, cv in _BAYER.items()},
    **{f"bayer_{name}16": _Encoding("u2", 1, f"COLOR_Bayer{cv}2RGB") for name, cv in _BAYER.items()},
    "yuv422": _Encoding("u1", 2, "COLOR_YUV2RGB_UYVY"),
    "uyvy": _Encoding("u1", 2, "COLOR_YUV2RGB_UYVY"),
    "yuv422_yuy2": _Encoding("u1", 2, "COLOR_YUV2RGB_YUY2"),
    "yuyv": _Encoding("u1", 2, "COLOR_YUV2RGB_YUY2"),
    "yvyu": _Encoding("u1", 2, "COLOR_YUV2RGB_YVYU"),
    "nv12": _Planes(1.5, "COLOR_YUV2RGB_NV12", "width and height"),
    "nv21": _Planes(1.5, "COLOR_YUV2RGB_NV21", "width and height"),
    "i420": _Planes(1.5, "COLOR_YUV2RGB_I420", "width and height"),
    "yuv420": _Planes(1.5, "COLOR_YUV2RGB_I420", "width and height"),
    "yv12": _Planes(1.5, "COLOR_YUV2RGB_YV12", "width and height"),
    "nv16": _Planes(2, None, "width"),
    "nv24": _Planes(3, None, ""),
}
_COMPRESSIONS = ("jpeg", "jpg", "png")  # words of a CompressedImage's format that say nothing about pixels


def any_image_to_rgb(message: protocols.Image | protocols.CompressedImage) -> npt.NDArray[np.uint8]:
    """Return sensor_msgs/CompressedImage, or Image, as uint8 [H, W, 3] RGB. Raises LircDepthError and MemoryError."""
    return compressed_image_to_rgb(message) if protocols.is_compressed(message) else image_to_rgb(message)


def image_to_rgb(message: protocols.Image) -> npt.NDArray[np.uint8]:
    """Return sensor_msgs/Image as uint8 [H, W, 3] RGB. 16-bit images keep their high byte; rows may be padded.

    8UC3 and 16UC3 are read as BGR. Raises LircDepthError for an encoding that is not supported or sizes that do not fit
    the data.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise LircDepthError(
            f"image encoding '{message.encoding}' is not supported, expected one of {', '.join(ENCODINGS)}"
        )
    height, width, step = message.height, message.width, message.step
    _check_image_size(width, height)
    planes = isinstance(encoding, _Planes)
    row_bytes = width * (1 if isinstance(encoding, _Planes) else encoding.channels * int(encoding.dtype[1]))
    size = round(step * height * (encoding.rows if isinstance(encoding, _Planes) else 1))
    if step < row_bytes or len(message.data) < size:
        raise LircDepthError(
            f"image of {width}x{height} {message.encoding} declares step {step} and holds {len(message.data)} bytes, "
            f"expected step >= {row_bytes} and {f'{size} bytes' if planes else 'step * height bytes'}"
        )
    data = np.frombuffer(message.data, np.uint8, size)
    if isinstance(encoding, _Planes):
        return _planes_to_rgb(message, encoding, data)
    # cv_bridge divides the step by the size of a pixel, so it shears rows that are padded by a part of a pixel. It
    # refuses OpenCV's own names, such as 8UC3.
    plain = encoding.opencv_conversion is None and encoding.dtype == "u1" and message.encoding[0].isalpha()
    if CvBridge is not None and plain and step == row_bytes:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, "rgb8"))
    stored = np.ascontiguousarray(data.reshape(height, step)[:, :row_bytes])
    values = stored.view((">" if message.is_bigendian else "<") + encoding.dtype)
    values = values.reshape(height, width, encoding.channels)
    pixels: npt.NDArray[np.uint8] = (values >> 8).astype(np.uint8) if encoding.dtype == "u2" else values
    if encoding.opencv_conversion is not None:
        return _converted(pixels, encoding.opencv_conversion, message.encoding)
    if encoding.channels == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1] if encoding.bgr else pixels[..., :3])


def _planes_to_rgb(message: protocols.Image, encoding: _Planes, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return an image whose YUV lies in planes as uint8 [H, W, 3] RGB. data: all bytes of the planes."""
    height, width, step = message.height, message.width, message.step
    odd = [name for name, size in (("width", width), ("height", height)) if name in encoding.even and size % 2]
    if odd or (step % 2 and step != width):
        raise LircDepthError(f"image of {width}x{height} cannot be {message.encoding}: {encoding.even} must be even")
    luma = data[: step * height].reshape(height, step)[:, :width]
    chroma = data[step * height :]
    if encoding.opencv_conversion is not None:
        # Of 4:2:0, a row of interleaved chroma is as long as one of luma, and a row of a plane of its own half as long.
        interleaved = message.encoding.startswith("nv")
        rows, length = (height // 2, width) if interleaved else (height, width // 2)
        chroma = chroma.reshape(rows, -1)[:, :length].reshape(height // 2, width)
        return _converted(np.concatenate([luma, chroma])[..., None], encoding.opencv_conversion, message.encoding)
    each = chroma.reshape(height, -1)
    if message.encoding == "nv16":  # 4:2:2: luma and chroma by turns are UYVY's
        turns = np.stack([each[:, :width], luma], axis=2)
        return _converted(np.ascontiguousarray(turns), "COLOR_YUV2RGB_UYVY", message.encoding)
    # 4:4:4, which OpenCV has no conversion for: ITU-R BT.601, video range, as its others.
    y = 1.164383 * (luma.astype(np.float32) - 16)
    u, v = (each[:, : 2 * width].reshape(height, width, 2).astype(np.float32) - 128).transpose(2, 0, 1)
    rgb = np.stack([y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u], axis=2)
    rounded: npt.NDArray[np.uint8] = np.rint(rgb).clip(0, 255).astype(np.uint8)
    return rounded


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
    """Return sensor_msgs/CompressedImage (JPEG or PNG) as uint8 [H, W, 3] RGB. 16-bit images keep their high byte.

    What ``format`` says about the pixels is followed, as compressed_image_transport writes it: the image's encoding
    before compression, and after "compressed" that of the file (such as "bayer_rggb8; png compressed " for a mosaic).
    Raises LircDepthError for a damaged file, for a format that is not supported, and MemoryError.
    """
    from PIL import Image

    encoding, swapped = _compressed_encoding(message.format)
    data = bytes(message.data)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            _check_image_size(*image.size)  # known from the header, before the pixels are allocated
            grey, wide = image.mode in ("1", "L") or is_wide(image), is_wide(image)
            pixels = None
            # OpenCV is faster and gives the same pixels; but old versions fill up an image that is cut off.
            if image.format == "JPEG" and image.mode in ("L", "RGB") and data.endswith(_JPEG_END_MARKER):
                pixels = _decode_jpeg(data)
            pixels = rgb_of(image) if pixels is None else pixels
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LircDepthError(
            f"compressed image ('{message.format}', {len(data)} bytes) is not a whole JPEG or PNG: {error}"
        ) from error
    if encoding is None:
        return pixels
    if isinstance(encoding, _Encoding) and encoding.dtype == "u2" and grey and not wide:
        raise LircDepthError(f"compressed image of format '{message.format}' holds 8 bits, expected 16")
    if not grey:
        return np.ascontiguousarray(pixels[..., ::-1]) if swapped else pixels
    if encoding.opencv_conversion is not None:
        name = message.format.partition(";")[0].strip()
        if "Bayer" not in encoding.opencv_conversion:
            raise LircDepthError(f"compressed image of format '{message.format}' is grey, expected colours of {name}")
        return _converted(np.ascontiguousarray(pixels[..., :1]), encoding.opencv_conversion, name)
    return pixels


def _compressed_encoding(text: str) -> tuple[_Encoding | _Planes | None, bool]:
    """Return what a CompressedImage's format says: the image's encoding, or None, and whether red and blue are swapped.

    A file that was made of "rgb8" without a conversion has its red where readers of files expect blue. Raises
    LircDepthError for a format that is not supported.
    """
    first, _, rest = text.partition(";")
    words = rest.split()
    target = words[words.index("compressed") + 1 :] if "compressed" in words else []
    name = first.strip()
    told = name.removeprefix("image/").lower().split()
    if not told or told[0] in _COMPRESSIONS:
        return None, False
    encoding = ENCODINGS.get(name)
    if encoding is None or "compressedDepth" in rest or (target and target[0] not in ENCODINGS):
        raise LircDepthError(
            f"compressed image of format '{text}' is not supported, expected jpeg or png, or the name of an encoding "
            f"before '; jpeg compressed': {', '.join(ENCODINGS)}"
        )
    return encoding, bool(target) and target[0].startswith("rgb")


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
