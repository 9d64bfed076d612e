# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Varied cameras: what they may be, which radars see what they see, and what their pictures go through."""

import numpy as np
import pytest
import torch

from lircdepth_core.synthetic.sensors.rig import CAMERAS
from lircdepth_core.synthetic.sensors.varied_camera import (
    draw_camera,
    is_usable,
    moved_aside,
    photograph,
    radars_seeing,
)


def bearing(camera):
    """Degrees to the left of straight ahead of where a camera looks."""
    x, y, _ = np.array(camera.ego_from_sensor)[:3, 2]
    return np.degrees(np.arctan2(y, x))


def test_cameras_are_drawn_from_all_six_mountings_with_the_stated_spreads():
    cameras = [draw_camera(np.random.default_rng(seed)) for seed in range(600)]
    assert {camera.channel for camera in cameras} == {camera.channel for camera in CAMERAS}
    assert np.mean([camera.channel == "CAM_FRONT" for camera in cameras]) == pytest.approx(0.45, abs=0.06)
    heights = [camera.ego_from_sensor[2][3] for camera in cameras]
    assert min(heights) > 1.0
    assert max(heights) < 2.4
    assert np.std(heights) > 0.3
    assert {camera.size for camera in cameras} == {(225, 400)}
    focal = np.array([camera.fx for camera in cameras])
    assert focal.mean() == pytest.approx(316.6, rel=0.005)
    assert 0.015 < focal.std() / 316.6 < 0.025
    pitch = [np.degrees(np.arcsin(camera.ego_from_sensor[2][2])) for camera in cameras]
    assert 2.0 < np.std(pitch) < 5.0
    nominal = {camera.channel: bearing(camera) for camera in CAMERAS}
    off = [(bearing(camera) - nominal[camera.channel] + 180) % 360 - 180 for camera in cameras]
    assert np.mean(off) == pytest.approx(0.0, abs=1.0)
    assert 4.5 < np.std(off) < 7.5


def test_a_camera_of_another_vehicle_looks_where_it_is_told():
    cameras = [draw_camera(np.random.default_rng(seed), bearings=((82.0, 3.0), (-150.0, 1.0))) for seed in range(200)]
    left = np.array([bearing(camera) > 0 for camera in cameras])
    assert left.mean() == pytest.approx(0.75, abs=0.1)
    assert np.median([bearing(camera) for camera in cameras if bearing(camera) > 0]) == pytest.approx(82, abs=2)


def test_a_camera_is_read_with_the_radars_that_look_its_way():
    names = {camera.channel: {radar.channel for radar in radars_seeing(camera)} for camera in CAMERAS}
    assert names["CAM_FRONT"] == {"RADAR_FRONT"}
    # Its picture is 89 degrees wide: the radars at the sides see its margins.
    assert names["CAM_BACK"] == {"RADAR_BACK_LEFT", "RADAR_BACK_RIGHT", "RADAR_FRONT_LEFT", "RADAR_FRONT_RIGHT"}
    # 55 degrees to the left: within 92 degrees (60 of the radar, 32 of the picture) of ahead and of the left.
    assert names["CAM_FRONT_LEFT"] == {"RADAR_FRONT", "RADAR_FRONT_LEFT"}
    assert names["CAM_BACK_RIGHT"] == {"RADAR_FRONT_RIGHT", "RADAR_BACK_RIGHT", "RADAR_BACK_LEFT"}
    moved = radars_seeing(moved_aside(CAMERAS[0], 1.5), 1.5)[0]
    assert moved.ego_from_sensor[1][3] == 1.5


def test_a_view_that_something_close_hides_is_not_used():
    depth = torch.full((10, 20), 8.0)
    assert is_usable(depth)
    depth[:3] = 0.5
    assert not is_usable(depth)
    assert not is_usable(torch.full((10, 20), 1.0))
    assert is_usable(torch.full((10, 20), torch.inf))


def test_a_photograph_is_the_picture_with_blur_and_compression():
    rows, columns = np.mgrid[:64, :96]
    picture = np.stack([128 + 90 * np.sin(columns / 9), 120 + 80 * np.cos(rows / 7), 60 + columns], 2).astype(np.uint8)
    taken = [photograph(picture, np.random.default_rng(seed), 60) for seed in range(12)]
    assert all(image.shape == picture.shape and image.dtype == np.uint8 for image in taken)
    errors = [np.abs(image.astype(int) - picture).mean() for image in taken]
    assert min(errors) > 0
    assert max(errors) < 8
    again = photograph(picture, np.random.default_rng(3), 60)
    np.testing.assert_array_equal(again, taken[3])
