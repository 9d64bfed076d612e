# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth demo`: scene -> bag -> replay node -> depth node -> recorded depth, each node its own process over DDS.

Leaves in the output directory: bag/ (the scene), depth_bag/ (what the node published), metrics.json, montage.png.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import rclpy  # first: with wheels this starts Python once more, to find its libraries
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole
from lircdepth_ros import dds

_CAMERA, _LIDAR, _RADAR = "CAM_FRONT", "LIDAR_TOP", "RADAR_FRONT"
_IMAGE_TOPIC = f"/{_CAMERA}/image_rect/compressed"
_DEPTH_TOPICS = {f"/{_CAMERA}/depth/image": Image, f"/{_CAMERA}/depth/camera_info": CameraInfo}
_START_TIMEOUT = 300.0  # seconds for the network to load, and for its backends to be measured the first time


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("-o", "--output", default="out/demo", metavar="DIR", help="default: %(default)s, replaced")
    parser.add_argument("--dataroot", help="nuScenes data root; default: a synthetic scene is generated")
    parser.add_argument("--version", default="v1.0-mini", help="tables of the data root (default: %(default)s)")
    parser.add_argument("--scene", help="scene of the data root; default: its first")
    parser.add_argument("--duration", type=float, default=2.0, help="of the synthetic scene [s]")
    parser.add_argument("--weights", default="street", help="as the node's parameter (default: %(default)s)")
    parser.add_argument("--backend", default="auto", help="as the node's parameter (default: %(default)s)")
    parser.add_argument("--precision", default="float32", help="as the node's parameter (default: %(default)s)")
    parser.add_argument("--inference-scale", type=float, default=1.0, help="scale of the network's input")
    parser.add_argument("--rate", type=float, default=1.0, help="speed of the replay")


def run(arguments):
    """Run the demo and print what came out. Raises LircDepthError when a part fails."""
    from lircdepth_core.data import nuscenes
    from lircdepth_ros.bags import conversion as nuscenes_to_bag

    output = Path(arguments.output)
    _replace(output)
    dataroot = arguments.dataroot
    if dataroot is None:
        from lircdepth_core import synthetic

        dataroot = output / "nuscenes"
        synthetic.generate(dataroot, scenes=1, seed=0, duration=arguments.duration, progress=True)
    nusc = nuscenes.open_nuscenes(dataroot, arguments.version)
    scene = nuscenes.find_scene(nusc, arguments.scene or nusc.scene[0]["name"])
    nuscenes_to_bag.convert(nusc, scene, output / "bag")
    status = _replay(output, arguments)
    metrics, frames = evaluate(nusc, scene, output / "depth_bag", status)
    with written_whole(output / "metrics.json") as partial:
        partial.write_text(json.dumps(metrics, indent=2) + "\n")
    _draw(output / "montage.png", nusc, frames, metrics)
    print(
        f"{metrics['frames_in']} images in, {metrics['frames_out']} depth images out, {metrics['dropped']} dropped "
        f"({metrics['fused']} fused with radar); latency p50 {metrics['latency_ms']['total']['p50']:.0f} ms, "
        f"p99 {metrics['latency_ms']['total']['p99']:.0f} ms; MAE {metrics['mae']:.2f} m, "
        f"AbsRel {metrics['abs_rel']:.3f} against the lidar"
    )
    if metrics["caution"]:
        print(metrics["caution"])
    print(f"See {output / 'montage.png'}, {output / 'metrics.json'} and {output / 'depth_bag'}")


def _replace(output):
    """Empty the output directory, but only one that an earlier demo made."""
    marker = output / ".lircdepth_demo"
    if output.exists() and any(output.iterdir()) and not marker.exists():
        raise LircDepthError(f"{output} is not empty and was not made by the demo: choose another --output")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    marker.touch()


