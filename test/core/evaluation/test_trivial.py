# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Guesses without a network."""

import numpy as np
import pytest

from lircdepth_core import synthetic
from lircdepth_core.evaluation import trivial


def test_trivial_guesses_are_what_they_say():
    camera = synthetic.CameraModel()
    plane = trivial.ground_plane(camera, None, None)
    # A point on the ground 20 m ahead of the camera, which is 1.51 m up, is at row cy + fy * 1.51 / 20.
    row = camera.cy + camera.fy * 1.51 / 20
    assert plane[round(row), 0] == pytest.approx(20.0, rel=0.01)
    assert plane[0, 0] == 80.0
    returns = np.array([[100.0, 500.0], [104.0, 510.0], [104.0, 520.0]]), np.array([30.0, 50.0, 40.0])
    nearest = trivial.nearest_return(camera, returns, 12.0)
    assert nearest[0, [0, 101, 103, 1599]].tolist() == [30.0, 30.0, 40.0, 40.0]
    assert (trivial.nearest_return(camera, (np.zeros((0, 2)), np.zeros(0)), 12.0) == 12.0).all()
