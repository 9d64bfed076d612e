# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one depth node: images computed together against one by one, and six cameras at 12 Hz.

    python benchmarks/bench_surround.py [--backends openvino] [--batches 1 2 3 6] [--rounds 5] [--seconds 30] [--raw]

The first table is of the network alone, at the size that the weights give nuScenes' cameras: in each round every batch
is computed once, so that what else the machine does meets all alike; a ratio is the median over the rounds of (batch
times the time of one image / time of the batch), above 1 where a batch is faster. The second is of the node with the
street's six cameras, 1600x900 over DDS: depth a second of each, the spread (the most minus the least, of the mean),
latency from an image's arrival to its depth, what became of every image, and what receiving one costs the node (CPU
time of the executor and of DDS, not of the network). --raw publishes images decoded. --batches without a number, or
--seconds 0, leaves a part out. On a machine with a GPU: --device cuda --backends compiled.
"""

import argparse
import json
import os
import statistics
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

_TIMEOUT_S = 600.0  # for a node to make its engine
_SETTLING_S = 8.0  # for what waits at the end, and for the report on it


def compare(backend_name, arguments):
    """Return {batch: [seconds]} of the network."""
    import torch

    from lircdepth_core.pipeline import DepthPipeline

    pipeline = DepthPipeline.from_weights(
        arguments.weights, backend=backend_name, device=arguments.device, threads=arguments.threads
    )
    plan, backend = pipeline.nominal_plan(), pipeline.backend
    backend.keep_sizes(len(arguments.batches))
    inputs = {
        batch: [torch.rand(batch, channels, *plan_size(plan), device=backend.device) for channels in (3, 4)]
        for batch in arguments.batches
    }
    for batch in arguments.batches:
        backend.warm_up(*plan_size(plan), batch)
    seconds = {batch: [] for batch in arguments.batches}
    for _ in range(arguments.rounds):
        for batch, tensors in inputs.items():
            began = time.perf_counter()
            backend.infer(*tensors)
            if backend.device.type == "cuda":
                torch.cuda.synchronize()
            seconds[batch].append(time.perf_counter() - began)
    about = f"{backend.describe()}, {plan.crop_width}x{plan.crop_height}"
    backend.release()
    return about, seconds


def plan_size(plan):
    return plan.crop_height, plan.crop_width


def drive(backend_name, arguments):
    """Run a node with the six cameras; return {camera: diagnostics with frames a second}."""
    from rig import command
    from surround import CAMERAS, SurroundRig, make_bag

    with tempfile.TemporaryDirectory() as folder:
        bag = arguments.bag or make_bag(Path(folder), 0.3)
        node = rclpy.create_node("bench")
        around = SurroundRig(node, bag, raw=arguments.raw)
        settings = {name: getattr(arguments, name) for name in ("weights", "device", "threads", "batch")}
        settings["image_transport"] = "raw" if arguments.raw else "compressed"
        line = command(around.calibration, cameras="[all]", backend=backend_name, **settings)
        process = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            wait(node, around.subscribed, _TIMEOUT_S)
            begin, receiving = time.monotonic(), receiving_seconds(process.pid)
            for i in range(int(arguments.seconds * arguments.rate)):
                around.send_pose(time.time_ns(), 0)
                around.send_scans(time.time_ns())
                for j, camera in enumerate(CAMERAS):  # one after the other, as the lidar passes them
                    until = begin + (i + j / len(CAMERAS)) / arguments.rate
                    wait(node, lambda until=until: time.monotonic() >= until)
                    around.send_camera(camera, time.time_ns())
            took, receiving = time.monotonic() - begin, receiving_seconds(process.pid) - receiving
            depths = {camera: len(around.depth[camera]) for camera in CAMERAS}
            settled = time.monotonic() + _SETTLING_S
            wait(node, lambda: time.monotonic() > settled)
        finally:
            process.terminate()
            process.wait()
        node.destroy_node()
    topic = "image_rect" if arguments.raw else "image_rect/compressed"
    return {
        camera: around.status[camera]
        | {
            "depth_hz": depths[camera] / took,
            "sent": around.sent[camera],
            "lost": around.count(camera, f"lost_before_the_node /{camera}/{topic}"),
            "receiving_s": receiving,
        }
        for camera in CAMERAS
    }


def receiving_seconds(pid):
    """Return the CPU time [s] of a node's main thread, which is the executor's, and of DDS's threads."""
    ticks = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        name, _, fields = (thread / "stat").read_text().partition("(")[2].rpartition(")")
        if thread.name == str(pid) or name.startswith("dds."):
            ticks += sum(map(int, fields.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def wait(node, condition, timeout=float("inf")):
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the node does not answer")
        rclpy.spin_once(node, timeout_sec=0.002)


def batch_table(about, seconds):
    single = seconds[1]
    lines = [
        f"{about}, {len(single)} rounds:",
        "",
        "| batch | ms | ms an image | against one by one |",
        "|---|---|---|---|",
    ]
    for batch, times in seconds.items():
        ratio = statistics.median(batch * one / together for one, together in zip(single, times, strict=True))
        middle = 1e3 * statistics.median(times)
        lines.append(f"| {batch} | {middle:.0f} | {middle / batch:.0f} | {ratio:.2f}x |")
    return lines


def node_table(found):
    lines = [
        "| camera | depth a second | latency p50 / p99 [ms] | fused | sent = in + lost | in = out + dropped |",
        "|---|---|---|---|---|---|",
    ]
    for camera, status in found.items():
        latency = f"{float(status['total_ms_p50']):.0f} / {float(status['total_ms_p99']):.0f}"
        account = f"{status['sent']} = {status['frames_in']} + {status['lost']} | "
        account += f"{status['frames_in']} = {status['frames_out']} + {status['dropped']}"
        lines.append(f"| {camera} | {status['depth_hz']:.2f} | {latency} | {status['fused']} | {account} |")
    out = [int(status["frames_out"]) for status in found.values()]
    images = sum(int(status["frames_in"]) for status in found.values())
    receiving = next(iter(found.values()))["receiving_s"]
    lines += [
        "",
        f"receiving: {1e3 * receiving / images:.1f} ms of a core an image",
        f"spread {100 * (max(out) - min(out)) / statistics.mean(out):.1f} %; {next(iter(found.values()))['backend']}",
    ]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["openvino"])
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 2, 3, 6], help="1 among them")
    parser.add_argument("--batch", type=int, default=1, help="of the node, as its parameter (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", default="street", help="as the node's parameter (default: %(default)s)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2, help="of the network on the CPU (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--raw", action="store_true", help="images as they are when they are decoded")
    parser.add_argument("--rate", type=float, default=12.0, help="images a second and camera (default: %(default)s)")
    parser.add_argument("--bag", type=Path, help="a bag of six cameras to take messages from (default: it is rendered)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    arguments = parser.parse_args()
    os.environ.update(profile_environment())
    results = {}
    for backend in arguments.backends:
        if arguments.batches:
            about, seconds = compare(backend, arguments)
            results[backend] = {"about": about, "seconds": seconds}
            print("\n".join(batch_table(about, seconds)), end="\n\n", flush=True)
        if arguments.seconds:
            rclpy.init()
            found = drive(backend, arguments)
            rclpy.try_shutdown()
            results.setdefault(backend, {})["cameras"] = found
            print("\n".join(node_table(found)), end="\n\n", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
