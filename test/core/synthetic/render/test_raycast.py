# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ray casting and shadows: exact, wherever the street is and for every kind of solid."""

import numpy as np
import pytest
import torch

from lircdepth_core import synthetic
from lircdepth_core.synthetic.render.raycast import GROUND, NOTHING, cast
from lircdepth_core.synthetic.render.shadows import occluded
from lircdepth_core.synthetic.sensors.camera import camera_frame
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
    error, finite = compare(world, synthetic.CameraModel().resized(80, 45), time, device)
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
