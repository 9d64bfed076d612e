# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A camera and a radar for the depth node's tests, and a listener to the node, which runs in a process of its own.

Everything goes over real DDS. The network is the tiny one with seeded weights, so that frames are many and a test can
compute the depth, too.
"""

import array
import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from PIL import Image as Picture
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from lircdepth_core.geometry import quaternion_from_transform, rigid_transform
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.models import checkpoints
from paths import REPOSITORY

MS = 1_000_000
START = 1_532_402_927_000_000_000
INTRINSICS = np.array([[1266.0, 0, 80], [0, 1266.0, 48], [0, 0, 1.0]])
BASE_FROM_CAMERA = rigid_transform((1.7, 0.0, 1.5), (0.5, -0.5, 0.5, -0.5))
BASE_FROM_RADAR = rigid_transform((3.4, 0.0, 0.5), (1.0, 0.0, 0.0, 0.0))
RETURNS = np.array([[20.0, 0.2, 1.0, 9.0, -8.0, 0.1], [35.0, -0.5, 0.8, 3.0, -8.0, 0.2]])  # both in view
PATIENCE_S = 120.0  # of every wait: a busy machine takes long to start a process


class Rig:
    """Publishers of a camera, a radar and odometry; and subscriptions to depth and diagnostics.

    depth, depth_info: the messages so far. level, message, status: of the latest diagnostics; levels: all so far.
    """

    def __init__(self, node, reliable=True):
        self.node = node
        quality = QoSProfile(depth=50)
        if not reliable:
            quality.reliability = ReliabilityPolicy.BEST_EFFORT
        publish = node.create_publisher
        self.image = publish(CompressedImage, "/CAM_FRONT/image_rect/compressed", quality)
        self.raw_image = publish(Image, "/CAM_FRONT/image_rect", quality)
        self.info = publish(CameraInfo, "/CAM_FRONT/camera_info", quality)
        self.cloud = publish(PointCloud2, "/RADAR_FRONT/points", quality)
        self.odometry = publish(Odometry, "/odom", quality)
        quality = QoSProfile(depth=50)
        self.depth, self.depth_info, self.status = [], [], {}
        self.level, self.message, self.levels = None, "", []
        self.unbalanced = []  # reports in which an image was lost from the account
        node.create_subscription(Image, "/CAM_FRONT/depth/image", self.depth.append, quality)
        node.create_subscription(CameraInfo, "/CAM_FRONT/depth/camera_info", self.depth_info.append, quality)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, quality)

    def _on_diagnostics(self, message):
        if len(message.status) > 1:
            return  # of several cameras: support/surround.py listens
        (status,) = message.status
        self.status = {pair.key: pair.value for pair in status.values}
        self.level, self.message = status.level, status.message
        self.levels.append(status.level)
        done = self.count("frames_out") + self.count("dropped")
        causes = sum(int(value) for name, value in self.status.items() if name.startswith("dropped_"))
        kinds = self.count("fused") + self.count("camera_only")
        whole = self.count("frames_in"), self.count("dropped"), self.count("frames_out")
        if whole != (done + self.count("frames_waiting"), causes, kinds):
            self.unbalanced.append(self.status)

    def count(self, name):
        return int(self.status.get(name, 0))

    def spin(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rclpy.spin_once(self.node, timeout_sec=0.01)

    def wait(self, condition, what, timeout=PATIENCE_S):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"no {what} within {timeout} s; {self.message}; {self.status}"
            rclpy.spin_once(self.node, timeout_sec=0.01)

    def wait_until_known(self):
        """Wait until a node that this rig knows knows this rig, too.

        Its report arrives only when it knows the subscription to reports, which was the last that this rig made.
        """
        self.levels.clear()
        self.wait(lambda: self.levels, "report")
        self.spin(0.2)

    def send_info(self, stamp, width=160, height=96, intrinsics=INTRINSICS):
        info = CameraInfo(header=header(stamp, "CAM_FRONT"), width=width, height=height, distortion_model="plumb_bob")
        info.k = intrinsics.reshape(-1)
        info.p = np.column_stack([intrinsics, np.zeros(3)]).reshape(-1)
        self.info.publish(info)

    def send_image(self, stamp, pixels):
        buffer = io.BytesIO()
        Picture.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        data = array.array("B", buffer.getvalue())
        self.image.publish(CompressedImage(header=header(stamp, "CAM_FRONT"), format="png", data=data))

    def send_pose(self, stamp, x):
        message = Odometry(header=header(stamp, "odom"), child_frame_id="base_link")
        message.pose.pose.position.x = x
        self.odometry.publish(message)

    def drive(
        self, seconds, *, until=None, image=True, info=True, poses=True, scans=True, scan_hz=13.0, scan_delay=0.0
    ):
        """Send what a car sends for a while: images, camera_info and poses at 10 Hz, and scans, stamped with the time.

        poses, image, info, scans: False for nothing, or a function that sends one for a stamp. scan_delay: seconds
        from a scan's stamp to its arrival. Ends early when ``until()`` holds. Returns the stamps of the images sent.
        """
        defaults = {
            "pose": lambda stamp: self.send_pose(stamp, 10 * (stamp - self._start) / 1e9),
            "info": self.send_info,
            "image": lambda stamp: self.send_image(stamp, picture()),
            "scan": lambda stamp: self.send_scan(stamp, RETURNS),
        }
        chosen = {"pose": poses, "info": info, "image": image, "scan": scans}
        senders = {name: defaults[name] if choice is True else choice for name, choice in chosen.items()}
        self._start, begin, stamps = time.time_ns(), time.monotonic(), []
        events = sorted(
            (i / hz + delay, i / hz, order, name)
            for order, name in enumerate(senders)
            for hz, delay in [(scan_hz, scan_delay) if name == "scan" else (10.0, 0.0)]
            for i in range(int(seconds * hz))
        )
        for due, moment, _, name in events:
            while time.monotonic() < begin + due:
                rclpy.spin_once(self.node, timeout_sec=max(0.0, min(0.01, begin + due - time.monotonic())))
            if senders[name]:
                stamp = self._start + round(moment * 1e9)
                senders[name](stamp)
                if name == "image":
                    stamps.append(stamp)
            if until is not None and until():
                break
        return stamps

    def drive_until(self, condition, what, timeout=PATIENCE_S, **sensors):
        """Drive until a condition holds."""
        self.drive(timeout, until=condition, **sensors)
        assert condition(), f"no {what} within {timeout} s; {self.message}; {self.status}"

    def publish_tf(self, base_from_sensor):
        """From here on every pose goes to /tf too; the sensors' mounting goes to /tf_static."""
        from geometry_msgs.msg import TransformStamped
        from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

        def stamped(parent, child, transform, stamp=0):
            message = TransformStamped(header=header(stamp, parent), child_frame_id=child)
            translation, rotation = message.transform.translation, message.transform.rotation
            translation.x, translation.y, translation.z = transform[:3, 3].tolist()
            rotation.w, rotation.x, rotation.y, rotation.z = quaternion_from_transform(transform).tolist()
            return message

        self.static = StaticTransformBroadcaster(self.node)
        self.static.sendTransform([stamped("base_link", *sensor) for sensor in base_from_sensor.items()])
        moving = TransformBroadcaster(self.node)
        self.send_pose = lambda stamp, x: moving.sendTransform(
            stamped("odom", "base_link", rigid_transform((x, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)), stamp)
        )

    def send_scan(self, stamp, points, names=("x", "y", "z", "rcs", "vx", "vy"), **changes):
        fields = [PointField(name=name, offset=4 * i, datatype=7, count=1) for i, name in enumerate(names)]
        points = np.asarray(points, "<f4")[:, : len(names)]
        message = PointCloud2(
            header=header(stamp, "RADAR_FRONT"),
            height=1,
            width=len(points),
            fields=fields,
            point_step=4 * len(names),
            row_step=points.nbytes,
            data=array.array("B", points.tobytes()),
        )
        for name, value in changes.items():
            setattr(message, name, value)
        self.cloud.publish(message)


