# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node in a process of its own, over real DDS: what goes in comes out once, or is counted."""

import array
import io
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

pytest.importorskip("rclpy", reason="the node needs rclpy")
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage, Image

from lircdepth_core.geometry import rigid_transform, sensor_to_sensor
from lircdepth_core.models import checkpoints
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan
from paths import SUPPORT
from rig import (
    BASE_FROM_CAMERA,
    BASE_FROM_RADAR,
    INTRINSICS,
    MS,
    PATIENCE_S,
    REPOSITORY,
    START,
    command,
    header,
    keeping_every_image,
    picture,
    stamp_of,
)


@pytest.mark.parametrize("source", ["calibration", "tf"])
def test_a_scan_52_ms_after_its_image_is_fused_with_ego_motion_and_gives_the_pipelines_depth(rig, depth_node, source):
    """The published image is bit for bit what DepthPipeline computes from the same frame, with odometry or with tf."""
    if source == "tf":
        pytest.importorskip("tf2_ros", reason="the transforms come from tf2, which this machine does not have")
        rig.publish_tf({"CAM_FRONT": BASE_FROM_CAMERA, "RADAR_FRONT": BASE_FROM_RADAR})
    depth_node(transform_source=source, max_wait=10.0)  # 0.06 would do on an idle machine
    pixels = picture()
    points = np.array([[20.0, 0.2, 1.0, 9.0, -8.0, 0.1], [35.0, -0.5, 0.8, 3.0, -8.0, 0.2]])
    rig.send_info(START)
    rig.send_pose(START - 20 * MS, 100.0)
    rig.send_image(START, pixels)
    rig.spin(0.04)
    rig.send_scan(START + 52 * MS, points)
    rig.send_pose(START + 60 * MS, 100.8)  # 10 m/s: 0.52 m between image and scan
    rig.wait(lambda: rig.depth and rig.depth_info, "depth")

    (depth,), (info,) = rig.depth, rig.depth_info
    assert stamp_of(depth) == stamp_of(info) == START
    assert depth.header.frame_id == info.header.frame_id == "CAM_FRONT"
    assert (depth.height, depth.width, depth.encoding, depth.step) == (96, 160, "32FC1", 640)
    assert np.array_equal(np.reshape(info.k, (3, 3)), INTRINSICS)

    poses = [rigid_transform((x, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)) for x in (100.2, 100.72)]
    transform = sensor_to_sensor(BASE_FROM_CAMERA, BASE_FROM_RADAR, *poses)
    pipeline = DepthPipeline.from_weights("tiny", device="cpu", backend="eager", max_range=100.0)
    expected = pipeline(pixels, INTRINSICS, [(RadarScan.from_fields(*points.T), transform)])
    assert expected.returns_seen == 2
    published = np.frombuffer(depth.data, np.float32).reshape(96, 160)
    np.testing.assert_array_equal(published, expected.depth)
    rig.wait(lambda: rig.count("frames_out") == 1, "diagnostics")
    assert (rig.count("fused"), rig.count("camera_only"), rig.count("dropped")) == (1, 0, 0)
    assert "without_ego_motion" not in rig.status


def test_odometry_of_another_frame_of_the_vehicle_is_followed_from_there(rig, depth_node):
    """It is the radar's, 3.4 m ahead of base_link, and turns: base_link swings round it."""
    depth_node(max_wait=10.0)
    pixels, points = picture(), np.array([[20.0, 0.2, 1.0, 9.0, -8.0, 0.1]])
    poses = [rigid_transform((0.0, 0.0, 0.0), (np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2))) for yaw in (0.0, 0.02)]
    rig.send_info(START)
    for stamp, yaw in ((START, 0.0), (START + 50 * MS, 0.02)):
        message = Odometry(header=header(stamp, "odom"), child_frame_id="RADAR_FRONT")
        rotation = message.pose.pose.orientation
        rotation.w, rotation.z = float(np.cos(yaw / 2)), float(np.sin(yaw / 2))
        rig.odometry.publish(message)
    rig.spin(0.2)
    rig.send_scan(START + 50 * MS, points)
    rig.send_image(START, pixels)
    rig.wait(lambda: rig.depth, "depth")
    base = [pose @ np.linalg.inv(BASE_FROM_RADAR) for pose in poses]
    transform = sensor_to_sensor(BASE_FROM_CAMERA, BASE_FROM_RADAR, *base)
    pipeline = DepthPipeline.from_weights("tiny", device="cpu", backend="eager", max_range=100.0)
    expected = pipeline(pixels, INTRINSICS, [(RadarScan.from_fields(*points.T), transform)])
    standing = sensor_to_sensor(BASE_FROM_CAMERA, BASE_FROM_RADAR, *poses)
    other = pipeline(pixels, INTRINSICS, [(RadarScan.from_fields(*points.T), standing)])
    assert not np.array_equal(expected.depth, other.depth), "the radar's odometry taken for base_link's shows"
    published = np.frombuffer(rig.depth[0].data, np.float32).reshape(96, 160)
    np.testing.assert_allclose(published, expected.depth, rtol=1e-6)


