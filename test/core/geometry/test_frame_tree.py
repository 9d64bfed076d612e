# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A tree of frames over time answers as tf2 does, by transforms worked out by hand."""

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.frame_tree import FrameTree

MS = 1_000_000


def shift(x, y=0.0):
    transform = np.eye(4)
    transform[:2, 3] = x, y
    return transform


def quarter_turn():
    """Of the child by 90 degrees to the left: its x axis is the parent's y axis."""
    transform = np.eye(4)
    transform[:2, :2] = [[0, -1], [1, 0]]
    return transform


def vehicle(root="base_link"):
    tree = FrameTree()
    tree.add_static(root, "camera", shift(2.0))
    tree.add_static(root, "bumper", shift(3.0))
    tree.add_static("bumper", "radar", shift(0.5))
    return tree


CHAINS = {
    "odom alone": [("odom", "base_link")],
    "map alone": [("map", "base_link")],
    "odom under map": [("map", "odom"), ("odom", "base_link")],
    "a footprint between": [("map", "odom"), ("odom", "base_footprint"), ("base_footprint", "base_link")],
    "slashes before the names": [("/map", "/base_link")],
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_at_20_m_per_s_a_radar_50_ms_late_is_one_metre_further_on_whatever_the_chain(chain):
    tree = vehicle()
    *upper, (parent, child) = chain
    for link in upper:
        tree.add_static(*link, shift(100.0))
    for i in range(4):
        tree.add(parent, child, i * 100 * MS, shift(2.0 * i))
    expected = "odom" if "odom" in chain[-2:][0] + chain[-1] else "map"
    assert tree.fixed_frame("camera", "radar") == expected
    for fixed in {chain[0][0], parent, expected}:
        transform, moved = tree.sensor_to_sensor("camera", 100 * MS, "/radar", 150 * MS, fixed)
        assert moved
        np.testing.assert_allclose(transform, shift(3.5 - 2.0 + 1.0), atol=1e-12)


def test_the_vehicles_own_frame_need_not_be_base_link():
    tree = vehicle("ego_vehicle")
    for i in range(2):
        tree.add("world", "ego_vehicle", i * 100 * MS, shift(10.0 * i))
    transform, moved = tree.sensor_to_sensor("camera", 0, "radar", 50 * MS, tree.fixed_frame("camera", "radar"))
    assert moved
    np.testing.assert_allclose(transform, shift(1.5 + 5.0), atol=1e-12)


def test_a_turn_and_a_joint_between_vehicle_and_sensor_count_at_their_own_times():
    tree = FrameTree()
    tree.add_static("base_link", "radar", shift(1.0))
    for stamp, joint in ((0, np.eye(4)), (100 * MS, quarter_turn())):
        tree.add("base_link", "camera", stamp, joint)
        tree.add("odom", "base_link", stamp, shift(0.0))
    transform, moved = tree.sensor_to_sensor("camera", 100 * MS, "radar", 0, "odom")
    assert moved
    np.testing.assert_allclose(transform @ [0, 0, 0, 1], [0, -1, 0, 1], atol=1e-12)


@pytest.mark.parametrize("fixed", [None, "odom", "map"])
def test_without_motion_the_mounting_is_used_and_the_result_says_so(fixed):
    tree = vehicle()
    if fixed == "map":
        tree.add("odom", "base_link", 0, shift(0.0))
    transform, moved = tree.sensor_to_sensor("camera", 0, "radar", 50 * MS, fixed)
    assert not moved
    np.testing.assert_array_equal(transform, shift(1.5))
    assert tree.fixed_frame("camera", "radar") == ("odom" if fixed == "map" else None)


def test_a_joint_that_moves_below_the_vehicle_is_not_taken_for_the_vehicles_motion():
    tree = FrameTree()
    tree.add_static("base_link", "radar", shift(1.0))
    tree.add("base_link", "camera", 0, shift(2.0))
    assert tree.fixed_frame("camera", "radar") is None
    tree.add_static("map", "base_link", shift(5.0))
    assert tree.fixed_frame("camera", "radar") is None, "nothing above the vehicle moves"


def test_a_pose_long_after_the_last_one_is_not_known():
    tree = vehicle()
    for i in range(3):
        tree.add("odom", "base_link", i * 100 * MS, shift(2.0 * i))
    assert tree.covers("camera", "odom", 200 * MS)
    assert not tree.covers("camera", "odom", 201 * MS)
    assert tree.sensor_to_sensor("camera", 250 * MS, "radar", 300 * MS, "odom")[1], "extrapolated a little"
    assert not tree.sensor_to_sensor("camera", 250 * MS, "radar", 301 * MS, "odom")[1]
    tree.forget_after(100 * MS)
    assert not tree.covers("camera", "odom", 101 * MS)


def test_a_frame_that_gets_another_parent_starts_anew():
    tree = FrameTree()
    tree.add("a", "c", 0, shift(1.0))
    tree.add("b", "c", 100 * MS, shift(2.0))
    assert tree.ancestors("c") == ["c", "b"]
    assert tree.lookup("b", "c", 0) is None
    tree.add_static("a", "c", shift(3.0))
    np.testing.assert_array_equal(tree.lookup("a", "c", 5), shift(3.0))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("lidar", "no transform leads to frame 'lidar'; known: base_link, bumper, camera, other, radar, table"),
        ("other", "'camera' and 'other' are in two trees, whose roots are 'base_link' and 'table'"),
    ],
)
def test_a_frame_that_hangs_nowhere_is_named(source, words):
    tree = vehicle()
    tree.add_static("table", "other", shift(0.0))
    with pytest.raises(LircDepthError, match=words):
        tree.sensor_to_sensor("camera", 0, source, 0, None)


def test_a_circle_of_frames_ends():
    tree = FrameTree()
    tree.add_static("a", "b", shift(1.0))
    tree.add_static("b", "a", shift(1.0))
    assert tree.ancestors("a") == ["a", "b"]
