# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The street as a training set, the frozen splits with their baselines, and the radar report."""

import itertools

import numpy as np
import pytest
import torch

from lircdepth_core import radar, synthetic
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import trivial as baselines
from lircdepth_core.synthetic.sensors import radar_report
from lircdepth_core.synthetic.sensors.dataset import StreetDataset, accumulated_lidar_depth, lidar_depth
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.world import splits
from lircdepth_core.synthetic.world.builder import DIFFICULTIES
from lircdepth_core.synthetic.world.weather import WEATHERS
from lircdepth_ros import cli
from synthetic_scenes import bodies

SMALL = {
    "camera": synthetic.CameraModel().resized(320, 180),
    "lidar": synthetic.LidarModel(azimuths=180),
    "crop": (96, 128),
}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_batches_hold_what_a_depth_network_is_trained_on():
    batch = StreetDataset(seed=1, batch_size=2, accumulate=(-0.5, 0.0, 0.5), **SMALL).batch(0)
    assert batch["image"].shape == (2, 3, 96, 128)
    assert batch["image"].dtype == torch.uint8
    assert batch["radar"].shape == (2, 4, 96, 128)
    depth, single, many = batch["depth"], batch["lidar_depth"], batch["accumulated_depth"]
    assert depth.shape == single.shape == many.shape == (2, 96, 128)
    assert (depth > 0).float().mean() > 0.4
    assert (many > 0).sum() > 1.5 * (single > 0).sum() > 0
    both = (single > 0) & (depth > 0)
    # 35 ms, half a metre of height and the rounding to coarse pixels lie between the two.
    assert ((single - depth)[both].abs() < 0.02 * depth[both] + 0.1).float().mean() > 0.6
    image = batch["image"].float()
    assert image.std() > 15


def test_batches_come_in_the_same_order_from_any_number_of_workers_and_go_on_where_they_stopped():
    def loader(workers, state=None):
        dataset = StreetDataset(seed=3, batch_size=1, reuse=2, **SMALL)
        if state is not None:
            dataset.load_state_dict(state)
        return torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers)

    alone = list(itertools.islice(loader(0), 4))
    assert not same(alone[0], alone[1])
    for one, other in zip(alone, itertools.islice(loader(2), 4), strict=True):
        assert same(one, other)
    for one, other in zip(alone[2:], itertools.islice(loader(0, {"batch": 2}), 2), strict=True):
        assert same(one, other)
    dataset = StreetDataset(seed=3, batch_size=1, reuse=2, **SMALL)
    next(iter(dataset))
    assert dataset.state_dict() == {"batch": 1}
    other_gpu = StreetDataset(seed=3, batch_size=1, reuse=2, shard=(1, 2), **SMALL).batch(0)
    assert not same(alone[0], other_gpu)


def test_a_crop_that_does_not_fit_is_refused():
    with pytest.raises(LircDepthError, match="crop is \\(900, 128\\)"):
        StreetDataset(crop=(900, 128), camera=SMALL["camera"])
    with pytest.raises(LircDepthError, match="batch_size is 0"):
        StreetDataset(batch_size=0)


def test_accumulated_depth_leaves_out_what_moves_and_keeps_what_stands():
    # Two boxes ahead, 18 m away: the left one stands, the right one drives beside the ego vehicle at its speed.
    world = bodies((20.0, 2.5, 0.0), (20.0, -4.5, 10.0))
    camera, lidar = SMALL["camera"], synthetic.LidarModel()
    generator = np.random.default_rng(0)
    single = lidar_depth(world, camera, 0.3, lidar, 0.3, generator)
    many = accumulated_lidar_depth(world, camera, 0.3, lidar, (-0.1, 0.0, 0.1), generator, pose_noise=(0, 0))
    ahead = np.array([20.0 - 1 - 1.7 - 3.0, 20.0 - 1 - 1.7])  # depth of the front faces: the ego vehicle has moved 3 m
    left, right = np.s_[60:110, :160], np.s_[60:110, 160:]
    assert (np.abs(single[left] - ahead[0]) < 0.15).sum() > 20
    assert (np.abs(single[right] - ahead[1]) < 0.15).sum() > 20
    assert (np.abs(many[left] - ahead[0]) < 0.15).sum() > 40
    assert (np.abs(many[right] - ahead[1]) < 0.15).sum() <= 2


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


