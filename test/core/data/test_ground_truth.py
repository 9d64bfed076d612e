# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Accumulated depth is that of the world at the image's time, and large holes are not filled."""

import json

import numpy as np
import pytest
from PIL import Image

import street_nuscenes
from lircdepth_core.data import ground_truth, nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_ros import cli

pytest.importorskip("nuscenes")


@pytest.fixture(scope="module")
def nusc(root):
    return nuscenes.open_nuscenes(root, "v1.0-mini")


def first_scene(nusc):
    scene = nuscenes.find_scene(nusc, "scene-0001")
    return scene, nuscenes.scene_samples(nusc, scene)


def command(*words):
    return cli.main([str(word) for word in words])


def test_dense_depth_is_that_of_the_world_at_the_images_time(nusc):
    scene, samples = first_scene(nusc)
    tracks = ground_truth.moving_tracks(nusc, scene)
    assert len(tracks) == 1
    for sample in samples:
        stamp = nusc.get("sample_data", sample["data"]["CAM_FRONT"])["timestamp"]
        exact = street_nuscenes.exact_depth(stamp)
        depth = ground_truth.dense_depth(nusc, sample, tracks)
        known = (depth > 0) & np.isfinite(exact)
        error = np.abs(depth - exact)[known] / exact[known]
        assert known[100:].mean() > 0.5  # below the horizon most pixels are known
        assert (error < 0.02).mean() > 0.97
        assert not (depth[np.isinf(exact)] > 0).any()
        on_box = np.abs(exact - exact[130, 156]) < 0.02
        assert on_box.sum() > 1000
        assert (np.abs(depth - exact)[on_box & known] < 0.3).mean() > 0.95
        assert known[on_box].mean() > 0.8

        smeared = ground_truth.dense_depth(nusc, sample, [])
        assert (np.abs(smeared - exact)[on_box] < 0.3).mean() < 0.6  # without boxes the moving object is smeared


def test_sweeps_come_from_both_sides_and_from_the_own_scene(nusc):
    _, samples = first_scene(nusc)
    record = nusc.get("sample_data", samples[0]["data"]["LIDAR_TOP"])
    stamps = [r["timestamp"] for r in nuscenes.neighbouring_records(nusc, record, 80, 80)]
    period = 50_000
    first = record["timestamp"]
    assert stamps == list(range(first - period, first + 10 * period + 1, period))
    assert len(nuscenes.neighbouring_records(nusc, record, 80, 3)) == 5


def test_returns_from_the_own_vehicle_are_left_out(nusc):
    """Each scan of this root has one return from the roof, which would hang over the road in other frames."""
    scene, samples = first_scene(nusc)
    static, moving = ground_truth.accumulate(nusc, samples[0], ground_truth.moving_tracks(nusc, scene))
    assert len(moving) > 100
    assert static[:, 1].max() < 1.6  # the ground, 1.5 m below the camera
    assert not ((static[:, 2] < 12) & (np.abs(static[:, 1]) < 0.5)).any()


def test_an_object_that_stands_belongs_to_the_static_world(root, tmp_path):
    tables = json.loads((root / "v1.0-mini/sample_annotation.json").read_text())
    for row in tables:
        row["translation"] = tables[0]["translation"]
    copy = tmp_path / "standing"
    copy.mkdir()
    for entry in root.iterdir():
        (copy / entry.name).symlink_to(entry)
    (copy / "v1.0-mini").unlink()
    (copy / "v1.0-mini").mkdir()
    for entry in (root / "v1.0-mini").iterdir():
        (copy / "v1.0-mini" / entry.name).write_bytes(entry.read_bytes())
    (copy / "v1.0-mini/sample_annotation.json").write_text(json.dumps(tables))
    nusc = nuscenes.open_nuscenes(copy, "v1.0-mini")
    assert ground_truth.moving_tracks(nusc, first_scene(nusc)[0]) == []


def test_a_track_is_interpolated_and_carried_on_for_half_a_second():
    poses = np.stack([np.eye(4), np.eye(4)])
    poses[1, 0, 3] = 4.0
    track = ground_truth.Track(np.array([1_000_000, 1_500_000]), poses, np.ones(3))
    assert [track.pose(t)[0, 3] for t in (1_000_000, 1_125_000, 1_500_000, 1_750_000, 750_000)] == pytest.approx(
        [0.0, 1.0, 4.0, 6.0, -2.0]
    )
    assert track.pose(499_999) is None
    assert track.pose(2_000_001) is None


