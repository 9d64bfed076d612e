# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Another car than nuScenes': a low, pitched camera, a radar elsewhere that measures line-of-sight speed and int8 RCS.

From its recording to a running node with weights that learnt from it; docs/real-road.md has the commands.
"""

import json
import re
from contextlib import closing

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")
from fine_tuning import tiny_fine_tuning
from lircdepth_core.data.packed import open_packed
from lircdepth_ros import cli
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.depth import depth_of
from second_vehicle import make_drives

pytestmark = pytest.mark.full  # to render the drive takes half a minute of a core
RADAR = ("--radar-driver", "ars548")


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """A bag of two seconds, whose camera has 160x90 pixels."""
    (bag,) = make_drives(tmp_path_factory.mktemp("low"), "low", 1, 5, 2.0, "160x90")
    return bag


def run(*words):
    return cli.main([str(word) for word in words])


def test_radar_check_names_the_driver_and_finds_the_mounting_right(drive, capsys):
    assert run("radar-check", drive) == 0
    printed = capsys.readouterr().out
    assert "radar_driver: ars548" in printed
    found = re.search(r"([\d.]+)%  v: along the line of sight +mounting turned by \S+ degrees: +([\d.]+)%", printed)
    share, best = map(float, found.groups())
    assert share > 80
    assert best - share < 2, "no other mounting explains the returns better"


def test_its_scans_are_fused_with_its_driver_and_refused_with_another(drive, tmp_path, capsys):
    options = ("--weights", "tiny", "--backend", "eager", "--inference-scale", 0.2, "--json")
    assert run("infer-bag", drive, "-o", tmp_path / "depth", *options, *RADAR) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames"] == summary["images"] > 20
    assert summary["fused"] > 0.8 * summary["frames"]
    assert summary["without_ego_motion"] < 3
    assert run("infer-bag", drive, "-o", tmp_path / "other", *options) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["fused"] == 0
    assert "no field rcs, vx, vy" in printed.err


def pack(drive, folder):
    train, val = folder / "train.safetensors", folder / "val.safetensors"
    split = ("--validation", val, "--validation-share", 0.3, "--gap", 0.2, "--every", 0.15, "--accumulate", 0.6)
    assert run("pack-bag", drive, "-o", train, *split, *RADAR) == 0
    return train, val


def test_its_drive_becomes_frames_with_radar_and_depth(drive, tmp_path):
    train, val = (open_packed(path) for path in pack(drive, tmp_path))
    assert min(len(train), len(val)) >= 2
    assert train.focal_length == pytest.approx(900 * 160 / 1280, abs=0.1)
    frame = train.frame(len(train) - 1)
    assert (frame["radar"][0] > 0).sum() > 3
    speeds = frame["radar"][2][frame["radar"][0] > 0]
    assert np.median(speeds) < -2, "what stands comes towards the car that drives"
    assert (frame["dense"] > 0).sum() > (frame["single"] > 0).sum() > 100


def test_from_a_recording_to_a_running_node_with_weights_that_learnt_from_it(drive, tmp_path, rig, depth_node):
    """The commands of docs/real-road.md, with the tiny network; the node's depth is that of `infer-bag`."""
    pytest.importorskip("rclpy", reason="the node needs rclpy")
    from surround import SurroundRig

    train, val = pack(drive, tmp_path)
    folder, weights = tmp_path / "run", tmp_path / "own.safetensors"
    assert run(*tiny_fine_tuning(train, val, folder)) == 0
    assert run("export-weights", folder / "checkpoints/best.ckpt", "-o", weights) == 0
    made = ("--weights", weights, "--backend", "eager", "--threads", 1)
    assert run("infer-bag", drive, "-o", tmp_path / "depth", *made, *RADAR) == 0
    with closing(open_bag(tmp_path / "depth")) as reader:
        messages = [
            definitions.typestore().deserialize_cdr(data, connection.msgtype)
            for connection, _, data in read_messages(reader)
            if connection.topic == "/CAM_FRONT/depth/image"
        ]
    stamp = lambda message: (message.header.stamp.sec, message.header.stamp.nanosec)  # noqa: E731
    expected = {stamp(message): depth_of(message) for message in messages}
    around = SurroundRig(rig.node, drive, ("CAM_FRONT",))
    settings = {"weights": weights, "radar_driver": "[ars548]", "cameras": "[CAM_FRONT]", "max_wait": 10.0}
    depth_node(ready=False, calibration_file=drive / "calibration.yaml", **settings)
    rig.wait(around.subscribed, "node")
    rig.spin(0.5)
    for topic, message in around.recorded:
        around.publish(topic, message)
        rig.spin(0.01)
    rig.wait(lambda: around.count("CAM_FRONT", "frames_out") > 5, "depth")
    assert around.count("CAM_FRONT", "fused") > 5
    assert around.status["CAM_FRONT"]["weights"] == str(weights)
    for message in around.depth["CAM_FRONT"]:
        np.testing.assert_allclose(depth_of(message), expected[stamp(message)], rtol=1e-5)