def test_each_image_has_the_camera_info_of_its_own_stamp(rig, depth_node):
    """A camera that zooms: the next image's info is there before this image, and must not be taken for it."""
    depth_node()
    stamps = [START + i * 100 * MS for i in range(5)]
    for i, stamp in enumerate(stamps):
        rig.send_info(stamp, intrinsics=INTRINSICS + np.array([[0.0, 0.0, i], [0, 0, 0], [0, 0, 0]]))
    rig.spin(0.3)
    for stamp in stamps:
        rig.send_image(stamp, picture())
        rig.wait(lambda s=stamp: any(stamp_of(info) == s for info in rig.depth_info), "depth")
    columns = {stamp_of(info): info.k[2] for info in rig.depth_info}
    assert columns == {stamp: 80.0 + i for i, stamp in enumerate(stamps)}


def test_without_a_scan_the_frame_is_camera_only_and_counted(rig, depth_node):
    depth_node()
    rig.send_info(START)
    rig.send_image(START, picture())
    rig.send_scan(START + 200 * MS, np.ones((1, 6)) * 20)  # too far away in time
    rig.wait(lambda: rig.depth, "depth")
    rig.wait(lambda: rig.count("frames_out") == 1, "diagnostics")
    assert (rig.count("fused"), rig.count("camera_only")) == (0, 1)


@pytest.mark.parametrize("transport", ["compressed", "raw"])
def test_full_size_images_at_12_hz_all_arrive_and_each_becomes_depth_or_is_counted(rig, depth_node, transport):
    """Nothing is lost between processes: what the node does not publish, it says that it dropped."""
    topic = {"raw": rig.raw_image, "compressed": rig.image}[transport].topic_name
    depth_node(image_transport=transport, **keeping_every_image(topic))
    pixels, count = picture(height=900, width=1600), 24
    buffer = io.BytesIO()
    Picture.fromarray(pixels).resize((400, 225)).resize((1600, 900)).save(buffer, "JPEG")
    jpeg, raw = array.array("B", buffer.getvalue()), array.array("B", pixels.tobytes())
    intrinsics = np.array([[1266.0, 0, 800], [0, 1266.0, 450], [0, 0, 1.0]])
    begin = time.monotonic()
    stamps = [START + i * 83 * MS for i in range(count)]
    for i, stamp in enumerate(stamps):
        rig.send_info(stamp, 1600, 900, intrinsics)
        rig.send_pose(stamp, 1.0 * i)
        rig.send_scan(stamp, np.full((1, 6), 20.0))
        if transport == "raw":
            message = Image(
                header=header(stamp, "CAM_FRONT"), height=900, width=1600, encoding="rgb8", step=4800, data=raw
            )
            rig.raw_image.publish(message)
        else:
            rig.image.publish(CompressedImage(header=header(stamp, "CAM_FRONT"), format="jpeg", data=jpeg))
        rig.spin(max(0.0, begin + (i + 1) / 12 - time.monotonic()))
    rig.wait(lambda: rig.count("frames_in") == count, f"{count} images at the node")
    rig.wait(lambda: rig.count("frames_out") + rig.count("dropped") == count, "account of every image")
    rig.wait(lambda: len(rig.depth) == rig.count("frames_out"), "depth images")
    published = [stamp_of(message) for message in rig.depth]
    assert published == sorted(set(published)), "each once, in order"
    assert set(published) <= set(stamps)
    assert published[-1] == stamps[-1], "the newest image is never the one that is dropped"
    assert rig.count("dropped") == rig.count("dropped_busy")
    print(f"{transport}: {len(published)} of {count} became depth, latency p50 {rig.status['total_ms_p50']} ms")


