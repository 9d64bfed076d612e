# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth infer-bag --cameras`: every camera of a bag in one pass."""

import json

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")
import small_bags as small
from lircdepth_ros.messages import building
from small_bags import START

PERIOD = small.PERIOD


def bag_of(path, *, without_info=(), sizes=None):
    """A front camera, and one that looks back, in which the front radar sees nothing."""
    entries = [*small.frames(3), ("/tf_static", START - PERIOD, small.static_tf())]
    entries += [("/odom", START + i * 50_000_000, small.odometry(START + i * 50_000_000, 0.0)) for i in range(-4, 10)]
    for i in range(3):
        stamp = START + i * PERIOD
        entries.append(("/rear/image_rect/compressed", stamp, small.image(stamp, "CAM_FRONT")))
        if "rear" not in without_info:
            intrinsics, width, height = small.INTRINSICS, *(sizes or (small.WIDTH, small.HEIGHT))
            info = building.camera_info(stamp, "CAM_FRONT", intrinsics, width, height)
            entries.append(("/rear/camera_info", stamp, info))
    return small.write(path, entries)


def infer(bag, tmp_path, capsys, *options):
    status = small.infer_bag(bag, tmp_path / "depth", *options, "--json")
    printed = capsys.readouterr()
    return (json.loads(printed.out) if status == 0 else None), printed.err


def test_each_camera_is_counted_and_the_radars_of_the_bag_are_found(tmp_path, capsys):
    summary, _ = infer(bag_of(tmp_path / "bag"), tmp_path, capsys, "--cameras", "all")
    assert (summary["images"], summary["frames"]) == (6, 6)
    assert {name: counts["frames"] for name, counts in summary["cameras"].items()} == {"CAM_FRONT": 3, "rear": 3}


def test_a_camera_without_camera_info_is_named_and_the_others_have_depth(tmp_path, capsys):
    summary, err = infer(bag_of(tmp_path / "bag", without_info=("rear",)), tmp_path, capsys, "--cameras", "all")
    assert list(summary["cameras"]) == ["CAM_FRONT"]
    assert summary["frames"] == 3
    (line,) = [line for line in err.splitlines() if "rear" in line and "left out" in line]
    assert "has no topic /rear/camera_info" in line


def test_a_camera_whose_camera_info_is_of_another_size_is_named_and_the_others_have_depth(tmp_path, capsys):
    summary, err = infer(bag_of(tmp_path / "bag", sizes=(320, 240)), tmp_path, capsys, "--cameras", "all")
    assert summary["cameras"]["rear"]["dropped_by_cause"] == {"bad_input": 3}
    assert summary["cameras"]["CAM_FRONT"]["frames"] == 3
    assert "rear: none of 3 images gives depth" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cameras", "rear", "rear"], "--cameras: rear is there twice"),
        (["--cameras", "left"], "has no images of a camera 'left'; it has CAM_FRONT, rear"),
        (["--cameras", "all", "--mp4", "a.mp4"], "--mp4 goes with one camera, and there are 2"),
    ],
)
def test_what_cannot_work_is_one_line(tmp_path, capsys, options, words):
    summary, err = infer(bag_of(tmp_path / "bag"), tmp_path, capsys, *options)
    assert summary is None
    assert words in err
    assert len([line for line in err.splitlines() if "error" in line]) == 1
    assert not (tmp_path / "depth").exists()


def test_one_camera_by_its_name_is_the_same_as_by_its_topics(tmp_path, capsys):
    bag = bag_of(tmp_path / "bag")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    by_name, _ = infer(bag, tmp_path / "a", capsys, "--cameras", "CAM_FRONT")
    by_topic, _ = infer(bag, tmp_path / "b", capsys)
    assert np.array_equal([by_name[key] for key in ("frames", "fused")], [by_topic[key] for key in ("frames", "fused")])
