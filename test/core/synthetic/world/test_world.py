# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The street itself: its coordinates, its traffic, the frozen scenes."""

import numpy as np
import pytest
import torch

from lircdepth_core import synthetic
from lircdepth_core.synthetic.world import splits
from lircdepth_core.synthetic.world.builder import DIFFICULTIES
from lircdepth_core.synthetic.world.weather import WEATHERS


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


def test_the_frozen_sets_are_what_they_were_when_they_were_frozen():
    """Figures on them are comparable only while this holds: a change here is a new set, and needs a new name."""
    validation, test = splits.SPLITS["val"], splits.SPLITS["test"]
    assert (len(validation), len(test)) == (8, 16)
    assert validation[5] == splits.SceneSpec("scene-9506", (700000001, 5), "dusk", "medium")
    assert test[15] == splits.SceneSpec("scene-9616", (900000001, 15), "wet-night", "medium")
    assert {spec.weather for spec in test} == set(WEATHERS)
    assert {spec.difficulty for spec in test} == set(DIFFICULTIES)
    names = [spec.name for spec in (*validation, *test, *splits.training_scenes(499, 0))]
    assert len(set(names)) == len(names)
    assert all(spec.seed[0] < 1_000_000 for spec in splits.training_scenes(3, 999_999))