def test_what_a_stalled_node_never_gets_is_counted(rig, depth_node):
    """The queue of ten in the middleware overwrites the rest; sent = in + lost all the same."""
    process = depth_node()
    rig.send_info(START)
    rig.send_image(START, picture())
    rig.wait(lambda: rig.count("frames_in") == 1, "first image")
    lost = "lost_before_the_node /CAM_FRONT/image_rect/compressed"
    assert lost not in rig.status
    process.send_signal(signal.SIGSTOP)
    sent = 1
    while sent < 40:
        rig.send_image(START + sent * MS, picture())
        sent += 1
    process.send_signal(signal.SIGCONT)
    rig.wait(lambda: rig.count("frames_in") > 1, "images after the stall")
    assert rig.count("frames_in") + rig.count(lost) <= sent
    rig.send_image(START + sent * MS, picture())  # tells of what was lost before it
    rig.wait(lambda: rig.count("frames_in") + rig.count(lost) == sent + 1, "account")
    assert rig.count(lost) > 0
    rig.wait(lambda: rig.count("frames_out") + rig.count("dropped") == rig.count("frames_in"), "account")


def test_when_the_network_cannot_keep_up_the_newest_image_is_used_and_the_rest_is_counted(rig, depth_node):
    depth_node(max_wait=0.0, **keeping_every_image())
    rig.send_info(START, 1600, 900)
    rig.wait(lambda: rig.count("frames_in") == 0, "diagnostics")
    pixels = picture(height=900, width=1600)[:, :, :] // 16 * 16
    stamps = [START + i * MS for i in range(10)]
    for stamp in stamps:  # a PNG of this size takes the node longer to decode than the next one to arrive
        rig.send_image(stamp, pixels)
        rig.spin(0.001)
    rig.wait(lambda: rig.count("frames_in") == 10 == rig.count("frames_out") + rig.count("dropped"), "account")
    rig.wait(lambda: len(rig.depth) == rig.count("frames_out"), "depth images")
    assert stamp_of(rig.depth[-1]) == stamps[-1]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="the network's one thread leaves no core to decode on")
def test_an_image_that_waits_for_the_network_is_decoded_meanwhile_and_gives_its_own_depth(rig, depth_node):
    depth_node(max_wait=0.0, **keeping_every_image())
    rig.send_info(START, 1600, 900)
    rig.wait(lambda: rig.count("frames_in") == 0, "diagnostics")
    # PNG of this size takes long to decode, so that the second of two images finds the worker at the first.
    noise = np.random.default_rng(0).integers(0, 256, (2, 225, 400, 3), dtype=np.uint8)
    pictures = noise.repeat(4, axis=1).repeat(4, axis=2)
    files = [array.array("B", cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()) for pixels in pictures]
    sent = 0
    while sent < 40 and rig.count("decoded_ahead") == 0:  # a busy machine may deliver the second too late
        for png in files:
            stamp = header(START + sent * MS, "CAM_FRONT")
            rig.image.publish(CompressedImage(header=stamp, format="png", data=png))
            sent += 1
        rig.wait(lambda n=sent: rig.count("frames_out") + rig.count("dropped") == n, "account")
    assert rig.count("decoded_ahead") > 0
    rig.wait(lambda: len(rig.depth) == rig.count("frames_out"), "depth images")
    pipeline = DepthPipeline.from_weights("tiny", device="cpu", backend="eager", max_range=100.0)
    expected = [pipeline(pixels, INTRINSICS).depth for pixels in pictures]
    assert not np.allclose(*expected, equal_nan=True)
    for message in rig.depth:
        which = (stamp_of(message) - START) // MS % 2
        depth = np.frombuffer(message.data, np.float32).reshape(900, 1600)
        np.testing.assert_allclose(depth, expected[which], rtol=1e-6)  # sums are in the order of the threads


