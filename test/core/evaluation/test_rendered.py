# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What rendered depth tells beyond errors: the sky, what is taken for far, and edges. Figures counted by hand."""

import numpy as np
import pytest

from lircdepth_core.evaluation.rendered import RenderedFigures, near_edges


def test_sky_and_what_is_taken_for_it_are_counted_over_all_images():
    truth = np.array([[255.0, 255.0, 10.0, 10.0], [20.0, 20.0, 0.0, 10.0]])
    sky = truth > 200
    figures = RenderedFigures()
    figures.add("radar", np.array([[90.0, 79.0, 10.0, 21.0], [39.0, 41.0, 99.0, 10.0]]), truth, sky)
    # One of two pixels of the sky; of five known others, 21 m is more than twice 10 m and 41 m more than twice 20 m.
    assert figures.as_dict()["radar"]["sky_beyond_range"] == 0.5
    assert figures.as_dict()["radar"]["taken_for_far"] == pytest.approx(2 / 5)
    figures.add("radar", np.full((2, 4), 80.0), np.full((2, 4), 255.0), np.ones((2, 4), bool))
    assert figures.as_dict()["radar"]["sky_beyond_range"] == pytest.approx(9 / 10)
    (line,) = figures.lines()
    assert line.startswith("radar: 90.0% of the sky is at 80 m or more, 40.0% of the rest")


def test_edges_are_where_one_thing_hides_another_and_not_where_ground_recedes():
    truth = np.full((20, 30), 10.0)
    truth[:, 15:] = 14.0
    near = near_edges(truth)
    # Three pixels on each side of the step between the columns 14 and 15.
    assert np.flatnonzero(near.all(0)).tolist() == [12, 13, 14, 15, 16, 17]
    assert near.sum() == 6 * 20
    ground = np.repeat(100 / np.arange(10.0, 30.0)[:, None], 30, axis=1)
    assert not near_edges(ground).any()
    sky = np.full((20, 30), np.inf)
    sky[12:] = 10.0
    assert np.flatnonzero(near_edges(sky).all(1)).tolist() == [9, 10, 11, 12, 13, 14]


def test_the_error_at_edges_is_a_mean_over_images_of_what_is_in_range():
    truth = np.full((8, 20), 10.0)
    truth[:, 10:] = 255.0
    sky, depth = truth > 200, np.full((8, 20), 10.5)
    depth[:, 7:10] = 12.0  # the three columns beside the edge
    figures = RenderedFigures()
    figures.add("radar", depth, truth, sky)
    figures.add("radar", truth, truth, sky)
    assert figures.as_dict()["radar"]["edge_mae"] == pytest.approx(1.0)  # of 2 m and 0 m


def test_what_lidar_labels_and_what_it_does_not_have_errors_of_their_own():
    truth = np.array([[10.0, 10.0, 20.0, 255.0]])
    labelled = np.array([[True, False, False, True]])
    figures = RenderedFigures()
    figures.add("radar", np.array([[11.0, 13.0, 25.0, 50.0]]), truth, truth > 200, labelled)
    found = figures.as_dict()["radar"]
    assert (found["labelled_mae"], found["unlabelled_mae"]) == (1.0, 4.0)  # the sky is neither
    (line,) = figures.lines()
    assert line.endswith("MAE 1.000 m where lidar has a label and 4.000 m where it has none")
    without = RenderedFigures()
    without.add("radar", truth, truth, truth > 200)
    assert "labelled_mae" not in without.as_dict()["radar"]
