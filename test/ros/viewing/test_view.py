# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth view`: it shows what the bag has, in a real browser; and gives Foxglove a node's messages."""

import contextlib
import json
import struct
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")
pytest.importorskip("viser")

import browser
import rich_nuscenes
from lircdepth_core.evaluation.metrics import depth_errors
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_ros import cli
from lircdepth_ros.bags.depth_options import DepthJobOptions
from lircdepth_ros.bags.reading import open_bag
from lircdepth_ros.viewing.browser import level_from_camera
from lircdepth_ros.viewing.frames import moments, read_frames
from serving import free_port, running

pytest.importorskip("nuscenes", reason="bags are converted from nuScenes, through its devkit")

SOFTWARE_GL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """A bag of boxes with camera, radar, lidar and annotations, and one with its depth."""
    folder = tmp_path_factory.mktemp("view")
    root = rich_nuscenes.write(folder / "root")
    words = ["nuscenes-to-bag", "--dataroot", str(root), "--scene", "scene-0001", "-o", str(folder / "bag")]
    assert cli.main(words) == 0
    words = ["infer-bag", str(folder / "bag"), "-o", str(folder / "depth"), "--weights", "tiny", "--backend", "eager"]
    assert cli.main(words) == 0
    return folder


def test_frames_have_what_the_bag_has(bag):
    frames = read_frames(bag / "depth", bag / "bag", DepthJobOptions(), stride=2)
    assert len(frames) == 7
    assert [frame.stamp for frame in frames] == sorted(frame.stamp for frame in frames)
    assert {frame.depth.shape for frame in frames} == {(24, 32)}
    assert all(len(frame.starts) and len(frame.lidar) for frame in frames)
    assert any(frame.boxes for frame in frames)
    assert all(frame.picture().shape == (48, 64, 3) for frame in frames)
    for frame in frames:
        level = level_from_camera(frame.up)
        np.testing.assert_allclose(level @ level.T, np.eye(3), atol=1e-12)
        assert (level @ [0, 0, 1.0])[0] > 0.9, "the camera looks ahead"
        assert (level @ frame.starts.T)[0].max() > 0
    assert len(read_frames(bag / "depth", bag / "bag", DepthJobOptions(), every=3)) == 3


def test_errors_at_lidar_points_are_those_of_the_evaluation(bag, tmp_path):
    """The same lidar scan through the same poses as `eval-bag`, whose means over images they give."""
    frames = read_frames(bag / "depth", bag / "bag", DepthJobOptions())
    report = tmp_path / "report.json"
    words = ["eval-bag", str(bag / "depth"), "--reference", str(bag / "bag"), "--truth", "lidar"]
    assert cli.main([*words, "--json", str(report)]) == 0
    expected = json.loads(report.read_text())["errors"]["depth"]["0-80 m"]
    found = []
    for frame in frames:
        seen = ~np.isnan(frame.errors)
        truth = frame.lidar[seen, 2]
        found.append(depth_errors(frame.errors[seen] + truth, truth, 80.0))
    assert len(found) == expected["images"]
    for name in ("mae", "rmse", "delta1"):
        assert np.mean([each[name] for each in found]) == pytest.approx(expected[name], rel=1e-4), name


