# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Many frames: each comes out once, and nothing grows.

As a program it is the long run:

    python test/ros/depth_node/test_endurance.py --minutes 60 --size 1600x900 --weights random
"""

import array
import io
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the node needs rclpy")
from PIL import Image as Picture
from sensor_msgs.msg import CompressedImage

from rig import RETURNS, command, header, picture, stamp_of

MILLISECOND = 1_000_000


@dataclass
class Growth:
    """What a node's process uses, sampled after its warm-up."""

    frames: list = field(default_factory=list)
    memory: list = field(default_factory=list)  # MB resident
    descriptors: list = field(default_factory=list)
    threads: list = field(default_factory=list)

    def sample(self, process, frames):
        """Note what the process uses after so many frames."""
        status = Path(f"/proc/{process.pid}/status").read_text().split()
        self.frames.append(frames)
        self.memory.append(int(status[status.index("VmRSS:") + 1]) / 1024)
        self.threads.append(int(status[status.index("Threads:") + 1]))
        self.descriptors.append(len(list(Path(f"/proc/{process.pid}/fd").iterdir())))

    def memory_slope(self):
        """Return MB per 1,000 frames: the median slope over all pairs of samples (Theil 1950), deaf to outliers."""
        frames, memory = np.array(self.frames, float), np.array(self.memory)
        first, second = np.triu_indices(len(frames), k=max(1, len(frames) // 3))
        return float(np.median((memory[second] - memory[first]) / (frames[second] - frames[first])) * 1000)

    def check(self):
        assert self.frames[-1] - self.frames[0] > 100, "the node must have worked"
        assert self.memory_slope() < 1.0, f"{self.memory_slope():.2f} MB per 1,000 frames"
        # The least of each half: a look at /proc, which the node takes each second, holds a descriptor for a moment.
        half = len(self.descriptors) // 2
        assert min(self.descriptors[:half]) == min(self.descriptors[half:])
        assert min(self.threads[:half]) == min(self.threads[half:])
        assert max(self.descriptors) - min(self.descriptors) <= 2
        assert max(self.threads) - min(self.threads) <= 2


def jpeg_of(width, height):
    buffer = io.BytesIO()
    Picture.fromarray(picture(height=height // 4, width=width // 4)).resize((width, height)).save(buffer, "JPEG")
    return array.array("B", buffer.getvalue())


def send_frame(rig, stamp, jpeg, x):
    """Send a pose, a scan and an image of one stamp."""
    rig.send_pose(stamp, x)
    rig.send_scan(stamp, RETURNS)
    rig.image.publish(CompressedImage(header=header(stamp, "CAM_FRONT"), format="jpeg", data=jpeg))


def soak(rig, process, seconds, hz, width=160, height=96, settle=0.25):
    """Drive a node and watch its process; the first part (``settle``) is not counted. Returns (Growth, stamps sent)."""
    jpeg = jpeg_of(width, height)
    intrinsics = np.array([[1266.0, 0, width / 2], [0, 1266.0, height / 2], [0, 0, 1.0]])
    begin, growth, stamps, next_sample = time.monotonic(), Growth(), [], 0.0
    while (now := time.monotonic() - begin) < seconds:
        stamp = time.time_ns()
        rig.send_info(stamp, width, height, intrinsics)
        send_frame(rig, stamp, jpeg, x=10.0 * now)
        stamps.append(stamp)
        if now > max(next_sample, settle * seconds):
            next_sample = now + 1.0
            growth.sample(process, rig.count("frames_out"))
        rig.spin(max(0.001, begin + len(stamps) / hz - time.monotonic()))
        del rig.depth[:-10], rig.depth_info[:-10], rig.levels[:-10]
    return growth, stamps


def test_of_3000_images_each_comes_out_once_with_its_own_stamp_and_nothing_grows(rig, depth_node, weights):
    """Closed loop: an image is sent when the one before has come out, so that none has to be dropped."""
    process = depth_node(weights=weights)
    count, start, jpeg, growth = 3000, 1_700_000_000_000_000_000, jpeg_of(160, 96), Growth()
    stamps = [start + i * 33 * MILLISECOND for i in range(count)]
    rig.send_info(start)
    rig.spin(0.3)
    for i, stamp in enumerate(stamps):
        send_frame(rig, stamp, jpeg, x=0.3 * i)
        rig.wait(lambda n=i + 1: len(rig.depth) == len(rig.depth_info) == n, "depth and camera_info of each image")
        if i >= count // 2 and i % 50 == 0:  # by then the node's statistics hold as many samples as they may
            growth.sample(process, i)
    assert [(stamp_of(message), message.header.frame_id) for message in rig.depth] == [(s, "CAM_FRONT") for s in stamps]
    assert [stamp_of(message) for message in rig.depth_info] == stamps
    rig.wait(lambda: rig.count("frames_out") == count, "diagnostics")
    assert rig.count("fused") == count
    assert rig.count("dropped") == 0
    growth.check()
    print(f"latency p99 from arrival: {rig.status['total_ms_p99']} ms; {growth.memory_slope():.2f} MB per 1,000 frames")


@pytest.mark.full
def test_half_an_hour_does_not_grow(rig, depth_node, weights):
    process = depth_node(weights=weights)
    growth, stamps = soak(rig, process, seconds=1800, hz=30)
    print(f"{len(stamps)} images, {growth.memory_slope():.3f} MB per 1,000 frames")
    growth.check()


def main():
    """A soak as a program: prints one line a minute and a summary."""
    import argparse
    import os
    import tempfile

    import rclpy

    from lircdepth_core.geometry.calibration import Calibration
    from rig import BASE_FROM_CAMERA, BASE_FROM_RADAR, REPOSITORY, Rig

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--hz", type=float, default=12.0)
    parser.add_argument("--size", default="1600x900")
    parser.add_argument("--weights", default="random")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    os.environ["ROS_DOMAIN_ID"] = os.environ.get("ROS_DOMAIN_ID", "101")
    rclpy.init()
    rig = Rig(rclpy.create_node("soak"))
    with tempfile.TemporaryDirectory() as folder:
        calibration = Path(folder) / "calibration.yaml"
        Calibration({"CAM_FRONT": BASE_FROM_CAMERA, "RADAR_FRONT": BASE_FROM_RADAR}).save(calibration)
        process = subprocess.Popen(command(calibration, weights=arguments.weights, threads=2), cwd=REPOSITORY)
        rig.wait(lambda: rig.image.get_subscription_count(), "depth node", timeout=120)
        growth, stamps = soak(rig, process, arguments.minutes * 60, arguments.hz, width, height, settle=0.1)
        process.send_signal(signal.SIGINT)
        process.wait()
    names = ("frames_in", "frames_out", "dropped", "fused", "camera_only", "total_ms_p50", "total_ms_p99")
    setting = f"{arguments.minutes:g} min, {arguments.weights}, {arguments.size} at {arguments.hz:g} Hz"
    print(f"{setting}: {len(stamps)} images sent")
    print(", ".join(f"{name} {rig.status.get(name)}" for name in names))
    print(
        f"memory {growth.memory[0]:.0f} -> {growth.memory[-1]:.0f} MB, slope {growth.memory_slope():.3f} MB per 1,000 "
        f"frames; descriptors {min(growth.descriptors)} to {max(growth.descriptors)}, threads {min(growth.threads)} to "
        f"{max(growth.threads)}; exit status {process.returncode}"
    )


if __name__ == "__main__":
    main()
