# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms, projection and trajectories against hand computations."""

import numpy as np
import pytest

from lircdepth_core import geometry
from lircdepth_core.geometry.trajectory import Trajectory

MILLISECOND = 1_000_000


def turn(degrees, x=0.0, y=0.0):
    """A pose turned about the vertical axis."""
    half = np.radians(degrees) / 2
    return geometry.rigid_transform((x, y, 0.0), (np.cos(half), 0.0, 0.0, np.sin(half)))


def test_a_quarter_turn_to_the_left_takes_forward_to_left():
    np.testing.assert_allclose(
        geometry.transform_points(turn(90, x=5.0), [[1.0, 0.0, 2.0]]), [[5.0, 1.0, 2.0]], atol=1e-12
    )


def test_rotation_and_quaternion_are_inverse_at_every_angle():
    rng = np.random.default_rng(0)
    quaternions = rng.standard_normal((500, 4))
    # Half turns, where a component is zero, are the hard ones.
    quaternions = np.concatenate([quaternions, np.eye(4), [[1e-9, 1, 0, 0], [0, 1, 1, 0], [1e-12, 0, 1, 1]]])
    for quaternion in quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True):
        found = geometry.quaternion_from_transform(geometry.rigid_transform((0, 0, 0), quaternion))
        assert abs(found @ quaternion) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 0), (2, 0, 0, 0), (np.nan, 0, 0, 1), (1, 0, 0)])
def test_what_is_no_rotation_is_refused(quaternion):
    with pytest.raises(ValueError, match="unit quaternion"):
        geometry.rigid_transform((0, 0, 0), quaternion)
    with pytest.raises(ValueError, match="finite"):
        geometry.rigid_transform((0, np.inf, 0), (1, 0, 0, 0))


def test_inverse_undoes_a_transform():
    transform = turn(33, 400.0, 1100.0)
    np.testing.assert_allclose(geometry.invert(transform) @ transform, np.eye(4), atol=1e-9)


def test_interpolation_is_half_way_and_takes_the_short_way_round():
    middle = geometry.interpolate(turn(170, 0.0), turn(-170, 2.0), 0.5)
    np.testing.assert_allclose(middle, turn(180, 1.0), atol=1e-12)
    np.testing.assert_allclose(geometry.interpolate(turn(0), turn(10, 1.0), 1.5), turn(15, 1.5), atol=1e-12)


def test_projection_is_that_of_a_pinhole_camera():
    intrinsics = [[1000.0, 0.0, 800.0], [0.0, 1100.0, 450.0], [0.0, 0.0, 1.0]]
    pixels, depth = geometry.project([[1.0, -0.5, 10.0], [0.0, 0.0, -5.0], [0.0, 0.0, 0.0]], intrinsics)
    np.testing.assert_allclose(pixels[0], [900.0, 395.0])
    assert np.isnan(pixels[1:]).all(), "a point behind the camera has no pixel"
    np.testing.assert_allclose(depth, [10.0, -5.0, 0.0])


def test_an_image_sees_what_lies_strictly_inside_its_border_and_beyond_a_metre():
    pixels = np.array(
        [[1.0, 50.0], [1.01, 50.0], [98.99, 50.0], [99.0, 50.0], [50.0, 1.0], [50.0, 79.0], [50, 50], [50, 50]]
    )
    depth = np.array([5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0, 1.01])
    seen = geometry.visible(pixels, depth, width=100, height=80)
    assert seen.tolist() == [False, True, True, False, False, False, False, True]


def test_the_nearest_point_wins_a_pixel_and_pixels_round_half_to_even():
    intrinsics = [[100.0, 0, 50], [0, 100.0, 50], [0, 0, 1]]
    points = np.array([[0.0, 0, 10], [0, 0, 5], [0, 0, 20], [0.05, 0, 10], [0.15, 0.0, 10], [0, 0, 0.5], [-60, 0, 10]])
    depth = geometry.splat_depth(*geometry.project(points, intrinsics), 100, 100)
    assert depth[50, 50] == 5.0  # u = 50.5 of the fourth point goes to 50, and is farther
    assert depth[50, 52] == 10.0  # 51.5 goes to 52
    assert (depth > 0).sum() == 2


