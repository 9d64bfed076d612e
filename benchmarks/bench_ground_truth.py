# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Time of one key frame's accumulated depth beside the same computed point by point.

    python benchmarks/bench_ground_truth.py [--dataroot DIR --version v1.0-mini] [--loop-sweeps 2]

Without a data root one synthetic scene is generated first. The loop runs over a few sweeps and is scaled to all of
them, as the table says; both run in one process, and NumPy on one thread where OMP_NUM_THREADS=1 says so.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.data import ground_truth, nuscenes
from lircdepth_core.data.ground_truth.accumulation import _camera_from_global


def loop_over_points(nusc, sample, tracks, records):
    """Accumulate the plain way: every point through every box, every transform and the image, one after the other."""
    camera = nusc.get("sample_data", sample["data"]["CAM_FRONT"])
    camera_from_global = _camera_from_global(nusc, camera)
    intrinsics = np.array(nusc.get("calibrated_sensor", camera["calibrated_sensor_token"])["camera_intrinsic"])
    depth = np.full((camera["height"], camera["width"]), np.inf)
    for record in records:
        base_from_lidar = nuscenes.base_from_sensor(nusc.get("calibrated_sensor", record["calibrated_sensor_token"]))
        global_from_lidar = nuscenes.global_from_base(nusc.get("ego_pose", record["ego_pose_token"])) @ base_from_lidar
        boxes = []
        for track in tracks:
            now, then = track.pose(record["timestamp"]), track.pose(camera["timestamp"])
            if now is not None:
                boxes.append((geometry.invert(now), then, track.half_size))
        for point in nuscenes.read_points(nusc, record):
            place = global_from_lidar @ np.append(point, 1.0)
            for object_from_global, then, half in boxes:
                in_object = object_from_global @ place
                if (abs(in_object[:3]) <= half).all():
                    place = None if then is None else then @ in_object
                    break
            if place is None:
                continue
            x, y, z = (camera_from_global @ place)[:3]
            if z > 1:
                u = intrinsics[0, 0] * x / z + intrinsics[0, 2]
                v = intrinsics[1, 1] * y / z + intrinsics[1, 2]
                if 1 < u < depth.shape[1] - 1 and 1 < v < depth.shape[0] - 1:
                    row, column = round(v), round(u)
                    depth[row, column] = min(depth[row, column], z)
    return depth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataroot", type=Path)
    parser.add_argument("--version", default="v1.0-mini")
    parser.add_argument("--loop-sweeps", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.dataroot
        if root is None:
            from lircdepth_core import synthetic

            root = synthetic.generate(Path(temporary, "street"), duration=9.0)
        nusc = nuscenes.open_nuscenes(root, arguments.version)
        scene = nusc.scene[0]
        samples = nuscenes.scene_samples(nusc, scene)
        sample = samples[len(samples) // 2]
        tracks = ground_truth.moving_tracks(nusc, scene)
        key = nusc.get("sample_data", sample["data"]["LIDAR_TOP"])
        records = nuscenes.neighbouring_records(nusc, key, 80, 80)
        points = np.mean([len(nuscenes.read_points(nusc, record)) for record in records])
        print(f"{len(records)} sweeps of {points:.0f} points, {len(tracks)} moving objects")

        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            ground_truth.dense_depth(nusc, sample, tracks)
            seconds.append(time.perf_counter() - started)
        print(f"dense_depth: {min(seconds):.2f} s (projection, occlusion and interpolation)")
        chosen = records[len(records) // 2 :][: arguments.loop_sweeps]
        started = time.perf_counter()
        loop_over_points(nusc, sample, tracks, chosen)
        loop = time.perf_counter() - started
        scaled = loop / len(chosen) * len(records)
        print(f"point by point: {loop:.1f} s for {len(chosen)} sweeps, so {scaled:.0f} s for all (projection alone)")
        print(f"ratio {scaled / min(seconds):.0f}")


if __name__ == "__main__":
    main()