def test_wrong_messages_are_named_and_counted_and_the_next_good_one_works(rig, depth_node):
    process = depth_node(image_transport="raw", max_wait=0.01)
    good = np.full((1, 6), 20.0)
    pixels = picture()

    def send(stamp, encoding="rgb8"):
        data = array.array("B", pixels.tobytes())
        image = Image(header=header(stamp, "CAM_FRONT"), height=96, width=160, encoding=encoding, step=480, data=data)
        rig.raw_image.publish(image)

    send(START)  # no camera_info yet
    rig.wait(lambda: rig.count("dropped_no_camera_info") == 1, "drop without camera_info")
    rig.send_info(START)
    rig.spin(0.2)
    send(START + 100 * MS, encoding="yuv444_magic")
    rig.wait(lambda: rig.count("dropped_bad_input") == 1, "drop of an unknown encoding")
    assert "yuv444_magic" in rig.status["last_error"]
    send(0)
    rig.wait(lambda: rig.count("dropped_zero_stamp") == 1, "drop of a zero stamp")
    rig.send_scan(START + 200 * MS, good, names=("x", "y", "z", "vx", "vy"))
    rig.wait(lambda: rig.count("scans_refused") == 1, "refused scan")
    assert "no field rcs" in rig.status["last_error"]
    rig.send_info(START, width=320, height=240)
    rig.spin(0.2)
    send(START + 300 * MS)
    rig.wait(lambda: rig.count("dropped_bad_input") == 2, "drop of another size than camera_info's")
    assert "camera_info is for 320x240, the image is 160x96" in rig.status["last_error"]
    assert not rig.depth
    rig.send_info(START)
    rig.spin(0.2)
    send(START + 400 * MS)
    rig.wait(lambda: rig.depth, "depth after all that")
    assert process.poll() is None


def test_a_bag_that_loops_goes_on_giving_depth(rig, depth_node):
    depth_node()
    rig.send_info(START)
    for lap in range(2):
        for i in range(3):
            rig.send_pose(START + i * 100 * MS, 1.0)
            rig.send_scan(START + i * 100 * MS, np.full((1, 6), 20.0))
            rig.send_image(START + i * 100 * MS, picture())
            rig.wait(lambda n=3 * lap + i + 1: len(rig.depth) == n, "depth of every image in both laps")
    rig.wait(lambda: rig.count("time_jumps") == 1, "diagnostics that tell of the jump")


