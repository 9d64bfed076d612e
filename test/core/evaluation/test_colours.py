# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Colours of depth and radar returns over an image, as the depth node publishes them and every picture has them."""

import cv2
import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import colours
from lircdepth_core.evaluation.colours import DepthScale, colorize, draw_returns, line_of_sight_speeds
from lircdepth_core.evaluation.views import frame_view, scale_strip
from lircdepth_core.radar import RadarScan, project_scan

INTRINSICS = np.array([[100.0, 0, 80], [0, 100.0, 48], [0, 0, 1]])
CAMERA_FROM_RADAR = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def lightness(rgb):
    """L* of CIE Lab, 0 to 100."""
    return cv2.cvtColor(np.float32(rgb)[None] / 255, cv2.COLOR_RGB2Lab)[0, :, 0]


def test_colours_are_perceptually_even_and_near_is_bright():
    """L* falls with depth in nearly equal steps; turbo's rises and falls again, so that edges appear where none are."""
    steps = np.diff(lightness(colours.colour_table())[::16])
    assert (steps < 0).all()
    assert steps.min() / steps.mean() < 2


@pytest.mark.parametrize(("spacing", "middle"), [("linear", 41.0), ("log", 12.65), ("inverse", 3.902)])
def test_a_spacing_puts_its_mean_of_both_ends_in_the_middle(spacing, middle):
    """Of 2 and 80 m: the arithmetic, geometric and harmonic mean."""
    scale = DepthScale(80, 2, spacing)
    np.testing.assert_allclose(scale.fractions([2, middle, 80, 90, 1]), [0, 0.5, 1, 1, 0], atol=1e-3)
    np.testing.assert_allclose(scale.depths([0, 0.5, 1]), [2, middle, 80], rtol=1e-3)
    assert scale.ticks()[0] == 2
    assert scale.ticks()[-1] == 80


@pytest.mark.parametrize("ends", [(0.0, 80.0), (80.0, 80.0), (2.0, float("inf"))])
def test_a_scale_without_extent_is_refused(ends):
    with pytest.raises(LircDepthError, match="expected 0 < nearest < farthest"):
        DepthScale(nearest=ends[0], farthest=ends[1])


def test_the_sky_and_no_depth_are_no_colour_of_the_scale():
    """What is beyond the scale, and nothing in range (+Inf), is drawn as sky; no depth is a checkerboard."""
    depth = np.full((60, 200), np.nan, np.float32)
    depth[0, :4] = 10, 79, 81, np.inf
    picture = colorize(depth)
    assert picture[0, 2].tolist() == picture[0, 3].tolist() == list(colours.SKY_RGB)
    assert {tuple(colour) for colour in picture[1:].reshape(-1, 3).tolist()} == set(colours.CHECKER_RGB)
    scale = {tuple(colour) for colour in colours.colour_table().tolist()}
    assert {tuple(picture[0, 0].tolist()), tuple(picture[0, 1].tolist())} <= scale
    assert not scale & {colours.SKY_RGB, *colours.CHECKER_RGB}


def test_a_return_is_a_disc_of_its_distances_colour_and_the_image_stays():
    """10 m ahead, 1 m to the left and 2 m up: 10 pixels left of and 20 above the principal point."""
    image = np.zeros((96, 160, 3), np.uint8)
    scan = RadarScan.from_fields(*np.float32([[10, 1, 2, 0, 0, 0]]).T)
    picture = draw_returns(image, INTRINSICS, [(scan, CAMERA_FROM_RADAR)])
    rows, columns = picture.any(axis=2).nonzero()
    assert (rows.mean(), columns.mean()) == pytest.approx((28, 70), abs=0.5)
    assert np.ptp(columns) == pytest.approx(5, abs=1)
    assert picture[28, 70].tolist() == colorize(np.float32([[10]]))[0, 0].tolist()
    assert not image.any()
    labelled = draw_returns(image, INTRINSICS, [(scan, CAMERA_FROM_RADAR)], labels=True)
    assert (labelled == 255).all(axis=2)[20:36, 74:150].mean() > 0.2, "a label stands to the right of the disc"


def test_speed_is_along_the_line_of_sight():
    """45 degrees to the left at 10 m/s towards the sensor; straight ahead crossing: none."""
    scan = RadarScan.from_fields(*np.float32([[10, 0.0, 0, 0, 0, 7], [10, 5, 0, 0, -4, -2]]).T)
    seen = project_scan(scan, CAMERA_FROM_RADAR, INTRINSICS, 160, 96)
    np.testing.assert_allclose(line_of_sight_speeds(seen, INTRINSICS), [0, -np.hypot(4, 2)], atol=1e-6)


def test_a_scan_without_a_return_in_view_draws_nothing():
    """An empty scan, and one behind the camera: OpenCV would end the process while it colours an empty array."""
    image = np.full((96, 160, 3), 7, np.uint8)
    scans = [np.zeros((0, 6)), np.array([[-10.0, 0, 0, 0, 0, 0]])]
    radars = [(RadarScan.from_fields(*returns.T), CAMERA_FROM_RADAR) for returns in scans]
    np.testing.assert_array_equal(draw_returns(image, INTRINSICS, radars, labels=True), image)


def test_a_legend_stands_at_the_depth_that_it_names():
    scale = DepthScale(80, 2, "log")
    strip = scale_strip(900, scale, 1.0)
    column = strip[:, 20].astype(int)
    colour = colorize(np.float32([[10.0]]), scale)[0, 0].astype(int)
    row = int(np.abs(column - colour).sum(axis=1).argmin())
    darkest = [int(row) for row in np.nonzero((strip[:, 46] == 0).all(axis=1))[0]]  # ticks to the right of the bar
    assert min(abs(row - tick) for tick in darkest) <= 4


def test_the_view_of_a_frame_shows_a_wall_where_it_is_from_above():
    """A wall 40 m ahead is a line in the middle of the view from above, which is as high as the image."""
    image = np.zeros((96, 160, 3), np.uint8)
    depth = np.full((96, 160), 40, np.float32)
    view = frame_view(image, INTRINSICS, [], depth)
    above = view[-96:, 160:320]
    drawn = (above == colorize(np.float32([[40]]))[0, 0]).all(axis=2)
    rows, _ = drawn.nonzero()
    assert rows.min() == pytest.approx(48, abs=1)
    assert np.ptp(rows) <= 1