class _Recorder(Node):
    """Writes the depth topics into a bag, and keeps the node's last diagnostics."""

    def __init__(self, writer, typestore):
        super().__init__("demo_recorder")
        self.frames = 0
        self.status, self.reports = {}, 0
        self._writer = writer
        for topic, kind in _DEPTH_TOPICS.items():
            connection = writer.add_connection(topic, f"sensor_msgs/msg/{kind.__name__}", typestore=typestore)
            write = self._writing(connection, typestore)
            self.create_subscription(kind, topic, write, QoSProfile(depth=50), raw=True)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _writing(self, connection, typestore):
        def write(data):
            # The stamp leads the header, behind CDR's four bytes; both types begin with a header.
            seconds, nanoseconds = (int.from_bytes(data[i : i + 4], sys.byteorder) for i in (4, 8))
            self._writer.write(connection, seconds * 1_000_000_000 + nanoseconds, data)
            self.frames += connection.msgtype.endswith("/Image")

        return write

    def _on_diagnostics(self, message):
        for status in message.status:
            if status.name.endswith("depth_node: depth"):
                self.status = {pair.key: pair.value for pair in status.values}
                self.reports += 1

    def number(self, name):
        return int(self.status.get(name, 0))


def _replay(output, arguments):
    """Run the nodes over the bag, record what they publish; return the depth node's last diagnostics."""
    from lircdepth_ros.bags.writing import new_bag
    from lircdepth_ros.messages import definitions

    os.environ.update(dds.profile_environment())  # before DDS starts, here and in the nodes
    bag = output / "bag"
    depth = _node(
        "depth_node",
        calibration_file=bag / "calibration.yaml",
        transform_source="calibration",
        weights=arguments.weights,
        backend=arguments.backend,
        precision=arguments.precision,
        inference_scale=arguments.inference_scale,
        use_sim_time=True,
    )
    replay = _node(
        "replay_node",
        bag=bag,
        rate=arguments.rate,
        wait_for_subscribers=_START_TIMEOUT,
        wait_for_topics=f"[{_IMAGE_TOPIC}]",
    )
    rclpy.init()
    processes = {}
    try:
        with new_bag(output / "depth_bag") as writer:
            recorder = _Recorder(writer, definitions.typestore())
            processes["depth_node"] = subprocess.Popen(depth)
            _wait_for_publishers(recorder, processes["depth_node"])
            processes["replay_node"] = subprocess.Popen(replay)
            _record(recorder, processes)
            return recorder.status
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in processes.values():
            process.wait()
        rclpy.try_shutdown()


def _node(name, **parameters):
    settings = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
    module = [sys.executable, "-m", f"lircdepth_ros.{name}", "--ros-args"]
    return [*module, "--params-file", str(dds.config_directory() / "depth.yaml"), *settings]


def _wait_for_publishers(recorder, depth_node):
    """Wait until the recorder knows who publishes depth: what is published before is lost to it."""
    deadline = time.monotonic() + _START_TIMEOUT
    while not all(recorder.count_publishers(topic) for topic in _DEPTH_TOPICS):
        rclpy.spin_once(recorder, timeout_sec=0.1)
        _check_running(depth_node)
        if time.monotonic() > deadline:
            raise LircDepthError(f"depth_node publishes nothing after {_START_TIMEOUT:.0f} s")


def _check_running(depth_node):
    if depth_node.poll() is not None:
        raise LircDepthError(f"depth_node ended early, with status {depth_node.returncode}")


