# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radar, lidar and visibility on worlds of a few known bodies."""

import math

import numpy as np
import pytest

from lircdepth_core import radar, synthetic
from lircdepth_core.synthetic.render.visibility import visible_share
from lircdepth_core.synthetic.sensors.lidar import lidar_echoes, lidar_scan
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.sensors.scan_images import accumulated_lidar_depth, lidar_depth
from lircdepth_core.synthetic.sensors.scanning import bearings
from synthetic_scenes import bodies

RANGE_NOISE = 0.02  # metres, the lidar's standard deviation


def test_radar_speeds_are_relative_along_the_line_of_sight_and_compensated_to_speed_over_ground():
    # Radar at (3.41, -1.55) from the ego's start. Boxes: fixed ahead, fixed 30 degrees to the left, one that drives
    # off at 14 m/s.
    fixed, aside, leaving = (33.41, -1.55, 0.0), (33.41, 15.77, 0.0), (53.41, -8.55, 14.0)
    world = bodies(fixed, aside, leaving)
    places = [(x - 3.41, y + 1.55) for x, y, _ in (fixed, aside, leaving)]  # seen from the radar
    model = synthetic.RadarModel(clutter=0, ghosts=0, range_noise=0, azimuth_noise=0, speed_noise=0)
    found = set()
    for turn in range(8):
        for r in radar_scan(world, model, 0.0, np.random.default_rng(turn)):
            sight = np.array([r["x"], r["y"]], dtype=np.float64) / np.hypot(r["x"], r["y"])
            target = min(range(3), key=lambda k: math.hypot(r["x"] - places[k][0], r["y"] - places[k][1]))
            found.add(target)
            over_ground = 14 * sight[0] if target == 2 else 0.0
            radial = sight @ [r["vx"], r["vy"]]
            # Quantised to 0.25 m/s; the position that gives the line of sight to 0.2 m.
            assert radial == pytest.approx(over_ground - 10 * sight[0], abs=0.2)
            assert sight @ [r["vx_comp"], r["vy_comp"]] == pytest.approx(over_ground, abs=0.1)
            assert r["dyn_prop"] in ((0, 4) if target == 2 else (1, 3, 4, 5, 7))  # 4: not known yet
    assert found == {0, 1, 2}


def test_radar_returns_lie_on_the_near_face_of_what_they_hit():
    world = bodies((23.41, -1.55, 0.0))
    returns = radar_scan(world, synthetic.RadarModel(clutter=0, ghosts=0), 0.0, np.random.default_rng(0))
    assert len(returns) >= 1
    assert np.abs(returns["x"] - 19.0).max() < 1.0  # 20 m less half the box; 0.15 m noise
    assert np.abs(returns["y"]).max() < 1.0 + 1.0
    empty = radar_scan(
        bodies((-50.0, 0.0, 0.0)), synthetic.RadarModel(clutter=0, ghosts=0), 0.0, np.random.default_rng(0)
    )
    assert len(radar.decode_pcd(radar.encode_pcd(empty))) == 0


def test_visibility_is_the_share_of_what_faces_the_eye_that_nothing_hides():
    # The second box stands 1 m behind the first, seen from straight ahead: hidden but for what perspective shows of
    # it (its upper edge, since the eye is higher than the first box). The third stands free.
    world = bodies((10.0, 0.0, 0.0), (13.0, 0.0, 0.0), (10.0, 30.0, 0.0))
    share = visible_share(world, np.arange(3), 0.0, np.array([1060.0, 1000.0, 1.5]))
    assert share[0] == 1
    assert share[1] == 0
    assert share[2] == 1


def test_lidar_points_are_in_range_with_a_ring_each_and_noise_of_two_centimetres():
    world = bodies((-5000.0, 0.0, 0.0))
    points = lidar_scan(world, synthetic.LidarModel(), 0.0, np.random.default_rng(0)).points
    assert points.dtype == np.float32
    # An empty plane: beams that look down meet it, at height / sin(elevation) and below 100 m.
    elevation = np.radians(synthetic.LidarModel().elevations)
    expected = 1.84 / np.sin(-elevation, where=elevation < 0, out=np.full(32, -1.0))
    rings = np.flatnonzero((expected > 0) & (expected < 100))
    assert sorted(set(points[:, 4].astype(int))) == rings.tolist()
    for ring in rings[::4]:
        ranges = np.linalg.norm(points[points[:, 4] == ring, :3].astype(np.float64), axis=1)
        assert np.mean(ranges) == pytest.approx(expected[ring], abs=0.01)
        assert np.std(ranges) == pytest.approx(RANGE_NOISE, rel=0.15)