def test_what_is_behind_a_nearer_surface_is_removed():
    depth = np.zeros((20, 40), np.float32)
    depth[5, 10:30] = 10.0  # a surface, seen in one row
    depth[7, 12] = 30.0  # between the surface's points and behind it
    depth[8, 12] = 30.0  # three rows below the surface: too far to be hidden by it
    depth[5, 35] = 30.0  # five columns beside it: also too far
    depth[6, 20] = 11.0  # part of the surface
    left = ground_truth.remove_hidden(depth)
    expected = depth.copy()
    expected[7, 12] = 0
    assert np.array_equal(left, expected)


def test_gaps_on_a_plane_are_filled_exactly_and_others_stay():
    rows = np.arange(40.0)
    plane = np.repeat(30 / (rows + 10)[:, None], 8, axis=1).astype(np.float32)  # the ground: 1 / depth is linear
    sparse = np.zeros_like(plane)
    sparse[20:40:3] = plane[20:40:3]
    filled = ground_truth.interpolate_gaps(sparse, largest=6)
    assert np.allclose(filled[20:39], plane[20:39], rtol=1e-6)
    assert not filled[:20].any()
    jump = np.zeros((1, 30), np.float32)
    jump[0, [2, 5, 8, 20]] = (10.0, 10.0, 20.0, 20.0)
    filled = ground_truth.interpolate_gaps(jump, largest=6)
    assert np.flatnonzero(filled[0]).tolist() == [2, 3, 4, 5, 8, 20]  # not over the jump, not over 12 pixels


def test_maps_are_16_bit_png_in_metres_times_256(tmp_path):
    depth = np.array([[0.0, 1.0, 80.123], [255.9, 256.0, 300.0]], np.float32)
    ground_truth.write_depth(tmp_path / "a" / "depth.png", depth)
    with Image.open(tmp_path / "a" / "depth.png") as image:
        assert np.asarray(image)[0].tolist() == [0, 256, round(80.123 * 256)]
    read = ground_truth.read_depth(tmp_path / "a" / "depth.png")
    assert np.abs(read[0] - depth[0]).max() <= 0.5 / 256
    assert read[1].tolist() == pytest.approx([255.9, 0.0, 0.0], abs=0.002)
    data = (tmp_path / "a" / "depth.png").read_bytes()
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    for name in ("half.png", "absent.png"):
        with pytest.raises(LircDepthError, match=name):
            ground_truth.read_depth(tmp_path / name)


def test_the_command_resumes_and_processes_change_nothing(root, tmp_path, capsys):
    common = ("ground-truth", "--dataroot", root, "--version", "v1.0-mini", "--split", "all")
    assert command(*common, "-o", tmp_path / "one", "--jobs", 1) == 0
    assert command(*common, "-o", tmp_path / "two", "--jobs", 2) == 0
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.png"))
    assert len(files) == 4
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    (tmp_path / "one" / files[2]).unlink()
    kept = (tmp_path / "one" / files[0]).stat().st_mtime_ns
    capsys.readouterr()
    assert command(*common, "-o", tmp_path / "one", "--jobs", 2) == 0
    assert "4 key frames, 3 there already" in capsys.readouterr().out
    assert (tmp_path / "one" / files[2]).read_bytes() == (tmp_path / "two" / files[2]).read_bytes()
    assert (tmp_path / "one" / files[0]).stat().st_mtime_ns == kept
    assert not list(tmp_path.rglob("*.partial"))

    assert command(*common, "-o", tmp_path / "one", "--sweeps", 3) == 2
    assert "give another folder" in capsys.readouterr().err


def test_tables_without_annotations_and_missing_sweeps_are_one_line(root, tmp_path, capsys):
    bare = street_nuscenes.write(tmp_path / "bare", annotated=False)
    common = ("--version", "v1.0-mini", "--split", "all", "-o", tmp_path / "out")
    assert command("ground-truth", "--dataroot", bare, *common) == 2
    error = capsys.readouterr().err
    assert "no annotations" in error
    assert "single-scan" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()

    broken = street_nuscenes.write(tmp_path / "broken")
    sweep = next((broken / "sweeps/LIDAR_TOP").iterdir())
    sweep.unlink()
    assert command("ground-truth", "--dataroot", broken, *common, "--jobs", 1) == 2
    error = capsys.readouterr().err
    assert sweep.name in error
    assert "missing" in error
    assert not list(tmp_path.rglob("*.partial"))
