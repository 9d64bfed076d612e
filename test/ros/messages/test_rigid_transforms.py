# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Poses and transforms of messages to matrices."""

from types import SimpleNamespace

import numpy as np
import pytest

from lircdepth_ros.messages.rigid_transforms import pose_to_matrix, transform_to_matrix

AHEAD = SimpleNamespace(x=1.0, y=2.0, z=3.0)
LEFT = SimpleNamespace(w=np.sqrt(0.5), x=0.0, y=0.0, z=np.sqrt(0.5))  # a quarter turn about z: x becomes y
MATRIX = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]


def test_a_pose_and_a_transform_of_the_same_numbers_are_the_same_matrix():
    pose = pose_to_matrix(SimpleNamespace(position=AHEAD, orientation=LEFT))
    transform = transform_to_matrix(SimpleNamespace(translation=AHEAD, rotation=LEFT))
    np.testing.assert_allclose(pose, MATRIX, atol=1e-12)
    np.testing.assert_array_equal(transform, pose)


def test_a_quaternion_of_zeros_is_refused():
    """It is what a message holds in which nobody set the orientation."""
    with pytest.raises(ValueError, match="quaternion"):
        pose_to_matrix(SimpleNamespace(position=AHEAD, orientation=SimpleNamespace(w=0.0, x=0.0, y=0.0, z=0.0)))
