# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ray casting of the synthetic street: exact, wherever it is, for every kind of solid; shadows; the camera."""

import numpy as np
import pytest
import torch

from lircdepth_core import synthetic
from lircdepth_core.synthetic.render.camera import camera_frame
from lircdepth_core.synthetic.render.raycast import GROUND, NOTHING, cast
from lircdepth_core.synthetic.render.shadows import occluded
from lircdepth_core.synthetic.world import parts, primitives
from lircdepth_core.synthetic.world.scene import Scene
from synthetic_scenes import analytic_depth, bodies

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
TOLERANCE = {"cpu": 1e-4, "cuda": 1e-3}  # metres
devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])


def compare(world, camera, time, device):
    depth = camera_frame(world, camera, time, device).numpy().depth
    expected, unsure = analytic_depth(world, camera, time)
    sure = unsure < 1e-3  # elsewhere the pixel lies on an outline, and a rounding decides what it shows
    assert sure.mean() > 0.97
    np.testing.assert_array_equal(np.isinf(depth[sure]), np.isinf(expected[sure]))
    finite = sure & np.isfinite(expected)
    # Beyond 300 m one float32 step is as large as the tolerance.
    error = np.abs(depth[finite] - expected[finite]) / np.maximum(expected[finite] / 300, 1)
    return error, finite


@devices
@pytest.mark.parametrize(("seed", "time"), [(1, 0.7), (12, 11.3)])
def test_depth_equals_an_analytic_ray_cast_a_kilometre_from_the_origin(seed, time, device):
    world = synthetic.build_world(seed, corner=(1500.0, 1200.0))
    assert np.linalg.norm(world.ego_pose(time)[:3, 3]) > 1000
    error, finite = compare(world, synthetic.CameraModel().resized(112, 63), time, device)
    assert finite.mean() > 0.4
    assert error.max() < TOLERANCE[device]


@devices
@pytest.mark.parametrize("name", ["ball", "post", "wheel", "cone", "leaning", "box"])
def test_each_kind_of_solid_is_met_where_it_is(name, device):
    drawing = {
        "ball": parts.ball((0, 0, 1.3), (3, 2, 1.5), (0.5,) * 3),
        "post": parts.limb((0, -0.6, 0.2), (1.0, 0.9, 2.6), 0.4, (0.5,) * 3),
        "wheel": parts.wheel((0, 0, 1.0), 1.0, 0.5),
        "cone": parts.limb((0.3, 0, 0.1), (-0.2, 0.2, 2.6), 0.9, (0.5,) * 3, top=0.2),
        "leaning": parts.hull((0, 0, 1.2), (3, 2, 2), (0.5,) * 3, (0.5, 0.6), -0.4),
        "box": parts.box((0, 0, 1.2), (3, 2, 2), (0.5,) * 3),
    }[name]
    # Two poses: below the eye and above it, turned by what the road's bend and the row's place give.
    world = bodies((9.0, -0.5, 0.0), (13.0, -4.0, 0.0), drawings=[[drawing], [drawing._replace(offset=(0, 0, 3.0))]])
    camera = synthetic.CameraModel().resized(256, 144)
    error, _ = compare(world, camera, 0.0, device)
    assert error.max() < TOLERANCE[device]
    assert (camera_frame(world, camera, 0.0, device).actor >= 0).sum() > 800


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


def boxes(*rows):
    """Scene of boxes: (centre, half sizes)."""
    centre, half = (torch.tensor([row[k] for row in rows], dtype=torch.float64) for k in (0, 1))
    n = len(rows)
    kind = torch.full((n,), primitives.BOX)
    return Scene(kind, centre, torch.diag_embed(half), torch.zeros(n, 3).double(), -4.0)


