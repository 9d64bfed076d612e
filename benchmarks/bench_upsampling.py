# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Error and time of upsampling depth from a reduced size: nearest against edge-aware, on the synthetic street.

    python benchmarks/bench_upsampling.py [--frames 6] [--json FILE]

The renderer gives exact depth at every size: what is exact at 1/2 and 1/4 is upsampled to 1600x900 and compared with
what is exact there, so that the error is that of upsampling alone. Near an edge: within 4 pixels of a place where depth
changes by more than a tenth from one pixel to the next. Times are CPU time of one thread, and the wall's.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lircdepth_core import synthetic
from lircdepth_core.evaluation.metrics import depth_errors
from lircdepth_core.inference.upsampling import METHODS, upsample
from lircdepth_core.synthetic.sensors.camera import camera_depth, camera_frame

COLUMNS = {
    "mae": "MAE [m]",
    "abs_rel": "AbsRel",
    "mae_edges": "MAE near edges [m]",
    "abs_rel_edges": "AbsRel near edges",
    "mae_elsewhere": "MAE elsewhere [m]",
    "cpu_ms": "CPU [ms]",
    "wall_ms": "wall [ms]",
}


def near_edges(depth):
    """Return a mask [H, W] of the pixels within 4 of a jump of depth."""
    near, far = (function(depth, np.ones((3, 3))) for function in (cv2.erode, cv2.dilate))
    return cv2.dilate((far / 1.1 > near).astype(np.uint8), np.ones((7, 7))) > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=6, help="each of another street (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    camera = synthetic.suite()[0]
    found = {(divisor, method): [] for divisor in (2, 4) for method in METHODS}
    for seed in range(arguments.frames):
        world = synthetic.build_world((seed, 0))
        full = camera_frame(world, camera, 1.0 + seed)
        truth, guide = full.depth.float().numpy(), full.image.numpy()
        edges = near_edges(truth)
        for divisor, method in found:
            shape = truth.shape[0] // divisor, truth.shape[1] // divisor
            if method == METHODS[0]:
                small = camera_depth(world, camera.resized(*shape[::-1]), 1.0 + seed).float().numpy()
            small_guide = cv2.resize(guide, shape[::-1], interpolation=cv2.INTER_AREA)
            started = time.perf_counter(), time.process_time()
            depth = upsample(small, truth.shape, method, guide, small_guide)
            wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
            everywhere, there = depth_errors(depth, truth), depth_errors(depth[edges], truth[edges])
            smooth = depth_errors(depth[~edges], truth[~edges])
            found[divisor, method].append(
                {
                    "mae": everywhere["mae"],
                    "abs_rel": everywhere["abs_rel"],
                    "mae_edges": there["mae"],
                    "abs_rel_edges": there["abs_rel"],
                    "mae_elsewhere": smooth["mae"],
                    "edge_share": float(edges.mean()),
                    "cpu_ms": cpu * 1e3,
                    "wall_ms": wall * 1e3,
                }
            )
    print("| depth at | upsampling | " + " | ".join(COLUMNS.values()) + " |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    results = []
    for (divisor, method), rows in found.items():
        mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        mean |= {name: float(np.median([row[name] for row in rows])) for name in ("cpu_ms", "wall_ms")}
        results.append({"divisor": divisor, "method": method, "frames": len(rows), **mean})
        print(f"| 1/{divisor} | {method} | " + " | ".join(f"{mean[name]:.4g}" for name in COLUMNS) + " |")
    print(f"\n{arguments.frames} frames, depth up to 80 m; {mean['edge_share']:.1%} of the pixels are near an edge")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