def test_both_ways_to_draw_points_are_one_rule_written_down_point_by_point():
    """Radar and lidar would otherwise fall on different pixels. Positions are on halves and depths repeat."""
    rng = np.random.default_rng(0)
    width, height = 12, 9
    for count in (0, 1, 300):
        pixels = np.round(rng.uniform((1.1, 1.1), (width - 1.1, height - 1.1), (count, 2)) * 2) / 2
        pixels = pixels.clip(1.5, (width - 1.5, height - 1.5))
        depth = np.round(rng.uniform(2, 9, count), 1)
        winner = {}
        for i, ((u, v), z) in enumerate(zip(pixels.tolist(), depth.tolist(), strict=True)):
            place = round(v) * width + round(u)  # Python's round takes halves to even, too
            if place not in winner or z <= depth[winner[place]]:
                winner[place] = i
        places, indices = geometry.nearest_points(pixels, depth, width)
        assert dict(zip(places.tolist(), indices.tolist(), strict=True)) == winner
        assert places.tolist() == sorted(winner)
        expected = np.zeros(width * height, np.float32)
        expected[places] = depth[indices]
        assert np.array_equal(geometry.splat_depth(pixels, depth, width, height).ravel(), expected)


def test_ego_motion_between_two_sensors_moves_a_static_point():
    """The vehicle drives 2 m between radar and camera: a point 10 m ahead of the radar is 8 m ahead of the camera."""
    mounting = np.eye(4)
    transform = geometry.sensor_to_sensor(mounting, mounting, turn(0, 1002.0), turn(0, 1000.0))
    np.testing.assert_allclose(geometry.transform_points(transform, [[10.0, 1.0, 0.0]]), [[8.0, 1.0, 0.0]])
    standing = geometry.sensor_to_sensor(mounting, turn(90, 3.0))
    np.testing.assert_allclose(geometry.transform_points(standing, [[1.0, 0.0, 0.0]]), [[3.0, 1.0, 0.0]], atol=1e-12)


def test_a_trajectory_interpolates_extrapolates_a_little_and_no_more():
    trajectory = Trajectory(max_extrapolation=100 * MILLISECOND, max_gap=500 * MILLISECOND)
    assert trajectory.pose_at(0) is None
    for i in range(3):
        trajectory.add(i * 100 * MILLISECOND, turn(0, float(i)))
    assert trajectory.pose_at(150 * MILLISECOND)[0, 3] == pytest.approx(1.5)
    assert trajectory.pose_at(200 * MILLISECOND)[0, 3] == 2.0
    assert trajectory.pose_at(250 * MILLISECOND)[0, 3] == pytest.approx(2.5)
    assert trajectory.pose_at(301 * MILLISECOND) is None
    assert trajectory.pose_at(-1) is None
    assert trajectory.covers(150 * MILLISECOND)
    assert not trajectory.covers(250 * MILLISECOND)
    trajectory.add(2000 * MILLISECOND, turn(0, 20.0))
    assert trajectory.pose_at(1000 * MILLISECOND) is None, "across a long gap nothing is known"


def test_a_trajectory_forgets_the_future_when_time_goes_back():
    trajectory = Trajectory()
    for stamp, x in ((0, 0.0), (100, 1.0), (200, 2.0), (50, 50.0)):
        trajectory.add(stamp * MILLISECOND, turn(0, x))
    assert len(trajectory) == 2
    assert trajectory.pose_at(50 * MILLISECOND)[0, 3] == 50.0


def test_a_pose_that_comes_a_little_late_takes_its_place_among_the_others():
    trajectory = Trajectory()
    for stamp, x in ((0, 0.0), (100, 1.0), (50, 0.9), (100, 2.0)):
        trajectory.add(stamp * MILLISECOND, turn(0, x))
    assert len(trajectory) == 3
    assert trajectory.pose_at(75 * MILLISECOND)[0, 3] == pytest.approx(1.45)
    assert trajectory.pose_at(100 * MILLISECOND)[0, 3] == 2.0, "of two poses with one stamp the later one counts"


def test_noise_between_two_poses_close_in_time_is_not_taken_for_speed():
    """At 10 m/s, with 1 mm of noise between poses 10 us apart: 100 ms later the vehicle is 1 m on, not 10 m more."""
    trajectory = Trajectory()
    for stamp, x in ((0, 0.0), (50_000, 0.5), (100_000, 1.0), (100_010, 1.001)):
        trajectory.add(stamp * 1000, turn(0, x))
    assert trajectory.pose_at(200_000 * 1000)[0, 3] == pytest.approx(2.0, abs=0.01)
    close = Trajectory()
    for stamp, x in ((0, 0.0), (10, 0.001)):
        close.add(stamp * 1000, turn(0, x))
    assert close.pose_at(5000)[0, 3] == pytest.approx(0.0005), "between two poses there is nothing to extrapolate"
    assert close.pose_at(100_000_000) is None, "no speed is known yet"


def test_a_trajectory_is_bounded():
    trajectory = Trajectory(capacity=100)
    for stamp in range(1000):
        trajectory.add(stamp, np.eye(4))
        assert len(trajectory) <= 100
    assert trajectory.covers(999)