def test_several_cameras_stand_around_the_first_as_they_are_mounted(bag, tmp_path):
    """All cameras of the bag: each is where the calibration has it, whatever the vehicle did between two images."""
    output, options = tmp_path / "depth", DepthJobOptions(cameras=("all",), radar_topics=("all",))
    words = ["infer-bag", str(bag / "bag"), "-o", str(output), "--cameras", "all", "--weights", "tiny"]
    assert cli.main([*words, "--backend", "eager", "--report", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    with contextlib.closing(open_bag(bag / "bag")) as reader:
        types = {connection.topic: connection.msgtype for connection in reader.connections}
    by_camera = options.of_cameras(types, bag / "bag")
    assert len(by_camera) > 1
    assert all(f"{camera}: depth" in page for camera in by_camera), "errors by camera"
    shown = moments([read_frames(output, bag / "bag", each) for each in by_camera.values()])
    calibration = Calibration.load(bag / "bag/calibration.yaml")
    first = next(iter(by_camera))
    both = [moment for moment in shown if len(moment.others) == len(by_camera) - 1]
    assert both
    for frame, first_from_camera in both[0].others:
        expected = calibration.transform(first, frame.camera)
        np.testing.assert_allclose(first_from_camera[:3, :3], expected[:3, :3], atol=0.05)
        assert np.abs(first_from_camera[:3, 3] - expected[:3, 3]).max() < 2, "and the drive between their stamps"


@pytest.mark.full  # WebGL in software takes half a minute
@pytest.mark.parametrize("device", browser.WIDTHS)
def test_a_browser_shows_the_scene_and_plays_it(bag, tmp_path, device):
    browser.chromium()
    words = ("view", bag / "depth", "--reference", bag / "bag", "--port", free_port(), "--stride", 1)
    marker = r"7 images: open (http://localhost:\d+)"
    with running(*words, marker=marker) as found, browser.opened(found[1], device, *SOFTWARE_GL) as (page, errors):
        page.wait_for_selector("canvas")
        page.get_by_text("depth coloured by").wait_for(state="attached")
        shown = page.locator("input:disabled").first
        page.wait_for_timeout(3000)
        page.screenshot(path=tmp_path / "still.png", timeout=120_000)
        before = shown.input_value()
        page.locator("//input[@disabled]/following::input[@type='checkbox'][1]").evaluate("box => box.click()")
        deadline = time.monotonic() + 120
        while shown.input_value() == before and time.monotonic() < deadline:
            page.wait_for_timeout(100)
        assert shown.input_value() != before
        assert errors == []
        browser.check_readable(page, rules=["color-contrast"])
    from PIL import Image

    with Image.open(tmp_path / "still.png") as still:
        colours = np.unique(np.asarray(still.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 500, "points in their own colours, on white"


def test_a_bag_without_depth_gets_it_first_and_wrong_words_are_one_line(bag, capsys):
    words = ("view", bag / "bag", "--weights", "tiny", "--backend", "eager", "--port", free_port())
    with running(*words, marker=r"7 images: open (http://localhost:\d+)") as found:
        answer = urllib.request.urlopen(found[1].replace("localhost", "127.0.0.1"))
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    for arguments, message in (
        (["view"], "name a BAG, or say --live"),
        (["view", str(bag / "bag"), "--live"], "name a BAG, or say --live"),
        (["view", str(bag / "bag"), "--every", "0"], "--every is 0, expected at least 1"),
        (["view", str(bag / "bag"), "--cameras", "CAM_SIDE"], "has no images of a camera 'CAM_SIDE'"),
        (["view", str(bag / "depth"), "--camera-info-topic", "/x"], "has no topic /x; see --reference"),
    ):
        capsys.readouterr()
        assert cli.main(arguments) == 2
        assert message in capsys.readouterr().err


def test_foxglove_gets_the_messages_of_a_running_node_and_only_while_it_looks(rig, depth_node):
    """A client of Foxglove's protocol: what it receives is, byte for byte, a message that the node published."""
    pytest.importorskip("foxglove")
    from sensor_msgs.msg import Image
    from websockets.sync.client import connect

    depth_node()
    topic = "/CAM_FRONT/depth/color"
    with running("view", "--live", "--port", free_port(), marker=r"open (ws://[\d.:]+) .* layout (\S+)") as found:
        assert topic in Path(found[2]).read_text()
        with connect(found[1], subprotocols=["foxglove.sdk.v1"], max_size=None) as client:
            offered = {}

            def read_offers():
                with contextlib.suppress(TimeoutError):
                    while True:
                        message = client.recv(timeout=0.02)
                        if isinstance(message, str) and json.loads(message)["op"] == "advertise":
                            offered.update({each["topic"]: each for each in json.loads(message)["channels"]})

            rig.wait(lambda: read_offers() or topic in offered, "offer of the topic")
            channel = offered[topic]
            assert (channel["encoding"], channel["schemaEncoding"]) == ("cdr", "ros2msg")
            assert (channel["schemaName"], "uint32 height" in channel["schema"]) == ("sensor_msgs/msg/Image", True)
            assert rig.node.count_subscribers(topic) == 0, "nobody looks: the node computes no picture"
            client.send(json.dumps({"op": "subscribe", "subscriptions": [{"id": 7, "channelId": channel["id"]}]}))
            rig.wait(lambda: rig.node.count_subscribers(topic) == 1, "subscription")
            own = []
            rig.node.create_subscription(Image, topic, own.append, 10, raw=True)
            received = []

            def read_data():
                with contextlib.suppress(TimeoutError):
                    while True:
                        message = client.recv(timeout=0.002)
                        if isinstance(message, bytes) and struct.unpack_from("<BI", message) == (1, 7):
                            received.append(message[13:])
                return bool({bytes(each) for each in own} & set(received))

            rig.drive_until(read_data, "the same message on both ways")
            client.send(json.dumps({"op": "unsubscribe", "subscriptionIds": [7]}))
            rig.wait(lambda: rig.node.count_subscribers(topic) == 1, "end of the subscription")  # the rig's own
