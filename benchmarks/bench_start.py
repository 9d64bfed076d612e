# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From the start of the depth node's process to its first depth, with an empty cache of engines and with a filled one.

    python benchmarks/bench_start.py [--backend auto] [--precision float32] [--weights FILE] [--runs 3] [--json FILE]

A camera of 1600x900 sends JPEG images at 12 Hz all the while. The stages are told apart by the node's own log:
imports (Python, ROS, PyTorch, the node itself), weights, engine (made or read from the cache, and warmed up), discovery
(until the camera knows the node), first frame. CPU is the process's time on all cores in total: it does not depend on
what else the machine does.
"""

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "support")]
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import rclpy  # noqa: E402  first: with wheels this starts Python once more

from lircdepth_ros.dds import profile_environment  # noqa: E402

STAGES = ("imports", "weights", "engine", "discovery", "first frame", "total", "CPU")
_MARKS = ("configuring", "preparing the network", "configured: ", "active: ")  # what the node logs, in this order
_TIMEOUT = 600.0  # seconds


class Log(threading.Thread):
    """Reads what a node logs: when it said each of _MARKS first, and everything as text."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.marks, self.lines, self._stream = {}, [], stream
        self.start()

    def run(self):
        for line in self._stream:
            self.lines.append(line)
            found = re.match(r"\[\w+\] \[(\d+\.\d+)\] \[depth_node\]: (.*)", line)
            for mark in _MARKS:
                if found and found[2].startswith(mark):
                    self.marks.setdefault(mark, float(found[1]))


def measure(rig, settings, environment):
    """Start a node, send images until it publishes depth; return the seconds of each of STAGES and its backend."""
    from camera import Camera, cpu_seconds  # beside this file

    camera = Camera(rig)
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        process = subprocess.Popen(
            camera.command(folder, **settings) + ["--log-level", "depth_node:=debug"],
            cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        log = Log(process.stdout)
        try:
            matched = None
            while not rig.depth:
                camera.send()
                rig.spin(1 / 12)
                if matched is None and rig.image.get_subscription_count():
                    matched = time.time()
                if process.poll() is not None or time.time() > started + _TIMEOUT:
                    raise SystemExit("".join(log.lines[-5:]))
            ended, cpu = time.time(), cpu_seconds(process.pid)
        finally:
            process.terminate()
            process.wait()
    moments = [started, *(log.marks[mark] for mark in _MARKS[:3]), matched, ended]
    seconds = [after - before for before, after in itertools.pairwise(moments)] + [ended - started, cpu]
    (backend,) = (line.partition("); ")[2].partition("; inference_scale")[0] for line in log.lines if "sha256" in line)
    return dict(zip(STAGES, seconds, strict=True)) | {"backend": backend}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--weights", default="street", help="as the node's parameter (default: %(default)s)")
    parser.add_argument("--inference-scale", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=3, help="with a filled cache, after one without")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    arguments = parser.parse_args()
    names = ("backend", "precision", "weights", "inference_scale")
    settings = {name: getattr(arguments, name) for name in names} | {"threads": 2}
    os.environ.update(profile_environment())
    rclpy.init()
    from rig import Rig

    print("| cache | " + " | ".join(f"{stage} [s]" for stage in STAGES) + " | backend |")
    print("|---" * (2 + len(STAGES)) + "|")
    results = []
    with tempfile.TemporaryDirectory() as cache:
        for run in range(1 + arguments.runs):
            node = rclpy.create_node("bench_start")
            result = measure(Rig(node), settings, {"XDG_CACHE_HOME": cache})
            node.destroy_node()
            result["cache"] = "filled" if run else "empty"
            results.append(result)
            cells = [result["cache"], *(f"{result[stage]:.2f}" for stage in STAGES), result["backend"]]
            print("| " + " | ".join(cells) + " |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"settings": settings, "runs": results}, indent=2) + "\n")
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
