# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays and back: every encoding, padded rows, either byte order; declared sizes are never believed.

Where the ROS installation has cv_bridge and sensor_msgs_py they do the reading, and the same tests hold for them.
"""

import array
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Picture

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.camera_info import camera_matrix
from lircdepth_ros.messages.clouds import cloud_to_radar_scan
from lircdepth_ros.messages.depth import fill_depth_image
from lircdepth_ros.messages.images import compressed_image_to_rgb, image_to_rgb

try:  # real messages where there are any: cv_bridge and sensor_msgs_py want them
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
except ImportError:
    CameraInfo = CompressedImage = Image = PointCloud2 = PointField = SimpleNamespace

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def image(encoding, pixels, padding=0, big_endian=False):
    """A sensor_msgs/Image of an array [H, W, ...] with ``padding`` bytes after each row."""
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
    padded = np.concatenate([rows, np.full((len(rows), padding), 0xAB, np.uint8)], axis=1)
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=padded.shape[1],
        data=array.array("B", padded.tobytes()),
    )


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, RGB[..., :1]])),
        ("bgra8", np.dstack([RGB[..., ::-1], RGB[..., :1]])),
    ],
)
def test_colour_encodings_give_rgb(encoding, pixels, padding):
    converted = image_to_rgb(image(encoding, pixels, padding))
    np.testing.assert_array_equal(converted, RGB)
    assert converted.dtype == np.uint8
    assert converted.flags.c_contiguous


@pytest.mark.parametrize("padding", [0, 3])
def test_grey_becomes_three_equal_channels(padding):
    converted = image_to_rgb(image("mono8", RGB[..., 0], padding))
    np.testing.assert_array_equal(converted, RGB[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(("encoding", "order"), [("rgb16", slice(None)), ("bgr16", slice(None, None, -1))])
def test_16_bit_keeps_the_high_byte_in_either_byte_order(encoding, order, big_endian):
    wide = (RGB[..., order].astype(np.uint16) << 8 | 0x7F).astype(">u2" if big_endian else "<u2")
    np.testing.assert_array_equal(image_to_rgb(image(encoding, wide, 4, big_endian)), RGB)
    grey = wide[..., 0]
    converted = image_to_rgb(image("mono16", grey, 0, big_endian))
    np.testing.assert_array_equal(converted, RGB[..., order][..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_are_read_from_their_first_row(pattern):
    """A uniformly coloured scene: each cell holds the colour that its letter names."""
    colour = {"r": 200, "g": 120, "b": 40}
    cell = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    converted = image_to_rgb(image(f"bayer_{pattern}8", np.tile(cell, (4, 4))))
    np.testing.assert_array_equal(converted[2:-2, 2:-2], np.broadcast_to([200, 120, 40], (4, 4, 3)))


@pytest.mark.parametrize(
    ("encoding", "luma_first"), [("yuv422", False), ("uyvy", False), ("yuv422_yuy2", True), ("yuyv", True)]
)
def test_yuv_422_of_a_grey_scene_is_its_luma(encoding, luma_first):
    luma = np.full((4, 6), 126, np.uint8)  # BT.601 video range: (126 - 16) * 255 / 219 = 128
    chroma = np.full((4, 6), 128, np.uint8)
    pixels = np.stack([luma, chroma] if luma_first else [chroma, luma], axis=2)
    assert np.abs(image_to_rgb(image(encoding, pixels)).astype(int) - 128).max() <= 1


def test_an_odd_width_of_yuv_422_is_refused():
    with pytest.raises(LircDepthError, match="image of 5x4 cannot be uyvy"):
        image_to_rgb(image("uyvy", np.zeros((4, 5, 2), np.uint8)))


def changed(message, **changes):
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "32FC1"}, "encoding '32FC1' is not supported, expected one of rgb8"),
        ({"encoding": ""}, "encoding '' is not supported"),
        ({"step": 23}, "declares step 23"),
        ({"height": 7}, "holds 144 bytes"),
        ({"height": 2**31, "width": 2**31}, "4611686018427387904|2147483648x2147483648"),
        ({"height": 0}, "declares 8x0"),
        ({"data": array.array("B")}, "holds 0 bytes"),
    ],
)
def test_an_image_whose_sizes_do_not_fit_is_refused(changes, words):
    with pytest.raises(LircDepthError, match=words):
        image_to_rgb(changed(image("rgb8", RGB), **changes))


def compressed(data, kind="jpeg"):
    return CompressedImage(format=kind, data=array.array("B", data))


def encoded(pixels, kind):
    buffer = io.BytesIO()
    Picture.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_compressed_images_are_decoded_and_damaged_ones_refused():
    np.testing.assert_array_equal(compressed_image_to_rgb(compressed(encoded(RGB, "PNG"), "png")), RGB)
    grey = compressed_image_to_rgb(compressed(encoded(RGB[..., 0], "PNG"), "png"))
    np.testing.assert_array_equal(grey, RGB[..., :1].repeat(3, axis=2))
    smooth = np.full((64, 64, 3), (200, 30, 90), np.uint8)
    jpeg = encoded(smooth, "JPEG")
    assert np.abs(compressed_image_to_rgb(compressed(jpeg)).astype(int) - smooth).max() < 4
    for data in (b"", b"hello", jpeg[:-50], jpeg[:10], encoded(RGB, "BMP"), encoded(RGB, "PNG")[:60]):
        with pytest.raises(LircDepthError, match="not a whole JPEG or PNG"):
            compressed_image_to_rgb(compressed(data))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"orientation": 6}])
def test_a_jpeg_has_the_pixels_that_pillow_reads(mode, options):
    """Whichever library decodes it; the orientation that a camera notes down turns nothing."""
    options, exif, buffer = dict(options), Picture.Exif(), io.BytesIO()
    exif[0x112] = options.pop("orientation", 1)
    Picture.fromarray(RGB.repeat(8, axis=0).repeat(8, axis=1)).convert(mode).save(buffer, "JPEG", exif=exif, **options)
    with Picture.open(buffer) as picture:
        expected = np.asarray(picture.convert("RGB"))
    padded = buffer.getvalue() + bytes(7)  # some cameras fill up to a whole block
    for data in (buffer.getvalue(), padded):
        np.testing.assert_array_equal(compressed_image_to_rgb(compressed(data)), expected)


def test_a_compressed_image_that_declares_an_absurd_size_is_refused_before_it_is_decoded():
    png = bytearray(encoded(RGB, "PNG"))
    png[16:24] = (30_000).to_bytes(4, "big") * 2
    import zlib

    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    with pytest.raises(LircDepthError, match=r"30000x30000|decompression bomb"):
        compressed_image_to_rgb(compressed(bytes(png), "png"))


NAMES = ("x", "y", "z", "rcs", "vx", "vy")
POINTS = np.arange(24, dtype=np.float32).reshape(4, 6)
KINDS = {"f4": 7, "f8": 8, "i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6}


def cloud(points=POINTS, names=NAMES, kinds=None, big_endian=False, padding=0, height=1, extra=3):
    """A PointCloud2 [N, 6] with ``extra`` unused bytes after each point and ``padding`` after each row."""
    order = ">" if big_endian else "<"
    kinds = kinds or ["f4"] * len(names)
    dtype = np.dtype([(name, order + kind) for name, kind in zip(names, kinds, strict=True)] + [("unused", "V", extra)])
    records = np.zeros(len(points), dtype)
    for name, column in zip(names, points.T, strict=True):
        records[name] = column
    rows = records.reshape(height, -1).view(np.uint8).reshape(height, -1)
    rows = np.concatenate([rows, np.full((height, padding), 0xCD, np.uint8)], axis=1)
    return PointCloud2(
        height=height,
        width=len(points) // height,
        fields=[
            PointField(name=name, offset=dtype.fields[name][1], datatype=KINDS[kind], count=1)
            for name, kind in zip(names, kinds, strict=True)
        ],
        is_bigendian=big_endian,
        point_step=dtype.itemsize,
        row_step=rows.shape[1],
        data=array.array("B", rows.tobytes()),
    )


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("height", [1, 2])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("kinds", [["f4"] * 6, ["f8"] * 6, ["f4", "f8", "i2", "i1", "u4", "u1"]])
def test_a_cloud_is_read_by_field_name_in_any_layout(kinds, big_endian, height, padding):
    scan = cloud_to_radar_scan(cloud(POINTS, NAMES, kinds, big_endian, padding, height))
    np.testing.assert_array_equal(scan.points, POINTS[:, :3])
    np.testing.assert_array_equal(scan.rcs, POINTS[:, 3])
    np.testing.assert_array_equal(scan.velocity, POINTS[:, 4:])
    assert scan.points.dtype == scan.rcs.dtype == scan.velocity.dtype == np.float32


def test_another_drivers_field_names_are_mapped():
    names = ("range_x", "range_y", "range_z", "RCS", "vel_x", "vel_y")
    scan = cloud_to_radar_scan(cloud(names=names), names)
    np.testing.assert_array_equal(scan.velocity, POINTS[:, 4:])
    flat = cloud_to_radar_scan(cloud(), ("x", "y", "z", "rcs", "vx", "vx"))
    np.testing.assert_array_equal(flat.velocity, POINTS[:, [4, 4]])


def test_returns_that_are_not_finite_are_left_out_and_counted():
    points = POINTS.copy()
    points[0, 0], points[2, 5] = np.nan, np.inf
    scan = cloud_to_radar_scan(cloud(points))
    np.testing.assert_array_equal(scan.points, POINTS[[1, 3], :3])
    assert scan.rejected == 2
    huge = cloud_to_radar_scan(cloud(POINTS.astype(np.float64) * 1e300, kinds=["f8"] * 6))
    assert (len(huge), huge.rejected) == (0, 4)


def test_an_empty_cloud_is_an_empty_scan():
    assert len(cloud_to_radar_scan(cloud(POINTS[:0]))) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"point_step": 20, "row_step": 80}, "ends at byte 24, beyond point_step 20"),
        ({"point_step": 0, "row_step": 0}, "beyond point_step 0"),
        ({"width": 0, "point_step": 2**31, "data": array.array("B")}, "declares 0x1 points of 2147483648 bytes"),
        ({"width": 5}, "rows of 108|holds"),
        ({"width": 2**30, "row_step": 2**30}, "declares 1073741824x1"),
        ({"data": array.array("B", bytes(100))}, "holds 100 bytes, expected row_step"),
        ({"fields": []}, "has no field x, y, z, rcs, vx, vy; it has none"),
    ],
)
def test_a_cloud_whose_sizes_do_not_fit_is_refused(changes, words):
    with pytest.raises(LircDepthError, match=words):
        cloud_to_radar_scan(changed(cloud(), **changes))


def test_a_cloud_without_rcs_names_what_is_missing_and_what_is_there():
    with pytest.raises(LircDepthError, match=r"has no field rcs; it has x, y, z, vx, vy .*radar_fields"):
        cloud_to_radar_scan(cloud(POINTS[:, :5], ("x", "y", "z", "vx", "vy")))


@pytest.mark.parametrize(("attribute", "value"), [("datatype", 0), ("datatype", 9), ("count", 3), ("count", 0)])
def test_a_field_that_is_not_one_number_is_refused(attribute, value):
    message = cloud()
    setattr(message.fields[3], attribute, value)
    with pytest.raises(LircDepthError, match="field 'rcs' has datatype"):
        cloud_to_radar_scan(message)


def camera_info(
    k=(1266.0, 0, 816, 0, 1266.0, 491, 0, 0, 1), p=(1000.0, 0, 800, 0, 0, 1000.0, 450, 0, 0, 0, 1, 0), d=()
):
    return CameraInfo(width=1600, height=900, k=np.float64(k), p=np.float64(p), d=[float(x) for x in d])


def test_camera_info_gives_the_matrix_of_the_rectified_image():
    matrix, size = camera_matrix(camera_info(d=[0.0] * 5))
    assert matrix[0].tolist() == [1266.0, 0.0, 816.0]
    assert size == (1600, 900)
    matrix, _ = camera_matrix(camera_info(d=[0.1, 0, 0, 0, 0]))
    assert matrix[0].tolist() == [1000.0, 0.0, 800.0], "with distortion in D, the rectified image is described by P"


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (camera_info(k=[0.0] * 9), "not calibrated"),
        (camera_info(k=[np.nan] * 9), "not calibrated"),
        (camera_info(d=[0.1] * 5, p=[0.0] * 12), "no P matrix"),
        (camera_info(d=[0.1] * 5, p=[1.0] + [0.0] * 11), "no P matrix"),
        (camera_info(d=[0.1] * 5, p=[np.nan] * 12), "no P matrix"),
    ],
)
def test_an_uncalibrated_camera_is_refused(info, words):
    with pytest.raises(LircDepthError, match=words):
        camera_matrix(info)


DEPTH = np.array([[1.5, np.nan, np.inf], [65.535, 65.536, 0.0004]], dtype=np.float32)


def test_float_depth_is_published_as_it_is():
    message = Image()
    assert fill_depth_image(message, DEPTH, "32FC1") == 0
    assert (message.height, message.width, message.step, message.encoding) == (2, 3, 12, "32FC1")
    np.testing.assert_array_equal(np.frombuffer(message.data, np.float32).reshape(2, 3), DEPTH)


def test_16_bit_depth_is_millimetres_and_counts_what_does_not_fit():
    message = Image()
    lost = fill_depth_image(message, DEPTH, "16UC1")
    assert np.frombuffer(message.data, np.uint16).tolist() == [1500, 0, 0, 65535, 0, 0]
    assert lost == 2, "+Inf and 65.536 m"
    assert (message.step, message.encoding) == (6, "16UC1")
    with pytest.raises(LircDepthError, match="expected 32FC1 or 16UC1"):
        fill_depth_image(message, DEPTH, "64FC1")
