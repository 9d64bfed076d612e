# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one node, over real DDS: the street's six, with five radars."""

import time
from contextlib import closing

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the node needs rclpy")
pytest.importorskip("rosbags", reason="the cameras' messages come out of a bag")
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import PointCloud2

from lircdepth_core.geometry import transform_points
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_ros import cli
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.clouds import cloud_columns
from lircdepth_ros.messages.depth import depth_of
from rig import START, stamp_of
from surround import CAMERAS, MS, SPEED, SurroundRig

# Of the cameras' own size: 160x96, but for CAM_BACK, which sees more and is enlarged.
SMALL = {"inference_scale": 0.1, "cameras": "[all]"}
ROUND = 83 * MS


@pytest.fixture
def around(rig, surround_bag):
    made = SurroundRig(rig.node, surround_bag)
    yield made
    assert not made.unbalanced, "an image is neither published, nor dropped for a cause, nor waiting"


@pytest.fixture
def start(rig, around, depth_node, weights):
    """Start a node with the six cameras and wait until it hears each of them."""

    def start(**parameters):
        settings = SMALL | {"weights": weights, "calibration_file": around.calibration} | parameters
        process = depth_node(ready=False, **settings)
        rig.wait(lambda: around.subscribed() and around.known(), "node with all cameras")
        rig.spin(0.2)
        return process

    return start


def send_round(around, stamp, cameras=CAMERAS, start=START, **options):
    """Send what the car sends in a twelfth of a second: the cameras fire one after the other."""
    for i in (0, 45, 90):
        around.send_pose(stamp + i * MS, start)
    around.send_scans(stamp)
    for i, camera in enumerate(cameras):
        around.send_camera(camera, stamp + i * 7 * MS, **options)


def test_each_camera_gets_the_depth_that_the_bags_tool_computes_for_it(rig, around, start, surround_bag, tmp_path):
    """One node and one network, against `infer-bag --cameras all`: intrinsics, radars and their turned velocities are
    each camera's own. The cameras are of two input sizes.
    """
    start(max_wait=10.0)
    for topic, message in around.recorded:
        around.publish(topic, message)
        rig.spin(0.01)
    rig.wait(lambda: all(around.count(c, "frames_in") == around.sent[c] for c in CAMERAS), "all images")
    rig.wait(
        lambda: all(around.count(c, "frames_out") + around.count(c, "dropped") > 2 for c in CAMERAS), "depth of each"
    )
    arguments = ["infer-bag", surround_bag, "-o", tmp_path / "depth", "--cameras", "all", "--backend", "eager"]
    assert cli.main(list(map(str, [*arguments, "--weights", "tiny", "--inference-scale", 0.1, "--threads", 1]))) == 0
    expected = {}
    with closing(open_bag(tmp_path / "depth")) as reader:
        for connection, _, data in read_messages(reader):
            if connection.topic.endswith("/depth/image"):
                message = definitions.typestore().deserialize_cdr(data, connection.msgtype)
                expected[connection.topic.split("/")[1], stamp_of(message)] = depth_of(message)
    assert {camera for camera, _ in expected} == set(CAMERAS)
    fused = 0
    for camera in CAMERAS:
        assert around.depth[camera]
        for message in around.depth[camera]:
            assert message.header.frame_id == camera
            np.testing.assert_allclose(depth_of(message), expected[camera, stamp_of(message)], rtol=1e-5)
        fused += around.count(camera, "fused") > 0
    assert fused >= 4, "radars look ahead, to the sides and back"


@pytest.mark.parametrize("batch", [1, pytest.param(3, marks=pytest.mark.full)])
def test_under_overload_each_camera_gets_as_much_and_nothing_is_lost_uncounted(rig, around, start, batch):
    """Of three images the network has time for one, however fast the machine is: the next six are sent when two were
    computed. The cameras fire in the same order each time, so that the newest image alone would be the last camera's.
    """
    reliable = {
        f"qos_overrides./{camera}/image_rect/compressed.subscription.{name}": value
        for camera in CAMERAS
        for name, value in (("reliability", "reliable"), ("depth", 1000))
    }
    start(batch=batch, inference_scale=0.8, threads=1, max_wait=0.0, **reliable)
    for camera in CAMERAS:
        around.send(f"/{camera}/camera_info", START)
    rig.spin(0.5)
    stamp, least = START, 0
    while least < 25:
        stamp += ROUND
        before = sum(map(len, around.depth.values()))
        send_round(around, stamp)
        rig.wait(lambda n=before: sum(map(len, around.depth.values())) >= n + 2, "depth")
        least = min(len(depth) for depth in around.depth.values())
        assert stamp < START + 2000 * ROUND, "no end"
    rig.wait(lambda: all(around.count(c, "frames_in") == around.sent[c] for c in CAMERAS), "all images")
    rig.wait(lambda: all(around.count(c, "frames_waiting") == 0 for c in CAMERAS), "end of what waits")
    out = {camera: around.count(camera, "frames_out") for camera in CAMERAS}
    rig.wait(lambda: all(len(around.depth[c]) == out[c] for c in CAMERAS), "depth images")
    for camera in CAMERAS:
        assert around.sent[camera] == out[camera] + around.count(camera, "dropped")
        assert around.stamps(camera) == sorted(set(around.stamps(camera)))
    assert sum(out.values()) < 0.9 * sum(around.sent.values()), "overloaded"
    spread = (max(out.values()) - min(out.values())) / np.mean(list(out.values()))
    assert spread < 0.10, out


