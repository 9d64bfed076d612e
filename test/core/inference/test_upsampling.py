# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth is enlarged on its own surface, and the surface's edge comes to lie where the picture has it."""

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.upsampling import upsample

DARK, LIGHT = 30, 200


def pictures(edge, shape=(8, 16), divisor=4):
    """A picture that is dark left of column ``edge`` and light from there on, and its means over divisor x divisor."""
    guide = np.full((*shape, 3), LIGHT, np.uint8)
    guide[:, :edge] = DARK
    small = guide.reshape(shape[0] // divisor, divisor, shape[1] // divisor, divisor, 3).mean(axis=(1, 3))
    return guide, small.astype(np.uint8)


def test_nearest_repeats_each_depth():
    depth = np.array([[1.0, np.nan], [np.inf, 4.0]], np.float32)
    np.testing.assert_array_equal(upsample(depth, (4, 4)), depth.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("edge", [5, 6, 7, 8, 9, 10])
def test_the_edge_comes_to_lie_where_the_picture_has_it(edge):
    """The samples' centres are at 1.5, 5.5, 9.5, 13.5: the nearest sample alone would put the edge at 8."""
    guide, small = pictures(edge)
    depth = np.where(np.arange(4) < 2, 10.0, 40.0).astype(np.float32)[None].repeat(2, axis=0)
    small[:, :2], small[:, 2:] = DARK, LIGHT  # the samples' own colours: those of the surface that they measured
    expected = np.where(np.arange(16) < edge, 10.0, 40.0)
    # In columns 6 to 9 both surfaces are among the neighbours; further out a pixel has those of one side alone.
    np.testing.assert_allclose(upsample(depth, (8, 16), "edge_aware", guide, small)[:, 6:10], [expected[6:10]] * 8)


def test_no_depth_arises_that_lies_between_two_surfaces():
    """This holds also where colours are equal, as for a grey car before a grey wall."""
    guide, small = pictures(0)
    depth = np.where(np.arange(4) < 2, 10.0, 40.0).astype(np.float32)[None].repeat(2, axis=0)
    noise = np.random.default_rng(0).integers(0, 256, guide.shape, dtype=np.uint8)
    for picture in (guide, noise):
        assert set(np.unique(upsample(depth, (8, 16), "edge_aware", picture, small).round(4))) == {10.0, 40.0}


def test_a_slope_stays_a_slope():
    """Between the outer samples' centres a plane is exact, where nearest makes steps."""
    guide, small = pictures(0, (16, 16))
    position = np.arange(16)
    plane = np.broadcast_to(20.0 + 0.1 * position, (16, 16))
    depth = np.broadcast_to(20.0 + 0.1 * (4 * np.arange(4) + 1.5), (4, 4)).astype(np.float32)
    result = upsample(depth, (16, 16), "edge_aware", guide, small)
    np.testing.assert_allclose(result[:, 2:14], plane[:, 2:14], atol=1e-4)


def test_unknown_and_out_of_range_stay_what_they_are():
    guide, small = pictures(0)
    depth = np.full((2, 4), 10.0, np.float32)
    depth[0, 0], depth[:, 3] = np.nan, np.inf
    result = upsample(depth, (8, 16), "edge_aware", guide, small)
    nearest = upsample(depth, (8, 16))
    np.testing.assert_array_equal(np.isnan(result), np.isnan(nearest))
    assert set(np.unique(result[~np.isnan(result)].round(4))) == {10.0, np.inf}
    assert np.isinf(result[:, 14:]).all()
    assert np.isnan(upsample(depth * np.nan, (8, 16), "edge_aware", guide, small)).all()


@pytest.mark.parametrize("shape", [(9, 14), (7, 7), (33, 64)])
def test_sizes_need_not_be_multiples(shape):
    random = np.random.default_rng(1)
    depth = random.uniform(5, 80, (3, 5)).astype(np.float32)
    guide = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    small = random.integers(0, 256, (3, 5, 3), dtype=np.uint8)
    result = upsample(depth, shape, "edge_aware", guide, small)
    assert result.shape == shape
    assert depth.min() - 1e-3 <= result.min() <= result.max() <= depth.max() + 1e-3


def test_another_method_or_a_picture_of_another_size_is_refused():
    depth, guide = np.ones((2, 4), np.float32), np.zeros((8, 16, 3), np.uint8)
    with pytest.raises(LircDepthError, match="upsampling is 'cubic', expected one of nearest, edge_aware"):
        upsample(depth, (8, 16), "cubic")
    with pytest.raises(LircDepthError, match=r"guides are \(8, 16, 3\) and \(\)"):
        upsample(depth, (8, 16), "edge_aware", guide)
