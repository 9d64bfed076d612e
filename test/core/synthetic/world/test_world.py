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

# Actors, parts, sum of |positions| [m] and of the parts' colours, as they were when the sets were fixed.
FROZEN = (
    ("scene-9501", 865, 4489, 1046900.068, 3720.722),
    ("scene-9502", 850, 5274, 993938.661, 4483.039),
    ("scene-9503", 801, 7997, 937763.933, 8081.679),
    ("scene-9504", 769, 7485, 980029.539, 7890.104),
    ("scene-9505", 604, 4652, 782119.962, 4094.403),
    ("scene-9506", 897, 5732, 1050595.460, 5672.559),
    ("scene-9507", 704, 3388, 693493.952, 2824.830),
    ("scene-9508", 729, 6451, 781817.573, 6347.866),
    ("scene-9601", 890, 6191, 1171425.553, 5628.703),
    ("scene-9602", 830, 4689, 1040710.054, 3981.415),
    ("scene-9603", 921, 9590, 1027117.531, 9225.014),
    ("scene-9604", 773, 4828, 785308.808, 3967.141),
    ("scene-9605", 801, 5188, 1046663.850, 4176.071),
    ("scene-9606", 880, 5542, 1034559.869, 5424.125),
    ("scene-9607", 722, 6569, 888182.329, 5883.920),
    ("scene-9608", 830, 5147, 1025221.443, 4657.182),
    ("scene-9609", 679, 3228, 853704.919, 2817.265),
    ("scene-9610", 955, 10130, 1120415.555, 9586.841),
    ("scene-9611", 888, 6441, 1111824.977, 5974.676),
    ("scene-9612", 811, 5110, 1064410.202, 4696.553),
    ("scene-9613", 813, 5726, 844696.617, 5452.040),
    ("scene-9614", 818, 5217, 1084932.929, 4655.733),
    ("scene-9615", 827, 7925, 898799.465, 7846.425),
    ("scene-9616", 804, 4520, 1059395.457, 3850.106),
)


def test_the_frozen_scenes_stay_what_they_are():
    """Figures measured on them could no longer be compared. Another order of the draws already shows here."""
    for spec, (name, actors, parts, positions, colours) in zip((*splits.VALIDATION, *splits.TEST), FROZEN, strict=True):
        world = synthetic.build_world(spec.seed, weather_name=spec.weather, difficulty=spec.difficulty)
        assert (spec.name, len(world.actors.category), len(world.parts.kind)) == (name, actors, parts)
        assert float(world.actors.position.abs().sum()) == pytest.approx(positions, abs=0.01), name
        assert float(world.parts.colour.sum()) == pytest.approx(colours, abs=0.01), name
        assert world.texture is None


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