def test_lifecycle_commands_start_and_stop_the_depth(rig, depth_node):
    depth_node(ready=False, autostart=False)
    client = rig.node.create_client(ChangeState, "/depth_node/change_state")
    rig.wait(client.service_is_ready, "lifecycle service")

    def change(transition):
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        rig.wait(future.done, "answer to a lifecycle command")
        return future.result().success

    def frame(i):
        rig.send_info(START)
        rig.send_scan(START + i * 100 * MS, np.full((1, 6), 20.0))
        rig.send_image(START + i * 100 * MS, picture())

    for lap in range(2):
        assert change(Transition.TRANSITION_CONFIGURE)
        assert rig.image.get_subscription_count() == 0, "not subscribed before it is active"
        assert change(Transition.TRANSITION_ACTIVATE)
        rig.wait(lambda: rig.image.get_subscription_count() == 1, "subscription")
        rig.spin(1.0)
        frame(2 * lap)
        rig.wait(lambda n=lap + 1: len(rig.depth) == n, "depth while active")
        assert change(Transition.TRANSITION_DEACTIVATE)
        rig.wait(lambda: rig.image.get_subscription_count() == 0, "end of the subscription")
        frame(2 * lap + 1)
        rig.spin(0.5)
        assert len(rig.depth) == lap + 1, "no depth while inactive"
        assert change(Transition.TRANSITION_CLEANUP)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_the_network_is_prepared_is_obeyed_at_once(calibration, told):
    """Preparing may take minutes; who asks the node to stop meanwhile would kill it. Plain, at full size: seconds."""
    process = subprocess.Popen(
        command(calibration, weights="random", backend="plain"),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert "preparing the network for 1600x896" in process.stdout.readline()
        process.send_signal(told)
        output, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert "Traceback" not in output, output  # rcl may say that /rosout went away under the last log line
    assert process.returncode == 0


@pytest.fixture(scope="module")
def refusals(calibration, tmp_path_factory):
    """Return a node's (exit status, output) for wrong parameters, by name of the case.

    The first is a process of its own, as a user starts it; for the others one process calls main again and again, each
    time in a new context.
    """
    folder = tmp_path_factory.mktemp("refusals")
    network, _ = checkpoints.random_weights("tiny")
    checkpoints.save(folder / "other.safetensors", network, checkpoints.Header(model="lircdepth"))
    cases = {name: {**parameters} for name, (parameters, _) in WRONG_PARAMETERS.items()}
    cases["weights of another network"] = {"weights": folder / "other.safetensors"}
    first, *others = cases
    run = partial(subprocess.run, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    process = run(command(calibration, **cases[first]))
    results = {first: (process.returncode, process.stdout + process.stderr)}
    lines = [[str(folder / name), *command(calibration, **cases[name])[3:]] for name in others]
    process = run([sys.executable, SUPPORT / "refused_nodes.py", json.dumps(lines)])
    assert process.returncode == 0, process.stdout + process.stderr
    statuses = json.loads(process.stdout)
    return results | {name: (statuses[str(folder / name)], (folder / name).read_text()) for name in others}


WRONG_PARAMETERS = {
    "absent weights": ({"weights": "absent.safetensors"}, "absent.safetensors: no such weights file"),
    "weights of another network": ({}, "another network than LiRCDepth: keys"),
    "absent calibration": ({"calibration_file": "absent.yaml"}, "absent.yaml"),
    "no calibration": ({"calibration_file": "''"}, "calibration_file is empty"),
    "absent device": ({"device": "cuda:99"}, "device 'cuda:99' was asked for, but PyTorch sees"),
    "backend of one's own": ({"backend": "own.Backend"}, "run only where you allow it: export LIRCDEPTH_BACKENDS=own"),
    "unknown choice": ({"image_transport": "theora"}, "image_transport is 'theora', expected one of compressed, raw"),
    "wrong type": ({"inference_scale": "big"}, "inference_scale"),
    "out of range": ({"inference_scale": 100.0}, "inference_scale"),
    # rcl takes an empty list for nothing: it would not undo the list of a file.
    "no radar": (
        {"radar_topics": "[]", "--params-file": REPOSITORY / "config" / "model.yaml"},
        "radar_topics is [], expected a list of one or more texts",
    ),
    "bad topic name": ({"image_topic": "'front camera'"}, "image_topic is 'front camera', which is no topic name"),
    "one topic for two radars": (
        {"radar_topics": "[/RADAR_FRONT/points, RADAR_FRONT/points]"},
        "radar_topics are /RADAR_FRONT/points, /RADAR_FRONT/points, expected different ones",
    ),
    "misspelled QoS": (
        {"qos_overrides./RADAR_FRONT/points.subscription.reliability": "relyable"},
        "is 'relyable', expected system_default, reliable, best_effort, best_available; did you mean 'reliable'?",
    ),
    "no value": ({"-p": "fixed_frame:="}, "Couldn't parse parameter override rule: '-p fixed_frame:='"),
    "empty text": ({"fixed_frame": "''"}, "fixed_frame is '', expected a text that is not empty"),
    "absent parameter file": ({"--params-file": "absent.yaml"}, "parameter file absent.yaml: No such file"),
    "radar driver that is not known": ({"radar_driver": "[ars54]"}, "radar_driver is 'ars54', expected one of ars408"),
    "radar messages that are not installed": (
        {"radar_driver": "[ars408]"},
        "radar_driver 'ars408' reads radar_msgs/RadarScan: install the ROS package radar_msgs",
    ),
    "too few fields": ({"radar_fields": "x y"}, "radar_fields is 'x y', expected six names"),
}


@pytest.mark.parametrize("case", WRONG_PARAMETERS)
def test_a_wrong_parameter_is_one_error_and_status_2(refusals, case):
    status, output = refusals[case]
    assert status == 2, output
    assert WRONG_PARAMETERS[case][1] in output
    assert "Traceback" not in output
    lines = [line for line in output.strip().splitlines() if "[rcl]: Failed to parse global arguments" not in line]
    assert len(lines) == 1, output
