# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack-bag`: a drive of one's own becomes frames whose depth is that of the world, then weights."""

import json

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")

import small_bags as small
from drives import SECONDS, drive, lidar_scan, true_depth
from fine_tuning import tiny_fine_tuning
from lircdepth_core.data.packed import open_packed
from lircdepth_ros import cli
from small_bags import DEPTH, IMAGE, INFO, LIDAR, MS, RADAR, START


def pack(bags, output, *options):
    return cli.main(["pack-bag", *map(str, bags), "-o", str(output), *map(str, options)])


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return drive(tmp_path_factory.mktemp("drive") / "bag")


def test_depth_of_a_packed_drive_is_that_of_the_world_without_traces_of_what_moved(bag, tmp_path, capsys):
    sheet = tmp_path / "sheet.jpg"
    assert pack([bag], tmp_path / "drive.safetensors", "--every", 1, "--sheet", sheet, "--jobs", 2) == 0
    printed = capsys.readouterr().out
    assert "8 frames of /CAM_FRONT/image_rect of 80 images (72 too_close)" in printed
    assert sheet.stat().st_size > 1000
    frames = open_packed(tmp_path / "drive.safetensors")
    assert (len(frames), frames.focal_length, frames.size) == (8, 160.0, (small.HEIGHT, small.WIDTH))
    traces, known, hits = 0, [], 0
    for i in range(len(frames)):
        frame, (depth, on_car) = frames.frame(i), true_depth(START + i * 1000 * MS)
        single, dense = (frame[name][0].numpy() for name in ("single", "dense"))
        inside = np.isfinite(depth) & (depth < 65)
        away_from_edges = inside & ~_near(on_car, 3)
        for values, least in ((single, 0.05), (dense, 0.5)):
            measured = (values > 0) & away_from_edges
            error = np.abs(values - depth)[measured] / depth[measured]
            assert np.median(error) < 0.02
            assert measured.sum() > least * away_from_edges.sum()
            known.append(measured.sum())
        behind = away_from_edges & (dense > 0)
        traces += (dense < 0.8 * depth)[behind].sum()
        hits += ((np.abs(dense - depth) < 0.1 * depth) & on_car & (dense > 0)).sum()
        assert (frame["radar"][0] > 0).sum() == 2
    # What is left is low on the car, where the scans that see through it see the road close behind; without the look
    # through other scans there are twenty times as many.
    assert traces < 0.005 * sum(known[1::2])
    assert hits > 50, "where the car is at the time of the image it stays"


def _near(mask, reach):
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).astype(bool)


def test_validation_is_the_end_of_the_drive_after_a_gap(bag, tmp_path, capsys):
    output, validation = tmp_path / "train.safetensors", tmp_path / "val.safetensors"
    options = ("--validation", validation, "--validation-share", 0.25, "--gap", 2, "--scale", 0.5)
    assert pack([bag], output, *options) == 0
    assert (len(open_packed(output)), len(open_packed(validation))) == (8, 4)
    assert open_packed(output).focal_length == 80.0
    capsys.readouterr()
    assert pack([bag], tmp_path / "no.safetensors", "--validation", tmp_path / "v.safetensors", "--gap", 60) == 2
    assert "too short to be split" in capsys.readouterr().err


def test_a_packed_drive_becomes_weights_that_the_tools_take(bag, tmp_path, capsys):
    """The way that the documentation describes, from a recording to depth."""
    train, val, weights = (tmp_path / name for name in ("train.safetensors", "val.safetensors", "own.safetensors"))
    assert pack([bag], train, "--validation", val, "--validation-share", 0.25, "--gap", 1) == 0
    run = tmp_path / "run"
    assert cli.main(tiny_fine_tuning(train, val, run)) == 0
    assert cli.main(["export-weights", str(run / "checkpoints/best.ckpt"), "-o", str(weights)]) == 0
    capsys.readouterr()
    depth = tmp_path / "depth"
    assert (
        cli.main(["infer-bag", str(bag), "-o", str(depth), "--weights", str(weights), "--backend", "eager", "--json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["frames"] == SECONDS * 10
    assert cli.main(["eval-bag", str(depth), "--reference", str(bag), "--depth-topic", DEPTH]) == 0


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"lidar": False}, (), "has no topic /LIDAR_TOP/points: without lidar nothing is known to train on"),
        ({"poses": False}, (), "has neither /odom nor /tf"),
        ({"info": False}, (), "has no topic /CAM_FRONT/camera_info"),
        ({"sizes": True}, (), "the camera changes at"),
        ({}, ("--scale", 2), "--scale 2.0: expected 0 to 1"),
        ({}, ("--like", "street"), "images would be enlarged by"),
        ({}, ("--lidar-topic", RADAR + "x"), "has no topic"),
        ({}, ("--every", -1), "expected seconds, 0 or more"),
    ],
)
def test_a_drive_that_cannot_be_packed_is_one_line_and_leaves_nothing(tmp_path, capsys, changes, options, words):
    bag = drive(tmp_path / "bag", seconds=4, **changes)
    assert pack([bag], tmp_path / "out" / "drive.safetensors", *options) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(lines) == 1
    assert words in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_lidar_whose_clock_is_off_gives_no_frame_and_the_cause(tmp_path, capsys):
    bag = tmp_path / "bag"
    entries = [("/odom", START + i * 20 * MS, small.odometry(START + i * 20 * MS, 0.1 * i)) for i in range(100)]
    for i in range(10):
        stamp = START + i * 100 * MS
        entries += [
            (IMAGE, stamp, small.image(stamp)),
            (INFO, stamp, small.info(stamp)),
            (RADAR, stamp, small.cloud(stamp)),
        ]
        entries.append((LIDAR, stamp, lidar_scan(stamp + 37_000 * MS)))
    entries.append(("/tf_static", START, small.static_tf()))
    assert pack([small.write(bag, entries)], tmp_path / "drive.safetensors") == 2
    error = capsys.readouterr().err
    assert "gives no frame (10 no_lidar)" in error