def test_a_camera_without_camera_info_is_named_and_the_others_run(rig, around, start):
    start()
    others = [camera for camera in CAMERAS if camera != "CAM_BACK"]
    begin = time.time_ns()
    for _ in range(400):
        stamp = time.time_ns()
        send_round(around, stamp, cameras=others, start=begin)
        around.send_camera("CAM_BACK", stamp + 45 * MS, info=False)
        rig.spin(0.1)
        if around.level.get("CAM_BACK") == DiagnosticStatus.ERROR and all(around.depth[c] for c in others):
            break
    assert "no camera_info on /CAM_BACK/camera_info yet" in around.message["CAM_BACK"]
    assert not around.depth["CAM_BACK"]
    assert all(around.depth[camera] for camera in others)
    assert around.count("CAM_BACK", "dropped_no_camera_info") == around.count("CAM_BACK", "dropped") > 0
    assert all(around.count(camera, "dropped_no_camera_info") == 0 for camera in others)


def test_the_points_of_all_cameras_come_in_one_cloud_while_somebody_listens(rig, around, start):
    """It holds each camera's own points, in base_link at the time of the newest image."""
    start(points_stride=8)
    own, merged = {camera: [] for camera in CAMERAS}, []
    for camera in CAMERAS:
        rig.node.create_subscription(PointCloud2, f"/{camera}/depth/points", own[camera].append, 10)
    # Last, so that the node knows the others when it knows this one.
    rig.node.create_subscription(PointCloud2, "/surround/points", merged.append, 10)
    stamp = START
    while not merged:
        stamp += ROUND
        send_round(around, stamp)
        rig.wait(lambda: all(around.depth.values()), "depth")
        rig.spin(0.3)
        assert stamp < START + 100 * ROUND, "no cloud"
    cloud = merged[0]
    assert cloud.header.frame_id == "base_link"
    assert cloud.is_dense
    calibration = Calibration.load(around.calibration)
    expected = {}
    for camera in CAMERAS:
        (single,) = [one for one in own[camera] if 0 <= stamp_of(cloud) - stamp_of(one) < ROUND]
        points = transform_points(calibration.transform("base_link", camera), points_of(single))
        points[:, 0] -= SPEED * (stamp_of(cloud) - stamp_of(single)) / 1e9  # the vehicle has driven on
        expected[camera] = points
    found = points_of(cloud)
    assert len(found) == sum(map(len, expected.values())) > 500
    for _ in CAMERAS:
        camera = min(expected, key=lambda name: np.abs(expected[name][0] - found[0]).max())
        points = expected.pop(camera)
        np.testing.assert_allclose(found[: len(points)], points, atol=2e-3, err_msg=camera)
        found = found[len(points) :]


def points_of(cloud):
    """Return the points [N, 3] of a PointCloud2 that are not NaN."""
    columns = cloud_columns(cloud, ("x", "y", "z"))
    points = np.stack([np.ravel(columns[axis]) for axis in "xyz"], axis=1).astype(float)
    return points[np.isfinite(points).all(axis=1)]


def test_cameras_may_have_topics_and_radars_of_their_own(rig, surround_bag, depth_node, weights):
    process = depth_node(
        ready=False,
        **{
            "weights": weights,
            "calibration_file": surround_bag / "calibration.yaml",
            "cameras": "[CAM_FRONT, rear]",
            "radar_topics": "[RADAR_FRONT/points, RADAR_BACK_LEFT/points]",
            "rear.image_topic": "CAM_BACK/image_rect",
            "rear.depth_topic": "behind/depth",
            "rear.radar_topics": "[RADAR_BACK_LEFT/points]",
            "rear.radar_topic": "[RADAR_BACK_LEFT/points]",
        },
    )
    log = ""
    while log.count("active: ") < 2:
        line = process.stdout.readline()
        assert line, log
        log += line
    assert "no parameter 'rear.radar_topic'; did you mean 'rear.radar_topics'?" in log
    assert (
        "active: /CAM_FRONT/image_rect/compressed + /RADAR_FRONT/points, /RADAR_BACK_LEFT/points -> "
        "/CAM_FRONT/depth/image" in log
    )
    assert "active: /CAM_BACK/image_rect/compressed + /RADAR_BACK_LEFT/points -> /behind/depth/image" in log
    for topic in ("/CAM_BACK/camera_info", "/RADAR_FRONT/points", "/RADAR_BACK_LEFT/points"):
        rig.wait(lambda t=topic: rig.node.count_subscribers(t) == 1, f"one subscription to {topic} for all cameras")
