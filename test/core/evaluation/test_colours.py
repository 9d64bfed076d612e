# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Colours of depth and radar returns over an image, as the depth node publishes them."""

import numpy as np

from lircdepth_core.evaluation.colours import colorize, draw_returns
from lircdepth_core.radar import RadarScan

INTRINSICS = np.array([[100.0, 0, 80], [0, 100.0, 48], [0, 0, 1]])
CAMERA_FROM_RADAR = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def test_near_is_red_far_is_blue_and_no_depth_is_black():
    """Beyond max_range, and nothing in range (+Inf), have the colour of max_range."""
    near, far, beyond, infinite, none = colorize(np.float32([[10, 99, 120, np.inf, np.nan]]), 100.0)[0].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert beyond.tolist() == infinite.tolist() == colorize(np.float32([[100]]), 100.0)[0, 0].tolist()
    assert none.tolist() == [0, 0, 0]


def test_a_return_is_a_disc_of_its_distances_colour_and_the_image_stays():
    """10 m ahead, 1 m to the left and 2 m up: 10 pixels left of and 20 above the principal point."""
    image = np.zeros((96, 160, 3), np.uint8)
    scan = RadarScan.from_fields(*np.float32([[10, 1, 2, 0, 0, 0]]).T)
    picture = draw_returns(image, INTRINSICS, [(scan, CAMERA_FROM_RADAR)], 100.0)
    rows, columns = picture.any(axis=2).nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (26, 30, 68, 72)
    assert picture[28, 70].tolist() == colorize(np.float32([[10]]), 100.0)[0, 0].tolist()
    assert not image.any()


def test_a_scan_without_a_return_in_view_draws_nothing():
    """An empty scan, and one behind the camera: OpenCV would end the process while it colours an empty array."""
    image = np.full((96, 160, 3), 7, np.uint8)
    scans = [np.zeros((0, 6)), np.array([[-10.0, 0, 0, 0, 0, 0]])]
    radars = [(RadarScan.from_fields(*returns.T), CAMERA_FROM_RADAR) for returns in scans]
    np.testing.assert_array_equal(draw_returns(image, INTRINSICS, radars, 100.0), image)
