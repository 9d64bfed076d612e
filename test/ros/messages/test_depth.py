# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth images out and in (REP 118)."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.depth import depth_of, fill_depth_image

try:
    from sensor_msgs.msg import CompressedImage, Image
except ImportError:
    CompressedImage = Image = SimpleNamespace

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


def test_float_depth_comes_back_as_it_was():
    message = Image()
    fill_depth_image(message, DEPTH, "32FC1")
    np.testing.assert_array_equal(depth_of(message), DEPTH)


def test_every_second_column_is_published_as_an_image_of_its_own():
    message = Image()
    fill_depth_image(message, np.repeat(DEPTH, 2, axis=1)[:, ::2], "32FC1")
    assert message.step == 12
    np.testing.assert_array_equal(depth_of(message), DEPTH)


@pytest.mark.parametrize("big_endian", [False, True])
def test_millimetres_come_back_as_metres_and_0_as_no_depth(big_endian):
    """Two rows of one pixel, each with two bytes of padding."""
    pixels = np.array([[1500, 0xABAB], [0, 0xABAB]], ">u2" if big_endian else "<u2")
    message = Image(height=2, width=1, encoding="16UC1", is_bigendian=int(big_endian), step=4, data=pixels.tobytes())
    np.testing.assert_allclose(depth_of(message), [[1.5], [np.nan]], rtol=1e-6)


def test_compressed_depth_is_a_png_behind_twelve_bytes():
    png = cv2.imencode(".png", np.uint16([[1500, 0]]))[1].tobytes()
    message = CompressedImage(format="16UC1; compressedDepth png", data=bytes(12) + png)
    np.testing.assert_allclose(depth_of(message), [[1.5, np.nan]], rtol=1e-6)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Image(height=1, width=1, encoding="rgb8", step=3, data=bytes(3)), "depth of encoding 'rgb8'"),
        (Image(height=2, width=1, encoding="32FC1", step=4, data=bytes(4)), "depth of 1x2 holds 4 bytes"),
        (Image(height=1, width=2, encoding="32FC1", step=4, data=bytes(8)), "depth of 2x1 holds 8 bytes"),
        (CompressedImage(format="jpeg", data=bytes(20)), "depth of format 'jpeg'"),
        (CompressedImage(format="16UC1; compressedDepth png", data=bytes(20)), "holds no PNG of 16 bit"),
    ],
)
def test_other_images_are_no_depth(message, words):
    with pytest.raises(LircDepthError, match=words):
        depth_of(message)
