# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS messages to arrays and back.

Reading is duck-typed on a message's fields, so that messages from rclpy and from a bag read the same. Sizes that a
message declares are checked against what it holds before anything is allocated or read. Where the ROS installation
has cv_bridge and sensor_msgs_py they do the reading; with wheels alone the code here gives the same.
"""

import array
import io
import sys
from contextlib import contextmanager

import numpy as np

from lircdepth_core.errors import LircDepthError, is_opencv_out_of_memory
from lircdepth_core.radar import RadarScan

try:
    from cv_bridge import CvBridge
except ImportError:
    CvBridge = None
try:
    from sensor_msgs_py import point_cloud2
except ImportError:
    point_cloud2 = None

MAX_IMAGE_PIXELS = 64_000_000
MAX_CLOUD_BYTES = 64_000_000
_END_OF_JPEG = b"\xff\xd9"
_RADAR_FIELDS = ("x", "y", "z", "rcs", "vx", "vy")

# encoding: (dtype, channels, OpenCV's conversion to RGB, None where a slice does it)
_ENCODINGS = {
    "rgb8": ("u1", 3, None), "bgr8": ("u1", 3, None), "rgba8": ("u1", 4, None), "bgra8": ("u1", 4, None),
    "mono8": ("u1", 1, None), "mono16": ("u2", 1, None),
    "rgb16": ("u2", 3, None), "bgr16": ("u2", 3, None),
    # OpenCV names a Bayer pattern by its second row, ROS by its first: the names are one step apart.
    "bayer_rggb8": ("u1", 1, "COLOR_BayerBG2RGB"), "bayer_bggr8": ("u1", 1, "COLOR_BayerRG2RGB"),
    "bayer_gbrg8": ("u1", 1, "COLOR_BayerGR2RGB"), "bayer_grbg8": ("u1", 1, "COLOR_BayerGB2RGB"),
    "yuv422": ("u1", 2, "COLOR_YUV2RGB_UYVY"), "uyvy": ("u1", 2, "COLOR_YUV2RGB_UYVY"),
    "yuv422_yuy2": ("u1", 2, "COLOR_YUV2RGB_YUY2"), "yuyv": ("u1", 2, "COLOR_YUV2RGB_YUY2"),
}  # fmt: skip
_POINT_FIELD_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # sensor_msgs/PointField


def stamp_to_ns(stamp):
    """Return builtin_interfaces/Time as integer nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def any_image_to_rgb(message):
    """Return sensor_msgs/CompressedImage, or Image, as uint8 [H, W, 3] RGB. Raises LircDepthError and MemoryError."""
    return compressed_image_to_rgb(message) if hasattr(message, "format") else image_to_rgb(message)


def image_to_rgb(message):
    """Return sensor_msgs/Image as uint8 [H, W, 3] RGB. 16-bit images keep their high byte; rows may be padded.

    Raises LircDepthError for an encoding that is not supported or sizes that do not fit the data.
    """
    if message.encoding not in _ENCODINGS:
        raise LircDepthError(
            f"image encoding '{message.encoding}' is not supported, expected one of {', '.join(_ENCODINGS)}"
        )
    kind, channels, conversion = _ENCODINGS[message.encoding]
    height, width, step = message.height, message.width, message.step
    _check_image_size(width, height)
    row_bytes = width * channels * int(kind[1])
    if step < row_bytes or len(message.data) < step * height:
        raise LircDepthError(
            f"image of {width}x{height} {message.encoding} declares step {step} and holds {len(message.data)} bytes, "
            f"expected step >= {row_bytes} and step * height bytes"
        )
    # cv_bridge divides the step by the pixel's size: rows padded by a part of a pixel come out sheared.
    if CvBridge is not None and conversion is None and kind == "u1" and step == row_bytes:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, "rgb8"))
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)[:, :row_bytes]
    pixels = np.ascontiguousarray(rows).view((">" if message.is_bigendian else "<") + kind)
    pixels = pixels.reshape(height, width, channels)
    if kind == "u2":
        pixels = (pixels >> 8).astype(np.uint8)
    if conversion is not None:
        import cv2

        try:
            with _memory_errors():
                return cv2.cvtColor(pixels, getattr(cv2, conversion))
        except cv2.error as error:  # an odd width of YUV 4:2:2, a Bayer pattern of a single row
            raise LircDepthError(f"image of {width}x{height} cannot be {message.encoding}: {error.err}") from error
    if channels == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1] if message.encoding.startswith("bgr") else pixels[..., :3])


