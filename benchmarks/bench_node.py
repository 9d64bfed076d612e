# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node as a whole at 1600x900: latency, frames a second, CPU use, and what each stage costs.

    python benchmarks/bench_node.py [--backends eager openvino] [--weights street] [--seconds 20] [--json FILE]

Images come with radar and odometry, at 12 Hz as nuScenes has them, from another process over DDS; figures are from the
node's diagnostics, CPU use (100 % is one core) from /proc. Latency is from an image's arrival to its published
depth; a node that is too slow drops images, and its latency includes the wait. Callbacks should stay below 2 ms (p99):
they only check and hand over. Decoding is in the worker, or beside it where the network leaves a core (--threads 1 of
two) and images come faster than it works (--rate).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "support")]
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import rclpy  # noqa: E402  first: with wheels this starts Python once more

from lircdepth_ros.dds import profile_environment  # noqa: E402

STAGES = (
    "image_callback", "radar_callback", "queue", "decode", "resize", "normalise", "radar", "network", "restore",
    "upsample", "message", "publish",
)  # fmt: skip
COLUMNS = ("backend", "runs on", "images", "latency [ms]", "depth [Hz]", "in / out / dropped", "CPU [%]", "memory [MB]")
_TIMEOUT = 600.0  # seconds for a node to make its engine


def measure(transport, seconds, rate, settings):
    """Run a node for a while; return its diagnostics with frames a second and the CPU use of its process."""
    from camera import Camera, cpu_seconds  # beside this file

    from rig import Rig

    node = rclpy.create_node("bench")
    rig = Rig(node)
    camera = Camera(rig, transport)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(camera.command(folder, **settings), cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            rig.wait(camera.publisher.get_subscription_count, "depth node", timeout=_TIMEOUT)
            rig.wait(lambda: node.count_publishers("/CAM_FRONT/depth/image"), "depth topic")
            begin, cpu = time.monotonic(), cpu_seconds(process.pid)
            for frame in range(int(rate * seconds)):
                camera.send()
                rig.spin(max(0.001, begin + (frame + 1) / rate - time.monotonic()))
            took, cpu = time.monotonic() - begin, cpu_seconds(process.pid) - cpu
            depths = len(rig.depth)
            rig.spin(2.0)
        finally:
            process.terminate()
            process.wait()
    node.destroy_node()
    status = {name: value for name, value in rig.status.items() if name != "backend"}
    return (
        status
        | settings
        | {
            "runs_on": rig.status["backend"],
            "transport": transport,
            "depth_hz": depths / took,
            "cpu_percent": 100 * cpu / took,
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["eager"])
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--weights", default="street", help="as the node's parameter (default: %(default)s)")
    parser.add_argument("--inference-scale", type=float, default=1.0)
    parser.add_argument("--upsampling", default="nearest")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2, help="of the network on the CPU (default: %(default)s)")
    parser.add_argument("--transports", nargs="+", default=["compressed", "raw"], choices=("compressed", "raw"))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=12.0, help="images a second (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    arguments = parser.parse_args()
    names = ("precision", "weights", "inference_scale", "upsampling", "device", "threads")
    settings = {name: getattr(arguments, name) for name in names}
    os.environ.update(profile_environment())
    rclpy.init()
    results = [
        measure(transport, arguments.seconds, arguments.rate, settings | {"backend": backend})
        for backend in arguments.backends
        for transport in arguments.transports
    ]
    rclpy.try_shutdown()
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for status in results:
        counts = " / ".join(status[name] for name in ("frames_in", "frames_out", "dropped"))
        cells = [status[name] for name in ("backend", "runs_on", "transport")]
        cells += [percentiles(status, "total"), f"{status['depth_hz']:.1f}", counts, f"{status['cpu_percent']:.0f}"]
        cells.append(status["device_memory_mb"])
        print("| " + " | ".join(cells) + " |")
    print("\nStages, p50 / p99 [ms]:\n")
    titles = [f"{status['backend']}, {status['transport']}" for status in results]
    print("| stage | " + " | ".join(titles) + " |\n" + "|---" * (1 + len(titles)) + "|")
    for stage in STAGES:
        print("| " + " | ".join([stage, *(percentiles(status, stage) for status in results)]) + " |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"settings": settings, "runs": results}, indent=2) + "\n")


def percentiles(status, stage):
    return " / ".join(status.get(f"{stage}_ms_p{percentile}", "-") for percentile in (50, 99))


if __name__ == "__main__":
    main()
