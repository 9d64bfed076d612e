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
from messages import changed

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


YUV = [(126, 128, 128), (81, 90, 240), (145, 54, 34), (41, 240, 110)]  # BT.601 video range, of 8 bit
AS_RGB = [(128, 128, 128), (255, 0, 0), (0, 255, 1), (0, 0, 255)]  # by the standard's formula: grey, red, green, blue


def planes(encoding, y, u, v, width, height, padding):
    """The bytes of a picture of one colour, and the length of its rows of luma, ``padding`` bytes after each."""

    def plane(values, rows, step):
        row = np.resize(np.array(values, np.uint8), step)
        return np.tile(row, rows).tobytes()

    step = width + padding
    luma = plane([y], height, step)
    if encoding in ("nv12", "nv21"):
        return luma + plane([u, v] if encoding == "nv12" else [v, u], height // 2, step), step
    if encoding == "nv16":
        return luma + plane([u, v], height, step), step
    if encoding == "nv24":
        return luma + plane([u, v], height, 2 * step), step
    first, second = (v, u) if encoding == "yv12" else (u, v)
    return luma + plane([first], height // 2, step // 2) + plane([second], height // 2, step // 2), step


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "i420", "yuv420", "yv12", "nv16", "nv24"])
def test_yuv_in_planes_has_its_colours(encoding, padding):
    for yuv, expected in zip(YUV, AS_RGB, strict=True):
        data, step = planes(encoding, *yuv, 8, 6, padding)
        message = Image(
            height=6, width=8, encoding=encoding, is_bigendian=0, step=step, data=array.array("B", data)
        )  # fmt: skip
        converted = image_to_rgb(message)
        assert converted.shape == (6, 8, 3)
        assert np.abs(converted.astype(int) - expected).max() <= 2
    with pytest.raises(LircDepthError, match=f"{encoding} declares step"):
        image_to_rgb(changed(message, data=array.array("B", data[:-1])))


def test_luma_and_chroma_of_yuv_in_planes_stay_where_they_are():
    """The right half is red; a colour has two rows and columns."""
    luma = np.full((4, 8), 126, np.uint8)
    luma[:, 4:] = 81
    chroma = np.full((2, 4, 2), 128, np.uint8)
    chroma[:, 2:] = 90, 240
    data = luma.tobytes() + chroma.tobytes()
    message = Image(height=4, width=8, encoding="nv12", is_bigendian=0, step=8, data=array.array("B", data))
    converted = image_to_rgb(message).astype(int)
    assert np.abs(converted[:, :4] - 128).max() <= 2
    assert np.abs(converted[:, 4:] - (255, 0, 0)).max() <= 2


def test_yuv_420_of_an_odd_size_is_refused():
    message = Image(height=5, width=8, encoding="nv12", is_bigendian=0, step=8, data=array.array("B", bytes(60)))
    with pytest.raises(LircDepthError, match="image of 8x5 cannot be nv12: width and height must be even"):
        image_to_rgb(message)


@pytest.mark.parametrize("wide", [False, True])
def test_opencvs_own_names_are_grey_or_bgr(wide):
    bits, pixels = (16, RGB.astype(np.uint16) << 8) if wide else (8, RGB)
    np.testing.assert_array_equal(image_to_rgb(image(f"{bits}UC3", pixels[..., ::-1])), RGB)
    np.testing.assert_array_equal(
        image_to_rgb(image(f"{bits}UC1", pixels[..., 0])), RGB[..., :1].repeat(3, axis=2)
    )  # fmt: skip
    four = np.dstack([pixels[..., ::-1], pixels[..., 0]])
    np.testing.assert_array_equal(image_to_rgb(image(f"{bits}UC4", four)), RGB)


def test_a_bayer_pattern_of_16_bit_is_read_by_its_high_byte():
    cell = np.array([[200, 120], [120, 40]], np.uint16) << 8
    converted = image_to_rgb(image("bayer_rggb16", np.tile(cell, (4, 4))))
    np.testing.assert_array_equal(converted[2:-2, 2:-2], np.broadcast_to([200, 120, 40], (4, 4, 3)))


def test_an_odd_width_of_yuv_422_is_refused():
    with pytest.raises(LircDepthError, match="image of 5x4 cannot be uyvy"):
        image_to_rgb(image("uyvy", np.zeros((4, 5, 2), np.uint8)))


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


GREY_16 = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)


@pytest.mark.parametrize("kind", ["mono16; png compressed ", "16UC1; png compressed", "png", "png; whatever"])
def test_grey_of_16_bit_is_scaled_and_not_clipped_to_white(kind):
    found = compressed_image_to_rgb(compressed(encoded(GREY_16, "PNG"), kind))
    np.testing.assert_array_equal(found, (GREY_16 // 256).astype(np.uint8)[..., None].repeat(3, axis=2))


def test_colour_of_16_bit_in_a_png_keeps_its_high_byte():
    import cv2

    wide = RGB.astype(np.uint16) << 8 | 0x55
    data = cv2.imencode(".png", wide[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(compressed_image_to_rgb(compressed(data, "rgb16; png compressed bgr16")), RGB)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_compressed_mosaic_has_the_colours_of_its_pattern(pattern):
    """compressed_image_transport compresses a mosaic as it is, and names its pattern."""
    colour = {"r": 200, "g": 120, "b": 40}
    cell = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    data = encoded(np.tile(cell, (4, 4)), "PNG")
    found = compressed_image_to_rgb(compressed(data, f"bayer_{pattern}8; png compressed "))
    np.testing.assert_array_equal(found[2:-2, 2:-2], np.broadcast_to([200, 120, 40], (4, 4, 3)))
    wide = encoded(np.tile(cell.astype(np.uint16) << 8, (4, 4)), "PNG")
    found = compressed_image_to_rgb(compressed(wide, f"bayer_{pattern}16; png compressed "))
    np.testing.assert_array_equal(found[2:-2, 2:-2], np.broadcast_to([200, 120, 40], (4, 4, 3)))


@pytest.mark.parametrize(
    ("kind", "swapped"),
    [
        ("rgb8; png compressed bgr8", False),
        ("bgr8; png compressed bgr8", False),
        ("bgr8;png compressed bgr8", False),
        ("rgb8; png compressed rgb8", True),
        ("rgb8; png compressed", False),
        ("image/png", False),
        ("PNG", False),
        ("", False),
    ],
)
def test_the_channel_order_that_a_format_names_is_followed(kind, swapped):
    found = compressed_image_to_rgb(compressed(encoded(RGB, "PNG"), kind))
    np.testing.assert_array_equal(found, RGB[..., ::-1] if swapped else RGB)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("32FC1; png compressed", "format '32FC1; png compressed' is not supported"),
        ("16UC1; compressedDepth png", "format '16UC1; compressedDepth png' is not supported"),
        ("bayer_rggb12; png compressed", "format 'bayer_rggb12; png compressed' is not supported"),
        ("tiff", "format 'tiff' is not supported"),
        ("rgb8; png compressed xyz8", "is not supported"),
        ("mono16; png compressed", "holds 8 bits, expected 16"),
        ("yuyv; png compressed", "is grey, expected colours of yuyv"),
    ],
)
def test_a_format_that_the_file_does_not_keep_or_that_nobody_reads_is_refused_by_name(kind, words):
    with pytest.raises(LircDepthError, match=words):
        compressed_image_to_rgb(compressed(encoded(RGB[..., 0], "PNG"), kind))