def compressed_image_to_rgb(message):
    """Return sensor_msgs/CompressedImage (JPEG or PNG) as uint8 [H, W, 3] RGB. Raises LircDepthError if corrupt."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(message.data), formats=("JPEG", "PNG")) as image:
            _check_image_size(*image.size)  # known from the header, before the pixels are allocated
            pixels = None
            # OpenCV is faster and gives the same pixels; but old ones fill up what is cut off.
            if image.format == "JPEG" and image.mode in ("L", "RGB") and bytes(message.data[-2:]) == _END_OF_JPEG:
                pixels = _decode_jpeg(message.data)
            return np.asarray(image.convert("RGB")) if pixels is None else pixels
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LircDepthError(
            f"compressed image ('{message.format}', {len(message.data)} bytes) is not a whole JPEG or PNG: {error}"
        ) from error


def _decode_jpeg(data):
    """Return a JPEG as uint8 [H, W, 3] RGB, turned as it is stored, or None if OpenCV finds fault with it."""
    import cv2

    with _memory_errors():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


@contextmanager
def _memory_errors():
    """Raise MemoryError where OpenCV raises an error of its own for exhausted memory."""
    try:
        yield
    except Exception as error:
        if not is_opencv_out_of_memory(error):
            raise
        raise MemoryError(f"out of memory for an image: {error.err}") from error


def _check_image_size(width, height):
    if not 0 < width * height <= MAX_IMAGE_PIXELS:
        raise LircDepthError(f"image declares {width}x{height} pixels, expected 1 to {MAX_IMAGE_PIXELS:,}")


def cloud_to_radar_scan(message, names=_RADAR_FIELDS):
    """Return sensor_msgs/PointCloud2 as a RadarScan.

    names: the message's names for x, y, z [m], rcs [dBsm], vx, vy [m/s], in this order. Returns that hold NaN or
    infinity are counted in the scan and left out. Raises LircDepthError when a field is missing or sizes do not fit.
    """
    points, step = message.width * message.height, message.point_step
    fields = {field.name: field for field in message.fields}
    missing = [name for name in names if name not in fields]
    if missing:
        raise LircDepthError(
            f"radar cloud has no field {', '.join(missing)}; it has {', '.join(fields) or 'none'} "
            "(parameter radar_fields names a driver's own)"
        )
    if max(points, 1) * step > MAX_CLOUD_BYTES or message.row_step < message.width * step:
        raise LircDepthError(
            f"radar cloud declares {message.width}x{message.height} points of {step} bytes in rows of "
            f"{message.row_step}, expected rows that hold them and at most {MAX_CLOUD_BYTES:,} bytes"
        )
    if len(message.data) < message.row_step * message.height:
        raise LircDepthError(
            f"radar cloud holds {len(message.data)} bytes, expected row_step * height = "
            f"{message.row_step * message.height}"
        )
    names_read = list(dict.fromkeys(names))
    dtype = _point_dtype([fields[name] for name in names_read], step, message.is_bigendian)
    if point_cloud2 is not None and message.row_step == message.width * step:
        cloud = point_cloud2.read_points(message, field_names=names_read).reshape(-1)
    else:
        rows = np.frombuffer(message.data, np.uint8, message.row_step * message.height)
        rows = rows.reshape(message.height, message.row_step)[:, : message.width * step]
        cloud = np.ascontiguousarray(rows).reshape(-1).view(dtype)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is left out as such
        return RadarScan.from_fields(*(cloud[name] for name in names))


def _point_dtype(fields, point_step, is_bigendian):
    """The structured dtype of one point, of the fields that are read."""
    formats = []
    for field in fields:
        if field.datatype not in _POINT_FIELD_DTYPES or field.count != 1:
            raise LircDepthError(
                f"radar cloud field '{field.name}' has datatype {field.datatype} and count {field.count}, "
                "expected one number (datatype 1 to 8, count 1)"
            )
        formats.append((">" if is_bigendian else "<") + _POINT_FIELD_DTYPES[field.datatype])
        end = field.offset + int(formats[-1][2])
        if end > point_step:
            raise LircDepthError(f"radar cloud field '{field.name}' ends at byte {end}, beyond point_step {point_step}")
    return np.dtype(
        {"names": [f.name for f in fields], "formats": formats, "offsets": [f.offset for f in fields],
         "itemsize": point_step}
    )  # fmt: skip


def camera_matrix(message):
    """Return sensor_msgs/CameraInfo's intrinsics of the rectified image as float64 [3, 3], and its size (w, h).

    Raises LircDepthError for an uncalibrated camera (K[0] = 0, REP 104) or an image that is not rectified.
    """
    intrinsics = np.asarray(message.k, dtype=np.float64).reshape(3, 3)
    if not _is_calibrated(intrinsics):
        raise LircDepthError(f"camera_info is not calibrated: K is {intrinsics.reshape(-1).tolist()} (REP 104)")
    if any(message.d):
        # A rectified topic keeps D for whoever wants the raw image back; P describes the rectified one.
        intrinsics = np.asarray(message.p, dtype=np.float64).reshape(3, 4)[:, :3]
        if not _is_calibrated(intrinsics):
            raise LircDepthError("camera_info has distortion but no P matrix; expected the info of a rectified image")
    return intrinsics, (message.width, message.height)


def require_size(image, size, name="the image"):
    """Raise LircDepthError where an image [H, W, ...] is not of camera_info's size (w, h)."""
    if size != (image.shape[1], image.shape[0]):
        raise LircDepthError(f"camera_info is for {size[0]}x{size[1]}, {name} is {image.shape[1]}x{image.shape[0]}")


def _is_calibrated(matrix):
    return bool(np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0)


def fill_depth_image(message, depth, encoding):
    """Write depth [H, W] float32 metres into a sensor_msgs/Image (REP 118); return how many pixels did not fit.

    "32FC1": metres as they are. "16UC1": millimetres, 0 where there is no depth or it is beyond 65.535 m; the latter
    (+Inf included) are counted.
    """
    message.height, message.width = depth.shape
    message.encoding = encoding
    message.is_bigendian = sys.byteorder == "big"
    lost = 0
    if encoding == "16UC1":
        with np.errstate(invalid="ignore"):
            millimetres = np.rint(depth * 1000.0)
            beyond = millimetres > 65535
            fits = (millimetres > 0) & ~beyond
        lost = int(beyond.sum())
        depth = np.where(fits, millimetres, 0).astype(np.uint16)
    elif encoding != "32FC1":
        raise LircDepthError(f"depth encoding '{encoding}' is not supported, expected 32FC1 or 16UC1")
    message.step = depth.strides[0]
    data = array.array("B")  # rclpy takes an array as it is; any other sequence it checks byte by byte
    data.frombytes(memoryview(np.ascontiguousarray(depth)).cast("B"))
    message.data = data
    return lost