def _record(recorder, processes):
    """Spin until the replay has ended and every image of it has become depth or was dropped."""
    while processes["replay_node"].poll() is None:
        rclpy.spin_once(recorder, timeout_sec=0.1)
        _check_running(processes["depth_node"])
    if processes["replay_node"].returncode != 0:
        raise LircDepthError(f"replay_node ended with status {processes['replay_node'].returncode}")
    quiet_since = time.monotonic()
    seen, reports = None, recorder.reports
    while time.monotonic() - quiet_since < 20.0:
        rclpy.spin_once(recorder, timeout_sec=0.1)
        frames_in, done = recorder.number("frames_in"), recorder.number("frames_out") + recorder.number("dropped")
        # The report after the next is the first that surely counts the last image.
        all_told = recorder.reports > reports + 1 and frames_in == done
        if frames_in and all_told and recorder.frames == recorder.number("frames_out"):
            return
        if (done, recorder.frames) != seen:  # the network may take seconds for each frame
            seen, quiet_since = (done, recorder.frames), time.monotonic()
    raise LircDepthError(
        f"of {frames_in} images only {done} were accounted for; {recorder.frames} depth images recorded"
    )


def evaluate(nusc, scene, depth_bag, status):
    """Compare recorded depth with the lidar at the scene's key frames.

    status: the depth node's diagnostics. Returns (metrics, [(sample, depth [H, W])] of the key frames that have depth).
    """
    import numpy as np
    from rosbags.highlevel import AnyReader

    from lircdepth_core.data import nuscenes
    from lircdepth_core.evaluation.metrics import depth_errors

    stamps = {}
    for sample in nuscenes.scene_samples(nusc, scene):
        record = nusc.get("sample_data", sample["data"][_CAMERA])
        stamps[record["timestamp"] * 1000] = sample
    frames, errors = [], []
    with AnyReader([depth_bag]) as reader:
        connections = [connection for connection in reader.connections if connection.topic.endswith("/image")]
        for connection, stamp, data in reader.messages(connections):
            if stamp in stamps:
                message = reader.deserialize(data, connection.msgtype)
                depth = message.data.view("<f4").reshape(message.height, message.width)
                frames.append((stamps[stamp], depth))
    for sample, depth in frames:
        pixels, truth = nuscenes.project_channel(nusc, sample, _LIDAR, _CAMERA)[:2]
        columns, rows = np.rint(pixels).astype(int).T
        errors.append(depth_errors(depth[rows, columns], truth))
    images = len(nuscenes.channel_records(nusc, scene, _CAMERA))
    counters = {name: int(status.get(name, 0)) for name in ("frames_out", "dropped", "fused", "camera_only")}
    latency = {}
    for name, value in status.items():
        stage, separator, percentile = name.rpartition("_ms_")
        if separator:
            latency.setdefault(stage, {})[percentile] = float(value)
    metrics = {
        "frames_in": images,
        **counters,
        "latency_ms": latency,
        "key_frames_evaluated": len(errors),
        "mae": sum(error["mae"] for error in errors) / len(errors) if errors else float("nan"),
        "abs_rel": sum(error["abs_rel"] for error in errors) / len(errors) if errors else float("nan"),
        "weights": status.get("weights"),
        "caution": status.get("caution", ""),
        "backend": status.get("backend"),
    }
    return metrics, frames


def _draw(path, nusc, frames, metrics):
    import numpy as np
    from PIL import Image as Picture

    from lircdepth_core.data import nuscenes
    from lircdepth_core.evaluation import pictures as visualization

    if not frames:
        raise LircDepthError("no key frame has depth: the network was too slow for the replay; use a lower --rate")
    sample, depth = frames[len(frames) // 2]
    image = np.asarray(Picture.open(nusc.get_sample_data_path(sample["data"][_CAMERA])))
    radar = nuscenes.project_channel(nusc, sample, _RADAR, _CAMERA)
    lidar = nuscenes.project_channel(nusc, sample, _LIDAR, _CAMERA)
    note = metrics["caution"] or f"weights {metrics['weights']}"
    panels = [
        ("camera", image, None, None),
        (f"radar: {len(radar[1])} returns in view", image, None, radar),
        ("depth, as the node published it", None, depth, None),
        ("ground truth: lidar", np.full_like(image, 255), None, lidar),
    ]
    visualization.montage(path, panels, f"lircdepth demo - {note}")
