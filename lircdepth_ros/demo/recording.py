# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Replay node and depth node as processes of their own over DDS, and what the depth node publishes in a bag."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rclpy  # first: with wheels this starts Python once more, to find its libraries
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64

from lircdepth_core.errors import LircDepthError
from lircdepth_core.options import PipelineOptions
from lircdepth_ros import dds, spinning
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.messages import definitions

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Writer

CAMERA = "CAM_FRONT"
_IMAGE_TOPIC = f"/{CAMERA}/image_rect/compressed"
_DEPTH_TOPICS = {f"/{CAMERA}/depth/image": Image, f"/{CAMERA}/depth/camera_info": CameraInfo}
_LATENCY_TOPIC = "/depth_node/debug/processing_time_ms"
_START_TIMEOUT_S = 300.0  # for the network to load, and for its backends to be measured the first time
_QUIET_TIMEOUT_S = 20.0  # the network may take seconds for each frame
_SPIN_S = 0.1
_NANOSECONDS_PER_SECOND = 1_000_000_000

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Replayed:
    """What a replay told. status: the depth node's last diagnostics. latencies_ms: of its images."""

    status: dict[str, str]
    latencies_ms: list[float]


class Recorder(Node):
    """Writes the depth topics into a bag, and keeps the node's last diagnostics.

    frames: depth images written. status: {key: value} of the last diagnostics; reports: how many there were.
    latencies_ms: of each depth image, from the arrival of its image.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__("demo_recorder")
        self.frames = 0
        self.status: dict[str, str] = {}
        self.reports = 0
        self.latencies_ms: list[float] = []
        self._writer = writer
        for topic, kind in _DEPTH_TOPICS.items():
            connection = writer.add_connection(
                topic, f"sensor_msgs/msg/{kind.__name__}", typestore=definitions.typestore()
            )
            self.create_subscription(kind, topic, self._write_to(connection), QoSProfile(depth=50), raw=True)
        self.create_subscription(Float64, _LATENCY_TOPIC, lambda message: self.latencies_ms.append(message.data), 50)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _write_to(self, connection: Connection) -> Callable[[bytes], None]:
        def write(data: bytes) -> None:
            # Both types begin with a header, and that with the stamp, behind four bytes of CDR's own.
            seconds, nanoseconds = (int.from_bytes(data[i : i + 4], sys.byteorder) for i in (4, 8))
            self._writer.write(connection, seconds * _NANOSECONDS_PER_SECOND + nanoseconds, data)
            self.frames += connection.msgtype.endswith("/Image")

        return write

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("depth_node: depth"):
                self.status = {pair.key: pair.value for pair in status.values}
                self.reports += 1

    def number(self, name: str) -> int:
        """Return a counter of the node's last diagnostics."""
        return int(self.status.get(name, 0))


def replay(bag: Path, depth_bag: Path, options: PipelineOptions, rate: float) -> Replayed:
    """Run both nodes over a bag, record depth into ``depth_bag``; return what was told.

    rate: speed of the replay. Raises LircDepthError when a node ends early or images are not accounted for.
    """
    os.environ.update(dds.profile_environment())  # before DDS starts, here and in the nodes
    depth = _node_command(
        "depth_node",
        calibration_file=bag / "calibration.yaml",
        transform_source="calibration",
        use_sim_time=True,
        **asdict(options),
    )
    player = _node_command(
        "replay_node",
        bag=bag,
        rate=rate,
        wait_for_subscribers=_START_TIMEOUT_S,
        wait_for_topics=f"[{_IMAGE_TOPIC}]",
    )
    spinning.start()
    processes: list[Process] = []
    try:
        with new_bag(depth_bag) as writer:
            recorder = Recorder(writer)
            processes.append(depth_node := subprocess.Popen(depth))
            _wait_for_publishers(recorder, depth_node)
            processes.append(replay_node := subprocess.Popen(player))
            _record(recorder, depth_node, replay_node)
            return Replayed(recorder.status, recorder.latencies_ms)
    finally:
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait()
        rclpy.try_shutdown()


def _node_command(name: str, **parameters: Any) -> list[str]:
    settings = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
    return [sys.executable, "-m", f"lircdepth_ros.{name}", "--ros-args", *settings]


def _wait_for_publishers(recorder: Recorder, depth_node: Process) -> None:
    """Wait until the recorder knows who publishes depth: it would miss what is published before."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not all(recorder.count_publishers(topic) for topic in _DEPTH_TOPICS):
        spinning.spin_once(recorder, _SPIN_S)
        _check_running(depth_node)
        if time.monotonic() > deadline:
            raise LircDepthError(f"depth_node publishes nothing after {_START_TIMEOUT_S:.0f} s")


def _check_running(depth_node: Process) -> None:
    if depth_node.poll() is not None:
        raise LircDepthError(f"depth_node ended early, with status {depth_node.returncode}")


def _record(recorder: Recorder, depth_node: Process, replay_node: Process) -> None:
    """Spin until the replay has ended and every image of it has become depth or was dropped."""
    while replay_node.poll() is None:
        spinning.spin_once(recorder, _SPIN_S)
        _check_running(depth_node)
    if replay_node.returncode != 0:
        raise LircDepthError(f"replay_node ended with status {replay_node.returncode}")
    quiet_since = time.monotonic()
    seen, reports = None, recorder.reports
    while time.monotonic() - quiet_since < _QUIET_TIMEOUT_S:
        spinning.spin_once(recorder, _SPIN_S)
        frames_in, done = recorder.number("frames_in"), recorder.number("frames_out") + recorder.number("dropped")
        if frames_in != done + recorder.number("frames_waiting"):
            waiting = recorder.number("frames_waiting")
            raise LircDepthError(f"of {frames_in} images the node accounts for {done}, and {waiting} that wait")
        # Only the report after the next one is sure to count the last image.
        all_told = recorder.reports > reports + 1 and frames_in == done
        if frames_in and all_told and recorder.frames == recorder.number("frames_out"):
            return
        if (done, recorder.frames) != seen:
            seen, quiet_since = (done, recorder.frames), time.monotonic()
    raise LircDepthError(
        f"of {frames_in} images only {done} were accounted for; {recorder.frames} depth images recorded"
    )
