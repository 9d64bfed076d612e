# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Full-size images between two processes: a 1600x900 bgr8 image there, a 32FC1 depth image back, 30 times a second.

    python benchmarks/bench_transport.py [--seconds 10] [--rate 30] [--json FILE]

For the Fast DDS profile that ships with the package and for Fast DDS's own defaults, best effort and reliable. There is
no network in it: the second process answers each image at once, as a depth node that took no time would. Latency is
from before publishing to the callback's first line, on one clock.
"""

import argparse
import array
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import numpy as np  # noqa: E402
import rclpy  # noqa: E402
from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from lircdepth_ros.dds import profile_environment  # noqa: E402

WIDTH, HEIGHT = 1600, 900
KINDS = {"image": ("bgr8", 3), "depth": ("32FC1", 4)}  # encoding, bytes a pixel
_DISCOVERY = 15.0  # seconds
_PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def message(kind):
    encoding, size = KINDS[kind]
    data = array.array("B", bytes(WIDTH * HEIGHT * size))
    return Image(height=HEIGHT, width=WIDTH, encoding=encoding, step=WIDTH * size, data=data)


def stamped(outgoing):
    now = time.time_ns()
    outgoing.header.stamp = Time(sec=now // 10**9, nanosec=now % 10**9)
    return outgoing


def latency(incoming):
    """Milliseconds since a message was stamped."""
    return (time.time_ns() - incoming.header.stamp.sec * 10**9 - incoming.header.stamp.nanosec) / 1e6


def quality(reliable):
    policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    return QoSProfile(depth=5, reliability=policy)


def answer(reliable):
    """Run the second process: answer each image with depth; at the end print the latencies of the images."""
    rclpy.init()
    node = rclpy.create_node("answer")
    depth, took = message("depth"), []
    publisher = node.create_publisher(Image, "/bench/depth", quality(reliable))

    def on_image(image):
        took.append(latency(image))
        publisher.publish(stamped(depth))

    node.create_subscription(Image, "/bench/image", on_image, quality(reliable))
    print("ready", flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        rclpy.spin_once(node, timeout_sec=0.1)
    print(json.dumps(took), flush=True)


def measure(reliable, seconds, rate):
    """Send images to a second process; return {kind: {"sent", "received", "lost", "p50", "p99"}}."""
    node = rclpy.create_node("camera")
    took = []
    publisher = node.create_publisher(Image, "/bench/image", quality(reliable))
    node.create_subscription(Image, "/bench/depth", lambda depth: took.append(latency(depth)), quality(reliable))
    command = [sys.executable, __file__, "--answer", "reliable" if reliable else "best effort"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        limit = time.monotonic() + _DISCOVERY
        while not (publisher.get_subscription_count() and node.count_publishers("/bench/depth")):
            assert time.monotonic() < limit, "the two processes did not find each other"
            rclpy.spin_once(node, timeout_sec=0.1)
        spin(node, 1.0)  # the other direction of discovery
        image, begin = message("image"), time.monotonic()
        count = int(seconds * rate)
        for number in range(count):
            publisher.publish(stamped(image))
            spin(node, begin + (number + 1) / rate - time.monotonic())
        spin(node, 2.0)
        process.stdin.close()
        there = json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
    node.destroy_node()
    sent = {"image": (count, there), "depth": (len(there), took)}
    return {kind: figures(*pair) for kind, pair in sent.items()}


def spin(node, seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        rclpy.spin_once(node, timeout_sec=left)


def figures(sent, took):
    p50, p99 = np.percentile(took, (50, 99)).round(1).tolist() if took else (None, None)
    return {"sent": sent, "received": len(took), "lost": sent - len(took), "p50": p50, "p99": p99}


def in_own_process(profile, reliability, seconds, rate):
    """Run ``measure`` in a process that has the profile from its start."""
    environment = {name: value for name, value in os.environ.items() if name not in _PROFILES}
    if profile == "shipped":
        environment |= profile_environment(environment)
    command = [sys.executable, __file__, "--measure", reliability, "--seconds", str(seconds), "--rate", str(rate)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=30.0, help="images a second")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        return answer(arguments.answer == "reliable")
    if arguments.measure:
        rclpy.init()
        print(json.dumps(measure(arguments.measure == "reliable", arguments.seconds, arguments.rate)))
        return rclpy.try_shutdown()
    names = ("sent", "received", "lost", "p50", "p99")
    print("| DDS profile | reliability | message | sent | received | lost | p50 [ms] | p99 [ms] |\n" + "|---" * 8 + "|")
    results = []
    for profile in ("shipped", "default"):
        for reliability in ("best effort", "reliable"):
            found = in_own_process(profile, reliability, arguments.seconds, arguments.rate)
            for kind, row in found.items():
                title = f"{KINDS[kind][0]}, {WIDTH * HEIGHT * KINDS[kind][1] / 1e6:.1f} MB"
                values = ["-" if row[name] is None else str(row[name]) for name in names]
                print("| " + " | ".join([profile, reliability, title, *values]) + " |", flush=True)
                results.append({"profile": profile, "reliability": reliability, "message": kind, **row})
    if arguments.json:
        arguments.json.write_text(json.dumps({"rate": arguments.rate, "rows": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
