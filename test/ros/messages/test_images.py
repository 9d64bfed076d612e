# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Images to RGB: every encoding, padded rows, either byte order; the sizes that a message declares are not trusted.

Where the ROS installation has cv_bridge it does the reading, and the same tests hold for it.
"""

import array
import io
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Picture

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.images import compressed_image_to_rgb, image_to_rgb

try:  # real messages where there are any: cv_bridge and sensor_msgs_py want them
    from sensor_msgs.msg import CompressedImage, Image
except ImportError:
    CompressedImage = Image = SimpleNamespace

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
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    with pytest.raises(LircDepthError, match=r"30000x30000|decompression bomb"):
        compressed_image_to_rgb(compressed(bytes(png), "png"))
