# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A camera of the street: normals that fit its depth, crops and other sizes of one picture."""

import numpy as np

from lircdepth_core import synthetic
from lircdepth_core.synthetic.sensors.camera import camera_frame


def test_normals_are_perpendicular_to_the_surface_that_the_depth_shows():
    """Where depth is smooth, the cross product of its differences is the normal: another way to the same thing."""
    world = synthetic.build_world(3, weather_name="clear")
    camera = synthetic.CameraModel().resized(400, 225)
    frame = camera_frame(world, camera, 2.0).numpy()
    pose = world.ego_pose(2.0) @ np.array(camera.ego_from_sensor)
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = np.stack([(columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy, np.ones(rows.shape)], -1)
    points = rays @ pose[:3, :3].T * np.where(np.isfinite(frame.depth), frame.depth, 0)[..., None]
    found = np.cross(points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1])
    found /= np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)
    normal = frame.normal[1:-1, 1:-1]
    flat = np.ones(normal.shape[:2], dtype=bool)
    for i in (0, 1, 2):
        for j in (0, 1, 2):
            flat &= (frame.normal[i : i + 223, j : j + 398] * normal).sum(-1) > 0.9999
            flat &= frame.actor[i : i + 223, j : j + 398] == frame.actor[1:-1, 1:-1]
            with np.errstate(invalid="ignore"):  # the sky's depth is infinite
                flat &= np.abs(frame.depth[i : i + 223, j : j + 398] / frame.depth[1:-1, 1:-1] - 1) < 0.03
    assert flat.mean() > 0.2
    assert np.median(np.abs((found * normal).sum(-1))[flat]) > 0.9999
    assert (np.abs((found * normal).sum(-1))[flat] > 0.99).mean() > 0.97


def test_a_resized_camera_takes_the_same_picture_and_a_crop_a_part_of_it():
    world = synthetic.build_world(3)
    nominal = synthetic.CameraModel().resized(800, 448)
    half = camera_frame(world, nominal.resized(400, 224), 1.0, noise=False).numpy()
    full = camera_frame(world, nominal, 1.0, noise=False).numpy()
    # The centre of a half-size pixel lies between four full-size ones.
    means = full.image.reshape(224, 2, 400, 2, 3).astype(float).mean((1, 3))
    assert np.median(np.abs(means - half.image)) <= 2
    corners = full.depth.reshape(224, 2, 400, 2)
    within = (half.depth >= corners.min((1, 3)) - 1e-3) & (half.depth <= corners.max((1, 3)) + 1e-3)
    assert within.mean() > 0.97  # the rest: thin things between the four
    crop = camera_frame(world, nominal.cropped(96, 160, 320, 128), 1.0, noise=False).numpy()
    np.testing.assert_array_equal(crop.depth, full.depth[160:288, 96:416])
    difference = np.abs(crop.image.astype(int) - full.image[160:288, 96:416])
    assert (difference[1:-1, 1:-1] > 1).mean() < 0.01  # where a pattern changes within a rounding


def test_a_window_of_the_sky_over_a_wet_street_is_a_picture():
    """Nothing in it mirrors anything."""
    world = synthetic.build_world(3, weather_name="wet")
    frame = camera_frame(world, synthetic.CameraModel().cropped(700, 0, 64, 48), 1.0).numpy()
    sky = np.isinf(frame.depth)
    assert sky.mean() > 0.5
    assert frame.image[sky].min() > 60
