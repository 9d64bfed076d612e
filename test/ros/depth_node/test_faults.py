# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: one test a fault, each through real DDS, each on what comes out *and* on what diagnostics say.

docs/faults.md has the same rows with what a user sees. A healthy node is OK, so that every other level is the fault's.
"""

import array
import io
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the node needs rclpy")
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from PIL import Image as Picture
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from lircdepth_core.geometry.calibration import Calibration
from rig import (
    INTRINSICS,
    PATIENCE_S,
    REPOSITORY,
    RETURNS,
    Rig,
    command,
    header,
    keeping_every_image,
    picture,
    stamp_of,
)

OK, WARN, ERROR, STALE = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE
SECOND = 1_000_000_000


@pytest.fixture
def node(depth_node, weights):
    """Start a healthy node (trained weights by their header) whose patience is short."""

    def start(**parameters):
        return depth_node(**({"weights": weights, "stale_after": 1.0} | parameters))

    return start


def healthy(rig, **sensors):
    """Drive until the node is OK and gives depth."""
    depth = len(rig.depth)
    rig.drive_until(lambda: rig.level == OK and len(rig.depth) > depth + 2, "healthy node", **sensors)


def expect(rig, level, words, **sensors):
    """Drive until diagnostics are at a level with these words in the message."""
    rig.drive_until(lambda: rig.level == level and re.search(words, rig.message), f"level {level} '{words}'", **sensors)


# --- radar -------------------------------------------------------------------------------------------------------


def test_radar_silent(rig, node):
    node()
    healthy(rig)
    expect(rig, WARN, "100 % of depth is from the camera alone", scans=False)
    before = rig.count("camera_only")
    rig.drive_until(lambda: rig.count("camera_only") > before + 5, "camera-only depth", scans=False)
    healthy(rig)


@pytest.mark.parametrize(("delay", "fused"), [(0.03, True), (0.08, True), (2.0, False)])
def test_radar_late(rig, node, delay, fused):
    """Up to 60 ms a scan is waited for; one later than that leaves an older scan within the window, or none."""
    node()
    if fused:
        healthy(rig, scan_delay=delay)
        fused, alone = rig.count("fused"), rig.count("camera_only")
        rig.drive_until(lambda: rig.count("fused") > fused + 20, "fused depth", scan_delay=delay)
        assert rig.count("camera_only") - alone <= 4
    else:
        expect(rig, WARN, "from the camera alone", scan_delay=delay)
        assert rig.count("fused") == 0


def test_radar_twice_as_fast(rig, node):
    node()
    healthy(rig, scan_hz=26.0)
    fused = rig.count("fused")
    rig.drive_until(lambda: rig.level == OK and rig.count("fused") > fused + 20, "fused depth", scan_hz=26.0)
    assert abs(float(rig.status["sync_offset_ms_p50"])) <= 39, "never farther than the period of 38 ms"


def test_cloud_empty(rig, node):
    node()
    overlays = []
    rig.node.create_subscription(Image, "/CAM_FRONT/radar_overlay", overlays.append, 10)
    expect(rig, WARN, "from the camera alone", scans=lambda stamp: rig.send_scan(stamp, np.zeros((0, 6))))
    assert "scans_refused" not in rig.status
    assert rig.depth
    assert overlays, "with nothing drawn in"


def test_cloud_with_nan_and_inf(rig, node):
    node()
    points = np.vstack([RETURNS, RETURNS, RETURNS])
    points[2, 0], points[3, 4] = np.nan, np.inf
    rig.drive_until(
        lambda: rig.level == OK and rig.count("fused") > 5,
        "fused depth",
        scans=lambda stamp: rig.send_scan(stamp, points),
    )
    assert rig.count("returns_rejected") == pytest.approx(2 * rig.count("fused"), abs=2)


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (lambda rig, stamp: rig.send_scan(stamp, RETURNS, names=("x", "y", "z", "vx", "vy")), "no field rcs"),
        (lambda rig, stamp: rig.send_scan(stamp, RETURNS, point_step=20, row_step=40), "beyond point_step 20"),
        (lambda rig, stamp: rig.send_scan(stamp, RETURNS, data=array.array("B", bytes(30))), "holds 30 bytes"),
        (lambda rig, stamp: rig.send_scan(stamp, RETURNS, width=2**31, row_step=2**31), "declares 2147483648"),
        (lambda rig, stamp: rig.send_scan(0, RETURNS), "stamp 0"),
    ],
    ids=["missing field", "point_step too small", "data shorter than declared", "absurd size", "zero stamp"],
)
def test_cloud_wrong(rig, node, send, words):
    """The scan is left out and named; depth goes on from the camera alone, and is fused again with a good one."""
    node()
    expect(rig, WARN, f"from the camera alone.*{words}", scans=lambda stamp: send(rig, stamp))
    assert rig.count("scans_refused") > 0
    assert rig.count("fused") == 0
    healthy(rig)


def test_cloud_big_endian(rig, node):
    node()
    swapped = array.array("B", RETURNS.astype(">f4").tobytes())
    rig.drive_until(
        lambda: rig.level == OK and rig.count("fused") > 5,
        "fused depth",
        scans=lambda stamp: rig.send_scan(stamp, RETURNS, is_bigendian=True, data=swapped),
    )


# --- camera ------------------------------------------------------------------------------------------------------


def test_image_silent_then_back(rig, node):
    node()
    healthy(rig)
    expect(rig, STALE, "no image for", image=False)
    depth = len(rig.depth)
    rig.drive(0.5, image=False)
    assert len(rig.depth) == depth
    healthy(rig)


def test_images_of_another_size_in_mid_run(rig, node):
    node()
    healthy(rig)
    big = np.array([[1266.0, 0, 160], [0, 1266.0, 96], [0, 0, 1.0]])
    rig.drive_until(
        lambda: rig.depth[-1].width == 320,
        "depth of the new size",
        image=lambda stamp: rig.send_image(stamp, picture(height=192, width=320)),
        info=lambda stamp: rig.send_info(stamp, 320, 192, big),
    )
    assert len(rig.depth[-1].data) == 320 * 192 * 4
    healthy(rig)


def test_camera_info_missing_then_late(rig, node):
    node()
    expect(rig, ERROR, "no depth for .* no camera_info on /CAM_FRONT/camera_info", info=False)
    assert not rig.depth
    assert rig.count("dropped_no_camera_info") > 0
    healthy(rig)


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (lambda rig, stamp: rig.send_info(stamp, 320, 240), "camera_info is for 320x240, the image is 160x96"),
        (lambda rig, stamp: rig.send_info(stamp, intrinsics=np.zeros((3, 3))), "not calibrated"),
        (lambda rig, stamp: rig.send_info(stamp, intrinsics=np.full((3, 3), np.nan)), "not calibrated"),
        (
            lambda rig, stamp: rig.info.publish(CameraInfo(width=160, height=96, k=INTRINSICS.ravel(), d=[0.1] * 5)),
            "no P",
        ),
    ],
    ids=["wrong size", "zero intrinsics", "NaN intrinsics", "distorted without P"],
)
def test_camera_info_wrong(rig, node, send, words):
    node()
    expect(rig, ERROR, words, info=lambda stamp: send(rig, stamp))
    assert not rig.depth
    healthy(rig)


def test_camera_info_of_a_distorted_camera_gives_depth_by_its_rectified_matrix(rig, node):
    node()
    projection = np.column_stack([INTRINSICS, np.zeros(3)]).ravel()
    wild = CameraInfo(width=160, height=96, k=(INTRINSICS * 2).ravel(), d=[0.1] * 5, p=projection)
    healthy(rig, info=lambda stamp: rig.info.publish(wild))
    assert rig.depth_info[-1].d.tolist() == [0.1] * 5


def test_image_with_zero_stamp(rig, node):
    node()
    expect(rig, ERROR, "stamp 0", image=lambda stamp: rig.send_image(0, picture()))
    assert not rig.depth
    assert rig.count("dropped_zero_stamp") > 0
    healthy(rig)


def test_stamps_going_back_and_far_forward(rig, node):
    node(transform_source="calibration")
    healthy(rig)
    day = 86_400 * SECOND
    for shift, jumps in ((day, 0), (0, 1), (-day, 2)):
        seen = len(rig.depth)

        def shifted(send, shift=shift):
            return lambda stamp: send(stamp + shift)

        rig.drive_until(
            lambda n=seen: len(rig.depth) > n + 5,
            "depth after a jump in time",
            image=shifted(lambda stamp: rig.send_image(stamp, picture())),
            info=shifted(rig.send_info),
            scans=shifted(lambda stamp: rig.send_scan(stamp, RETURNS)),
            poses=shifted(lambda stamp: rig.send_pose(stamp, 0.0)),
        )
        rig.wait(lambda n=jumps: rig.count("time_jumps") >= n, "jumps in the diagnostics")
        assert abs(stamp_of(rig.depth[-1]) - (time.time_ns() + shift)) < 60 * SECOND


def padded(encoding, pixels, padding=0):
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    height, width = pixels.shape[:2]
    data = array.array("B", rows.tobytes())
    return Image(height=height, width=width, encoding=encoding, step=rows.shape[1], data=data)


def test_each_encoding_with_padded_rows(rig, node):
    """All describe one grey picture, whose depth is the same in each."""
    node(image_transport="raw", max_wait=0.0)
    grey = np.full((96, 160), 128, np.uint8)
    luma, chroma = np.full((96, 160), 126, np.uint8), np.full((96, 160), 128, np.uint8)
    messages = [padded(name, np.dstack([grey] * 3), 5) for name in ("rgb8", "bgr8")]
    messages += [padded(name, np.dstack([grey] * 4), 6) for name in ("rgba8", "bgra8")]
    messages += [padded("mono8", grey, 3), padded("mono16", grey.astype("<u2") << 8, 4)]
    messages += [padded(name, np.dstack([grey] * 3).astype("<u2") << 8, 2) for name in ("rgb16", "bgr16")]
    messages += [padded(f"bayer_{pattern}8", grey, 1) for pattern in ("rggb", "bggr", "gbrg", "grbg")]
    messages += [padded(name, np.dstack([chroma, luma]), 2) for name in ("yuv422", "uyvy")]
    messages += [padded(name, np.dstack([luma, chroma]), 2) for name in ("yuv422_yuy2", "yuyv")]
    rig.send_info(0)
    rig.spin(0.3)
    for i, message in enumerate(messages):
        message.header = header((i + 1) * SECOND, "CAM_FRONT")
        rig.raw_image.publish(message)
        rig.wait(lambda n=i + 1: len(rig.depth) == n, f"depth of {message.encoding}")
    first = np.frombuffer(rig.depth[0].data, np.float32)
    for message, depth in zip(messages, rig.depth, strict=True):
        difference = np.abs(np.frombuffer(depth.data, np.float32) - first).max()
        assert difference < 0.05, f"{message.encoding}: {difference} m"
    rig.wait(lambda: rig.count("frames_out") == len(messages), "diagnostics")
    assert rig.count("dropped") == 0


def test_unknown_encoding(rig, node):
    node(image_transport="raw")
    strange = padded("yuv444_magic", picture())

    def send(stamp):
        strange.header = header(stamp, "CAM_FRONT")
        rig.raw_image.publish(strange)

    expect(rig, ERROR, "yuv444_magic.*not supported", image=send)
    assert not rig.depth


@pytest.mark.parametrize("size", [{"height": 2**31, "width": 2**31}, {"step": 10}, {"height": 97}])
def test_image_whose_declared_size_is_absurd(rig, node, size):
    node(image_transport="raw")

    def send(stamp):
        message = padded("rgb8", picture())
        for name, value in size.items():
            setattr(message, name, value)
        message.header = header(stamp, "CAM_FRONT")
        rig.raw_image.publish(message)

    expect(rig, ERROR, "image (declares|of)", image=send)
    assert not rig.depth


def test_corrupt_jpeg(rig, node):
    node()
    buffer = io.BytesIO()
    Picture.fromarray(picture()).save(buffer, "JPEG")
    half = array.array("B", buffer.getvalue()[: len(buffer.getvalue()) // 2])

    def send(stamp):
        rig.image.publish(CompressedImage(header=header(stamp, "CAM_FRONT"), format="jpeg", data=half))

    expect(rig, ERROR, "not a whole JPEG", image=send)
    assert not rig.depth
    healthy(rig)


# --- the account of images ---------------------------------------------------------------------------------------


def test_each_image_sent_twice(rig, node):
    """Depth once for each; the repetitions are counted. The rig checks the account of every report."""
    node(**keeping_every_image())

    def twice(stamp):
        rig.send_image(stamp, picture())
        rig.send_image(stamp, picture())

    stamps = rig.drive(2.0, image=twice)
    rig.wait(lambda: rig.count("frames_in") == 2 * len(stamps), "all images at the node")
    rig.wait(lambda: rig.count("frames_waiting") == 0, "account")
    busy = rig.count("dropped_busy")
    assert (rig.count("dropped_duplicate"), rig.count("frames_out")) == (len(stamps), len(stamps) - busy)
    assert rig.count("time_jumps") == 0
    rig.wait(lambda: len(rig.depth) == len(stamps) - busy, "depth")
    assert len({stamp_of(message) for message in rig.depth}) == len(rig.depth)


def test_an_image_out_of_order(rig, node):
    node(**keeping_every_image())
    rig.send_info(SECOND)
    for milliseconds in (1000, 1080, 1040, 1160):
        rig.send_image(milliseconds * SECOND // 1000, picture())
        rig.spin(0.2)
    rig.wait(lambda: rig.count("frames_in") == 4 and rig.count("frames_waiting") == 0, "account")
    assert rig.count("dropped_out_of_order") == 1
    assert rig.count("time_jumps") == 0
    assert "an image is older than the one before it" in rig.status["last_error"]


def test_radar_clock_that_is_37_s_ahead(rig, node):
    node()
    expect(
        rig,
        WARN,
        "from the camera alone: /RADAR_FRONT/points: its stamps are 3[67]..* s ahead of those of the images",
        scans=lambda stamp: rig.send_scan(stamp + 37 * SECOND, RETURNS),
    )
    healthy(rig)


def test_radar_without_velocities(rig, node):
    process = node(radar_fields="'x y z rcs 0 0'")
    names = ("x", "y", "z", "rcs")

    def send(stamp):
        rig.send_scan(stamp, RETURNS, names=names)

    healthy(rig, scans=send)
    rig.drive_until(lambda: rig.count("fused") > 0, "fused depth", scans=send)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert output.count("vx, vy of the radar is taken as 0: the network never learnt") == 1


def test_a_topic_of_another_type(rig, node):
    """It is a publisher, so that 'no publisher' would be wrong; both types are named, and who publishes."""
    node(image_transport="raw", image_topic="/CAM_FRONT/image_rect/compressed", ready=False)
    words = "compressed is published as sensor_msgs/msg/CompressedImage by /rig, expected sensor_msgs/msg/Image"
    expect(rig, STALE, words)


def test_a_topic_of_another_type_beside_the_right_one_is_named_with_its_publisher(rig, node):
    node()
    healthy(rig)
    other = rclpy.Context()  # one participant of DDS cannot publish a topic with two types
    other.init()
    try:
        driver = rclpy.create_node("other_driver", context=other)
        driver.create_publisher(CompressedImage, "/RADAR_FRONT/points", 10)
        named = "published as sensor_msgs/msg/CompressedImage by /other_driver, expected sensor_msgs/msg/PointCloud2"
        expect(rig, WARN, named)
    finally:
        other.try_shutdown()


def test_stamps_of_another_clock_are_an_error_with_the_remedy(rig, node):
    """A recording that is played, and use_sim_time forgotten: depth comes, and nothing that follows can use it."""
    node()
    year = 365 * 24 * 3600 * SECOND
    old = {
        "image": lambda stamp: rig.send_image(stamp - 5 * year, picture()),
        "scans": lambda stamp: rig.send_scan(stamp - 5 * year, RETURNS),
    }
    expect(rig, ERROR, "stamped 5.0 years before this node's clock: in a replay set use_sim_time to true", **old)
    rig.drive_until(lambda: rig.depth, "depth", **old)
    healthy(rig)


def test_a_camera_info_that_was_latched_before_the_node_came_is_found(rig, node):
    """Published once, for late joiners: a volatile subscription, which suits every other driver, would not get it."""
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    rig.info = rig.node.create_publisher(CameraInfo, "/CAM_FRONT/camera_info", latched)
    rig.send_info(time.time_ns())
    node()
    healthy(rig, info=False)


# --- QoS, transforms ---------------------------------------------------------------------------------------------


def test_best_effort_publishers_are_heard_by_default(context, depth_node, weights):
    node = rclpy.create_node("best_effort_rig")
    try:
        rig = Rig(node, reliable=False)
        process = depth_node(ready=False, weights=weights, stale_after=1.0)
        healthy(rig)
        assert process.poll() is None
    finally:
        node.destroy_node()


@pytest.mark.parametrize(
    "topic", ["/CAM_FRONT/image_rect/compressed", "/CAM_FRONT/camera_info", "/RADAR_FRONT/points", "/odom"]
)
def test_a_subscription_that_demands_more_than_is_offered_is_named_with_the_remedy(context, depth_node, weights, topic):
    node = rclpy.create_node("best_effort_rig")
    try:
        rig = Rig(node, reliable=False)
        override = {f"qos_overrides.{topic}.subscription.reliability": "reliable"}
        depth_node(ready=False, weights=weights, stale_after=1.0, **override)
        words = re.escape(f"publisher on {topic} offers a QoS") + ".*reliability.*change qos_overrides"
        rig.drive_until(lambda: rig.level not in (None, OK) and re.search(words, rig.message), words)
    finally:
        node.destroy_node()


def test_a_subscriber_that_demands_more_than_is_offered_is_named(rig, node):
    node()
    quality = rclpy.qos.QoSProfile(depth=1, durability=rclpy.qos.DurabilityPolicy.TRANSIENT_LOCAL)
    rig.node.create_subscription(Image, "/CAM_FRONT/depth/image", lambda message: None, quality)
    expect(rig, WARN, "subscription to /CAM_FRONT/depth/image asks for a QoS that is not offered .durability")
    rig.drive_until(lambda: rig.depth, "depth all the same")


def test_no_publisher_is_named(context, depth_node, weights):
    """A topic that nobody publishes is told after five seconds, with what to look for."""
    node = rclpy.create_node("listener")
    try:
        rig = Rig(node)
        depth_node(ready=False, weights=weights, image_topic="/CAM_FORNT/image_rect", stale_after=1.0)
        expect(rig, STALE, "no publisher on /CAM_FORNT/image_rect/compressed: .*ros2 topic list")
    finally:
        node.destroy_node()


def test_odometry_missing_then_appearing(rig, node):
    node()
    expect(rig, WARN, "no ego motion", poses=False)
    rig.drive_until(lambda: rig.count("fused") > 0 < rig.count("without_ego_motion"), "fused depth", poses=False)
    healthy(rig)


def test_calibration_without_the_radar(rig, node, tmp_path):
    path = tmp_path / "calibration.yaml"
    Calibration({"CAM_FRONT": np.eye(4)}).save(path)
    node(calibration_file=path)
    expect(rig, WARN, "from the camera alone.*no frame 'RADAR_FRONT'; known: base_link, CAM_FRONT")
    assert rig.count("fused") == 0
    assert rig.count("scans_without_transform") > 0


def test_transforms_missing_then_appearing(rig, node):
    pytest.importorskip("tf2_ros", reason="the transforms come from tf2, which this machine does not have")
    node(transform_source="tf")
    expect(rig, WARN, "from the camera alone.*tf: ")
    assert rig.count("fused") == 0
    from rig import BASE_FROM_CAMERA, BASE_FROM_RADAR

    rig.publish_tf({"CAM_FRONT": BASE_FROM_CAMERA, "RADAR_FRONT": BASE_FROM_RADAR})
    healthy(rig)


# --- the machine, the process, the others ------------------------------------------------------------------------


def test_memory_exhausted(rig, node):
    """A real refusal of the allocator: the process may not grow. The frame is dropped and named, the node lives on."""
    process = node()
    healthy(rig)
    used = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(process.pid, resource.RLIMIT_AS, (used + 300 * 2**20, resource.RLIM_INFINITY))
    buffer = io.BytesIO()
    Picture.new("RGB", (8000, 7000)).save(buffer, "JPEG")  # 168 MB of pixels, five times that on the way
    data = array.array("B", buffer.getvalue())
    big = np.array([[1266.0, 0, 4000], [0, 1266.0, 3500], [0, 0, 1.0]])

    def send(stamp):
        rig.image.publish(CompressedImage(header=header(stamp, "CAM_FRONT"), format="jpeg", data=data))

    expect(rig, ERROR, "memory", image=send, info=lambda stamp: rig.send_info(stamp, 8000, 7000, big))
    assert rig.count("dropped_out_of_memory") > 0
    resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    healthy(rig)


def test_sigint_during_inference(rig, depth_node):
    """The published network takes seconds a frame here: the process still ends, after one frame at most."""
    process = depth_node(weights="random", inference_scale=0.5)
    rig.send_info(1, 1600, 900, np.array([[1266.0, 0, 800], [0, 1266.0, 450], [0, 0, 1.0]]))
    rig.spin(0.3)
    for i in range(5):
        rig.send_image(SECOND * (i + 1), picture(height=900, width=1600))
    rig.spin(0.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert len(rig.depth) <= 2


def test_sigkill_and_restart_under_a_running_camera(rig, node, calibration, weights):
    process = subprocess.Popen(command(calibration, weights=weights), cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    try:
        healthy(rig)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    rig.spin(0.5)  # what it had published
    depth = len(rig.depth)
    rig.drive(1.0)
    assert len(rig.depth) == depth
    node()
    healthy(rig)


def test_a_subscriber_that_joins_and_leaves(rig, node):
    """Views are computed while somebody listens, and depth does not notice."""
    node()
    healthy(rig)
    views = {
        "/CAM_FRONT/depth/color": Image,
        "/CAM_FRONT/radar_overlay": Image,
        "/CAM_FRONT/depth/points": PointCloud2,
        "/CAM_FRONT/depth/radar_arrows": MarkerArray,
    }
    received = {topic: [] for topic in views}
    listeners = [rig.node.create_subscription(kind, topic, received[topic].append, 10) for topic, kind in views.items()]
    rig.drive_until(lambda: all(received.values()), "views")
    for listener in listeners:
        rig.node.destroy_subscription(listener)
    seen = {topic: len(messages) for topic, messages in received.items()}
    healthy(rig)
    assert {topic: len(messages) for topic, messages in received.items()} == seen

    color, overlay, points, arrows = (received[topic][0] for topic in views)
    assert (color.encoding, color.height, color.width) == ("rgb8", 96, 160)
    marked = np.frombuffer(overlay.data, np.uint8).reshape(96, 160, 3) != picture()
    assert 0 < marked.any(axis=2).sum() < 0.4 * 96 * 160, "the returns are drawn with their labels, and nothing else"
    spheres, lines = arrows.markers
    assert (spheres.header.frame_id, len(lines.points)) == ("CAM_FRONT", 2 * len(spheres.points))
    assert min(point.z for point in spheres.points) > 1, "ahead of the camera, in its optical frame"
    assert (points.height, points.width, points.header.frame_id) == (24, 40, "CAM_FRONT")
    (depth,) = (d for d in rig.depth if stamp_of(d) == stamp_of(points))
    cloud = np.frombuffer(points.data, [("x", "f4"), ("y", "f4"), ("z", "f4"), ("rgb", "u4")]).reshape(24, 40)
    z = np.frombuffer(depth.data, np.float32).reshape(96, 160)[40, 120]
    assert cloud["z"][10, 30] == z
    assert cloud["x"][10, 30] == pytest.approx((120 - 80) / 1266 * z, rel=1e-5)
    assert cloud["y"][10, 30] == pytest.approx((40 - 48) / 1266 * z, rel=1e-5)
    red, green, blue = (int(c) for c in picture()[40, 120])
    assert cloud["rgb"][10, 30] == red << 16 | green << 8 | blue


def test_replay_at_four_times_the_speed(rig, depth_node, tmp_path):
    pytest.importorskip("nuscenes", reason="the bag is converted from nuScenes")
    import tiny_nuscenes
    from lircdepth_ros import cli

    root = tiny_nuscenes.write(tmp_path / "root")
    assert (
        cli.main(["nuscenes-to-bag", "--dataroot", str(root), "--scene", "scene-0001", "-o", str(tmp_path / "bag")])
        == 0
    )
    depth_node(
        ready=False, use_sim_time=True, calibration_file=tmp_path / "bag" / "calibration.yaml", **keeping_every_image()
    )
    rig.wait(lambda: rig.image.get_subscription_count(), "depth node")
    settings = {"bag": tmp_path / "bag", "rate": 4.0, "wait_for_subscribers": PATIENCE_S}
    options = [word for name, value in settings.items() for word in ("-p", f"{name}:={value}")]
    waiting = ["-p", "wait_for_topics:=[/CAM_FRONT/image_rect/compressed]"]
    replay = [sys.executable, "-m", "lircdepth_ros.replay_node", "--ros-args", *map(str, options), *waiting]
    subprocess.run(replay, cwd=REPOSITORY, check=True, timeout=2 * PATIENCE_S)
    rig.wait(
        lambda: rig.count("frames_in") == 7 == rig.count("frames_out") + rig.count("dropped"), "account of 7 images"
    )
    rig.wait(lambda: len(rig.depth) == rig.count("frames_out"), "depth")
    assert rig.count("dropped") == rig.count("dropped_busy")


# --- live parameters ---------------------------------------------------------------------------------------------


def test_live_parameters_change_live_and_wrong_values_are_refused_with_a_reason(rig, node):
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    node()
    healthy(rig)
    client = rig.node.create_client(SetParameters, "/depth_node/set_parameters")
    rig.wait(client.service_is_ready, "parameter service")

    def change(**values):
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        future = client.call_async(SetParameters.Request(parameters=parameters))
        rig.wait(future.done, "answer")
        return future.result().results[0]

    assert change(depth_encoding="16UC1").successful
    rig.drive_until(lambda: rig.depth[-1].encoding == "16UC1", "depth in millimetres")
    assert change(sync_window=0.0).successful
    expect(rig, WARN, "from the camera alone")
    for values, reason in (
        ({"depth_encoding": "64FC1"}, "expected one of 32FC1, 16UC1"),
        ({"weights": "other.safetensors"}, "clean up the node first"),
        ({"max_wait": -1.0}, "max_wait"),
        ({"max_wait": float("nan")}, "max_wait"),
        ({"max_wait": "long"}, "expected a number from 0 to 10"),
    ):
        result = change(**values)
        assert not result.successful
        assert reason in result.reason
    assert change(sync_window=0.1).successful
    healthy(rig)


def test_accumulated_sweeps_are_drawn_beside_the_matched_one(rig, node):
    """Three sweeps of a standing thing under a driving car: its returns lie one behind the other in the image."""
    node(accumulate_sweeps=2)
    healthy(rig)
    overlays = []
    rig.node.create_subscription(Image, "/CAM_FRONT/radar_overlay", overlays.append, 10)
    one = RETURNS[:1].copy()
    one[0, 0] = 12.0
    rig.drive_until(lambda: len(overlays) > 20, "overlays", scans=lambda stamp: rig.send_scan(stamp, one))
    changed = [
        (np.frombuffer(m.data, np.uint8).reshape(96, 160, 3) != picture()).any(axis=2).sum() for m in overlays[10:]
    ]
    assert np.median(changed) > 13, "more than the 13 pixels of one disc of radius 2"
