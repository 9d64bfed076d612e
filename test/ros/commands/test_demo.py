# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth demo`: the whole chain in separate processes, and an account of every image."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tiny_nuscenes

pytest.importorskip("rclpy", reason="the demo runs the nodes")
pytest.importorskip("nuscenes", reason="the demo reads a nuScenes data root")
from rosbags.highlevel import AnyReader

from lircdepth_core.data import nuscenes
from lircdepth_core.evaluation.metrics import depth_errors
from paths import REPOSITORY


def run_demo(*arguments):
    command = [sys.executable, "-m", "lircdepth_ros.cli", "demo", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)


def depth_images(bag):
    with AnyReader([bag]) as reader:
        connections = [connection for connection in reader.connections if connection.topic.endswith("/image")]
        for connection, stamp, data in reader.messages(connections):
            message = reader.deserialize(data, connection.msgtype)
            assert stamp == message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            yield stamp, message.data.view("<f4").reshape(message.height, message.width)


def test_every_image_of_a_scene_becomes_depth_or_is_counted(tmp_path):
    root = tiny_nuscenes.write(tmp_path / "root")
    result = run_demo(
        "-o",
        tmp_path / "demo",
        "--dataroot",
        root,
        "--scene",
        "scene-0001",
        "--weights",
        "tiny",
        "--backend",
        "eager",
        "--rate",
        0.2,
        "--report",
        tmp_path / "demo.html",
    )
    assert result.returncode == 0, result.stderr
    assert "weights are RANDOM" in result.stdout
    metrics = json.loads((tmp_path / "demo" / "metrics.json").read_text())
    assert metrics["frames_in"] == 7, "a sweep before the first key frame and one each 0.1 s to 0.5 s"
    assert metrics["frames_out"] + metrics["dropped"] == 7
    assert metrics["dropped"] == sum(metrics["dropped_by_cause"].values())
    assert (metrics["frames_waiting"], metrics["lost_before_the_node"], metrics["without_ego_motion"]) == (0, 0, 0)
    assert metrics["fused"] + metrics["camera_only"] == metrics["frames_out"] > 0
    assert metrics["latency_ms"]["total"]["p99"] >= metrics["latency_ms"]["network"]["p50"] > 0
    assert len(metrics["latencies_ms"]) == metrics["frames_out"]
    page = (tmp_path / "demo.html").read_text()
    assert "Latency by stage" in page
    assert "the middle key frame" in page
    assert "worst" in page
    recorded = list(depth_images(tmp_path / "demo" / "depth_bag"))
    assert len(recorded) == metrics["frames_out"]
    assert {depth.shape for _, depth in recorded} == {(48, 64)}
    with Image.open(tmp_path / "demo" / "montage.png") as montage:
        assert len(np.unique(np.asarray(montage.convert("RGB")).reshape(-1, 3), axis=0)) > 100


def test_the_real_sample_is_fused_and_its_error_is_that_of_the_recorded_depth(nuscenes_real, tmp_path):
    """Its radar scan comes 52 ms after its image: a node that does not wait makes it camera-only."""
    result = run_demo(
        "-o",
        tmp_path / "demo",
        "--dataroot",
        nuscenes_real,
        "--scene",
        "scene-0061",
        "--weights",
        "tiny",
        "--backend",
        "eager",
    )
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "demo" / "metrics.json").read_text())
    assert (metrics["frames_in"], metrics["frames_out"], metrics["fused"], metrics["dropped"]) == (1, 1, 1, 0)
    ((stamp, depth),) = depth_images(tmp_path / "demo" / "depth_bag")
    assert stamp == 1532402927612460000
    assert np.isnan(depth[:4]).all()
    assert not np.isnan(depth[4:]).any()
    nusc = nuscenes.open_nuscenes(nuscenes_real, "v1.0-mini")
    pixels, truth = nuscenes.project_channel(nusc, nusc.sample[0], "LIDAR_TOP", "CAM_FRONT")
    errors = [abs(depth[round(v), round(u)] - t) for (u, v), t in zip(pixels, truth, strict=True) if t < 80]
    assert metrics["mae"] == pytest.approx(np.mean(errors), rel=1e-6)


def test_the_demo_does_not_delete_what_it_did_not_make(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    result = run_demo("-o", tmp_path, "--weights", "tiny", "--backend", "eager")
    assert result.returncode == 2
    assert "was not made by the demo" in result.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_depth_errors_are_those_of_the_published_evaluation():
    truth = np.array([[10.0, 20.0, 0.0], [90.0, 40.0, 5.0]])
    prediction = np.array([[11.0, 15.0, 7.0], [50.0, np.nan, 200.0]])
    errors = depth_errors(prediction, truth, cap=80.0)
    # Counted: 10, 20 and 5; 0 is no truth, 90 is beyond the cap, NaN is no prediction, 200 is clamped to 80.
    assert errors["pixels"] == 3
    assert errors["mae"] == pytest.approx((1 + 5 + 75) / 3)
    assert errors["rmse"] == pytest.approx(np.sqrt((1 + 25 + 75**2) / 3))
    assert errors["abs_rel"] == pytest.approx((0.1 + 0.25 + 15) / 3)
    assert errors["delta1"] == pytest.approx(1 / 3)