def test_trivial_guesses_are_what_they_say():
    camera = synthetic.CameraModel()
    plane = baselines.ground_plane(camera, None, None)
    # A point on the ground 20 m ahead of the camera, which is 1.51 m up, is at row cy + fy * 1.51 / 20.
    row = camera.cy + camera.fy * 1.51 / 20
    assert plane[round(row), 0] == pytest.approx(20.0, rel=0.01)
    assert plane[0, 0] == 80.0
    returns = np.array([[100.0, 500.0], [104.0, 510.0], [104.0, 520.0]]), np.array([30.0, 50.0, 40.0])
    nearest = baselines.nearest_return(camera, returns, 12.0)
    assert nearest[0, [0, 101, 103, 1599]].tolist() == [30.0, 30.0, 40.0, 40.0]
    assert (baselines.nearest_return(camera, (np.zeros((0, 2)), np.zeros(0)), 12.0) == 12.0).all()


def test_distances_between_distributions_have_their_known_values():
    random = np.random.default_rng(0)
    sample = random.normal(0, 1, 20000)
    assert radar_report.distance("range", sample, sample + 3) == pytest.approx(3.0, abs=1e-9)
    # Two exponential distributions: the distance is that of their means.
    assert radar_report.distance("range", random.exponential(2, 40000), random.exponential(5, 40000)) == pytest.approx(
        3.0, abs=0.15
    )
    assert radar_report.distance("dyn_prop", np.array([0, 0, 1, 1]), np.array([0, 1, 1, 3])) == pytest.approx(0.25)


def test_the_report_compares_with_a_folder_of_scans_and_says_why_it_does_not(tmp_path, capsys):
    picture = tmp_path / "new/report.png"
    arguments = ["synth-report", "--scenes", "2", "--scans", "2", "-o", str(picture)]
    assert cli.main(arguments) == 0
    assert "no comparison: no folder of real scans was given" in capsys.readouterr().out
    assert picture.stat().st_size > 10_000
    # "Real" scans for the test: two drives of the same synthetic street, whose distance to it must be small.
    world = synthetic.build_world((0, 0))
    for drive, (first, number) in enumerate(((1, 4), (12, 4))):
        for k in range(number):
            scan = radar_scan(world, synthetic.RadarModel(), first + k, np.random.default_rng(k))
            name = f"log-{drive}__RADAR_FRONT__{1_000_000 * (first + k)}.pcd"
            (tmp_path / name).write_bytes(radar.encode_pcd(scan))
    assert cli.main([*arguments[:3], *arguments[3:], str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "against 8 real scans of 2 scenes" in output
    assert cli.main(["synth-report", str(tmp_path / "new")]) == 2
    assert "there are no .pcd files" in capsys.readouterr().err


def test_synthetic_radar_reaches_far_sees_movers_and_fills_its_scans():
    """The summary of real scans (median range 50 m, RCS 4.5 dBsm, 125 returns, a tenth of them moving), roughly: far
    off
    means that a change of the street or of the sensor broke the likeness, and `lircdepth synth-report` should be
    run.
    """
    scans = [
        radar_scan(synthetic.build_world((seed, 0)), synthetic.RadarModel(), 5.0, np.random.default_rng(seed))
        for seed in range(8)
    ]
    found = radar_report.measure(scans)
    assert np.median(found["returns per scan"]) > 110
    assert 30 < np.median(found["range"]) < 65
    assert 1 < np.median(found["RCS"]) < 8
    assert 0.02 < (np.abs(found["radial speed"]) > 0.5).mean() < 0.3
    codes = np.bincount(found["dyn_prop"].astype(int), minlength=8) / len(found["dyn_prop"])
    assert codes[1] > 0.35
    assert codes[3] > 0.15
    assert codes[[0, 2]].min() > 0.005