def test_scan_lines_keep_nuscenes_axes_with_y_forward_for_the_lidar():
    world = bodies((20.0, -1.55, 0.0))
    points = lidar_scan(world, synthetic.LidarModel(), 0.0, np.random.default_rng(0)).points
    ahead = points[(np.abs(points[:, 0]) < 0.9) & (points[:, 1] > 10) & (np.abs(points[:, 2]) < 1.0)]
    assert np.median(ahead[:, 1]) == pytest.approx(20 - 1 - 0.94, abs=0.05)


def heaps(count, seed=0):
    """Yield ``count`` numbers, before each of which the heap's free blocks have changed."""
    random, kept = np.random.default_rng(seed), []
    for number in range(count):
        kept.append(np.empty(random.integers(1, 4000)))
        if len(kept) > 50:
            kept.pop(random.integers(50))
        yield number


def test_bearings_do_not_depend_on_where_their_buffers_lie():
    """NumPy's arctan2 of two columns gives other last bits where its result is allocated right behind them."""
    points = np.random.default_rng(1).uniform((1, -60, -3), (100, 60, 3), (903, 3))
    expected = bearings(points)
    for _ in heaps(3000):
        fresh = points * 1.0
        np.testing.assert_array_equal(bearings(fresh), expected)
    np.testing.assert_allclose(expected, np.angle(points[:, 0] + 1j * points[:, 1]), rtol=1e-15)


def test_a_radar_scan_is_the_same_to_the_byte_wherever_its_buffers_lie():
    """The rays at 9 degrees lie on the border of two resolutions: their last bit decides how many cells there are, and
    with it which random numbers each return is given. Whatever changes that bit changes the whole scan.
    """
    world, model = synthetic.build_world((5, 0)), synthetic.RadarModel()
    scans = {radar_scan(world, model, 0.2, np.random.default_rng(2)).tobytes() for _ in heaps(40)}
    assert len(scans) == 1


def test_accumulated_depth_leaves_out_what_moves_and_keeps_what_stands():
    # Two boxes ahead, 18 m away: the left one stands, the right one drives beside the ego vehicle at its speed.
    world = bodies((20.0, 2.5, 0.0), (20.0, -4.5, 10.0))
    camera, lidar = synthetic.CameraModel().resized(320, 180), synthetic.LidarModel()
    generator = np.random.default_rng(0)
    single = lidar_depth(world, camera, 0.3, lidar, 0.3, generator)
    many = accumulated_lidar_depth(world, camera, 0.3, lidar, (-0.1, 0.0, 0.1), generator, pose_noise=(0, 0))
    ahead = np.array([20.0 - 1 - 1.7 - 3.0, 20.0 - 1 - 1.7])  # depth of the front faces: the ego vehicle has moved 3 m
    left, right = np.s_[60:110, :160], np.s_[60:110, 160:]
    assert (np.abs(single[left] - ahead[0]) < 0.15).sum() > 20
    assert (np.abs(single[right] - ahead[1]) < 0.15).sum() > 20
    assert (np.abs(many[left] - ahead[0]) < 0.15).sum() > 40
    assert (np.abs(many[right] - ahead[1]) < 0.15).sum() <= 2


def test_turns_together_are_those_that_are_taken_one_by_one():
    world = synthetic.build_world(4)
    lidar, times = synthetic.LidarModel(), (2.0, 2.6, 9.1)
    together = lidar_echoes(world, lidar, times, field=(0.4, 0.7))
    assert len({len(turn.distance) for turn in together}) == 3  # other streets, not one of them thrice
    for turn, time in zip(together, times, strict=True):
        [alone] = lidar_echoes(world, lidar, [time], field=(0.4, 0.7))
        for name, expected in vars(alone).items():
            np.testing.assert_array_equal(vars(turn)[name], expected, err_msg=name)
        assert (turn.actor >= 0).any()
        assert (turn.actor < 0).any()
    assert lidar_echoes(world, lidar, []) == []