def header(stamp, frame_id):
    return Header(stamp=Time(sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id=frame_id)


def stamp_of(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def picture(seed=0, height=96, width=160):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def context():
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def rig(context):
    node = rclpy.create_node("rig")
    yield Rig(node)
    node.destroy_node()


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    path = tmp_path_factory.mktemp("calibration") / "calibration.yaml"
    Calibration({"CAM_FRONT": BASE_FROM_CAMERA, "RADAR_FRONT": BASE_FROM_RADAR}).save(path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The tiny network's seeded weights under a header that says trained, so that a healthy node is OK."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    network, _ = checkpoints.random_weights("tiny")
    checkpoints.save(path, network, checkpoints.Header(model="tiny", trained_on="a test"))
    return path


def command(calibration, **parameters):
    """Return a node's command line. Names that begin with '-' are options of their own: {"-r": "__ns:=/ego"}.

    The parameter file is the one that ships, unless there is another "--params-file".
    """
    settings = {"--params-file": REPOSITORY / "config" / "depth.yaml"}
    settings |= {"weights": "tiny", "transform_source": "calibration", "calibration_file": calibration, "threads": 1}
    settings["backend"] = "eager"  # starts at once, where auto measures; the same depth each time
    options = [
        word
        for name, value in (settings | parameters).items()
        for word in ((name, value) if name.startswith("-") else ("-p", f"{name}:={value}"))
    ]
    node = [sys.executable, "-m", "lircdepth_ros.depth_node"]
    return [*node, "--ros-args", *map(str, options)]


def keeping_every_image(topic="/CAM_FRONT/image_rect/compressed"):
    """Return the parameters of a node to which no image is lost on the way, however busy the machine is."""
    quality = {"reliability": "reliable", "depth": 100}
    return {f"qos_overrides.{topic}.subscription.{policy}": value for policy, value in quality.items()}


def _dds_segments(pid):
    """Return the files of Fast DDS's shared memory that a process has mapped, its own and those of its peers."""
    with contextlib.suppress(OSError):
        maps = Path(f"/proc/{pid}/maps").read_text()
        return {word for word in maps.split() if re.fullmatch("/dev/shm/fastdds_[0-9a-f]{16}", word)}
    return set()


@pytest.fixture
def depth_node(rig, calibration):
    """Start a depth node with parameters; afterwards it must end with status 0 on SIGINT.

    ready: wait until the rig and the node know each other, so that no message is lost.
    """
    started = []
    own = _dds_segments("self")

    def start(ready=True, **parameters):
        process = subprocess.Popen(
            command(calibration, **parameters),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        if ready:
            image = rig.raw_image if parameters.get("image_transport") == "raw" else rig.image
            inputs = [image, rig.info, rig.cloud]
            if parameters.get("transform_source") != "tf":
                inputs.append(rig.odometry)
            rig.wait(lambda: all(publisher.get_subscription_count() for publisher in inputs), "depth node")
            rig.wait(lambda: rig.node.count_publishers("/CAM_FRONT/depth/image"), "depth topic")
            rig.wait_until_known()
        return process

    yield start
    for process in started:
        mapped = _dds_segments(process.pid) - own
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            pytest.fail(f"the node did not end on SIGINT:\n{output}")
        assert "Traceback" not in output, output
        assert process.returncode == 0, output
        others = {path.name for path in Path("/proc").glob("[0-9]*")} - {str(os.getpid())}
        in_use = set().union(*map(_dds_segments, others))
        left = [segment for segment in mapped - in_use if Path(segment).exists()]
        assert not left, f"memory that nobody frees before the next boot: {left}"
    assert not rig.unbalanced, "an image is neither published, nor dropped for a cause, nor waiting"