def test_a_ray_along_a_face_meets_the_face_ahead_and_the_sky_and_ground_where_nothing_stands():
    scene = boxes(((10.0, 0.0, 0.0), (1.0, 2.0, 3.0)))
    rays = torch.tensor([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, -1.0]]).double()[:, None]
    hits = cast(scene, rays)
    np.testing.assert_allclose(hits.distance[:, 0], [9.0, 4.5, np.inf, 4.0])
    assert hits.primitive[:, 0].tolist() == [0, 0, NOTHING, GROUND]
    assert hits.normal[:, 0].tolist() == [[-1, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_culling_loses_no_hit():
    """The same rays in bundles of other sizes and orders, down to one ray a bundle, meet the same."""
    world = synthetic.build_world(9)
    view = world.snapshot(1.0, world.ego_pose(1.0)[:3, 3] + (0, 0, 1.5))
    generator = torch.Generator().manual_seed(0)
    rays = torch.nn.functional.normalize(torch.randn(600, 3, generator=generator, dtype=torch.float64), dim=1)
    single = cast(view.scene, rays[:, None])
    together = cast(view.scene, rays[None])  # all around: nothing can be culled
    np.testing.assert_array_equal(single.primitive[:, 0], together.primitive[0])
    np.testing.assert_array_equal(single.distance[:, 0], together.distance[0])
    assert (single.primitive >= 0).sum() > 100


def test_shadows_fall_where_the_light_is_blocked():
    # A box of 2 m, its middle 5 m up; light comes from 45 degrees in the x direction.
    scene = boxes(((0.0, 0.0, 5.0), (1.0, 1.0, 1.0)))
    x = torch.linspace(-12, 4, 1601) + 0.003
    points = torch.stack([x, torch.zeros_like(x), torch.zeros_like(x)], dim=1)
    shaded = occluded(scene, points, torch.tensor([1.0, 0, 1.0]) / 2**0.5)
    # The light's rays x = p + z meet x in [-1, 1], z in [4, 6] for p in [-7, -3].
    np.testing.assert_array_equal(shaded, (x > -7) & (x < -3))
    assert not occluded(
        scene, points[shaded] + torch.tensor([0.0, 1.5, 0.0]), torch.tensor([1.0, 0, 1.0]) / 2**0.5
    ).any()
    assert not occluded(scene, points[shaded], torch.tensor([0.0, 0.0, 1.0])).any()


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


def test_road_coordinates_undo_road_poses_far_from_the_origin_in_float32():
    road = synthetic.build_world(5, corner=(1500.0, 1200.0)).road
    s, d = np.array([0.0, 100.0, 480.0]), np.array([-8.0, 0.0, 3.0])
    x, y, _ = road.pose(s, d)
    origin = (x[1] + 5.0, y[1] - 3.0)
    relative = torch.tensor(np.stack([x - origin[0], y - origin[1]], axis=1), dtype=torch.float32)
    found_s, found_d = road.coordinates(relative, origin)
    np.testing.assert_allclose(found_s, s, atol=2e-3)
    np.testing.assert_allclose(found_d, d, atol=2e-3)


def test_actors_move_by_the_integral_of_their_velocity():
    actors = synthetic.build_world(6).actors
    steps, duration = 2000, 8.0
    moved = sum(actors.at((k + 0.5) * duration / steps)[2] for k in range(steps)) * (duration / steps)
    np.testing.assert_allclose(actors.at(duration)[0] - actors.at(0.0)[0], moved, atol=1e-4)
    assert (moved.norm(dim=1) > 8).sum() >= 5  # traffic does move


@pytest.mark.parametrize("seed", range(6))
def test_nobody_drives_through_another(seed):
    """Vehicles that move, the ego vehicle among them, keep apart for the whole scene."""
    world = synthetic.build_world(seed, difficulty="hard")
    wheeled = np.array([name.startswith("vehicle.") for name in world.actors.category])
    moving = np.flatnonzero(wheeled & (world.actors.speed.numpy() > 0))
    length = world.actors.size.numpy()[moving, 0]
    for time in np.arange(0, 20.5, 0.5):
        place = world.actors.at(time)[0].numpy()[moving, :2]
        apart = np.linalg.norm(place[:, None] - place[None], axis=2)
        width = world.actors.size.numpy()[moving, 1]
        overlap = apart < (width[:, None] + width[None]) / 2 * 0.95
        assert overlap.sum() == len(moving)  # each with itself
        ego = world.ego_pose(time)
        local = (place - ego[:2, 3]) @ ego[:2, :2]
        assert not ((np.abs(local[:, 1]) < 1.0) & (np.abs(local[:, 0] - 1.4) < 2.2 + length / 2 * 0.5)).any()
