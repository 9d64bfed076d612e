# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the synthetic street costs: a 1600x900 camera frame, a lidar and a radar scan, and frames of a training set.

    python benchmarks/bench_synthetic.py [--device cuda] [--processes N] [--samples N]

Prints the CPU seconds of one thread (which do not depend on what else the machine does) and the wall time, and writes
out/bench/synthetic.json. With --processes frames are made by so many processes at once, as pack-street does.
"""

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from lircdepth_core import synthetic
from lircdepth_core.data.street import StreetFrames
from lircdepth_core.synthetic.sensors.camera import camera_frame
from lircdepth_core.synthetic.sensors.lidar import lidar_scan
from lircdepth_core.synthetic.sensors.radar import radar_scan

PACKED_SCALE = 0.25  # of the frames that the recipes train on
WINDOW = (352, 704)  # height and width of the window that int8 calibration takes


def measure(function, count, device):
    """Return the median (CPU, wall) seconds of function(0), function(1), ... after one call that is not counted."""
    function(0)
    took = []
    for index in range(count):
        if device != "cpu":
            torch.cuda.synchronize()
        started = time.process_time(), time.perf_counter()
        function(index)
        if device != "cpu":
            torch.cuda.synchronize()
        took.append((time.process_time() - started[0], time.perf_counter() - started[1]))
    return tuple(np.median(took, axis=0).tolist())


def make_frames(seed, count, device):
    """Make ``count`` training frames in a process of its own; return the wall seconds."""
    torch.set_num_threads(1)
    frames = StreetFrames("train", count, PACKED_SCALE, seed, device=device)
    frames.frame(0)
    started = time.perf_counter()
    for index in range(count):
        frames.frame(index)
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=12, help="of each kind (default: %(default)s)")
    parser.add_argument(
        "--processes", type=int, default=2, help="for the rate of training frames (default: %(default)s)"
    )
    arguments = parser.parse_args()
    device, count = arguments.device, arguments.samples
    torch.set_num_threads(1)
    worlds = [synthetic.build_world((seed, 0)) for seed in range(6)]
    random = np.random.default_rng(0)
    camera, lidar, radar, *_ = synthetic.suite()
    packed = StreetFrames("train", count, PACKED_SCALE, seed=1, device=device)
    windows = StreetFrames("train", count, 1.0, seed=1, device=device, window=WINDOW)
    rows = {
        "street built from its seed": lambda i: synthetic.build_world((i, 1)),
        "camera frame 1600x900": lambda i: camera_frame(worlds[i % 6], camera, 1.0 + i, device),
        "lidar scan 32 x 1080": lambda i: lidar_scan(worlds[i % 6], lidar, 1.0 + i, random, device),
        "radar scan": lambda i: radar_scan(worlds[i % 6], radar, 1.0 + i, random, device),
        "training frame 400x225": packed.frame,
        "window 704x352, image and radar": windows.inputs,
    }
    results = {}
    print(f"{'median of ' + str(count):32} {'CPU s':>8} {'wall s':>8}   (device {device}, one thread)")
    for name, function in rows.items():
        results[name] = measure(function, count, device)
        print(f"{name:32} {results[name][0]:8.3f} {results[name][1]:8.3f}", flush=True)
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        jobs = [(100 + k, count, device) for k in range(arguments.processes)]
        slowest = max(pool.starmap(make_frames, jobs))
    rate = arguments.processes * count / slowest
    results[f"training frames a second, {arguments.processes} processes"] = rate
    print(f"{arguments.processes} processes: {rate:.2f} training frames a second, {1 / rate:.3f} s each")
    output = Path("out/bench/synthetic.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
