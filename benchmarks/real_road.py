# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What weights make of real roads: a nuScenes sample's cameras against its lidar, and road pictures without truth.

    python benchmarks/real_road.py [--weights street] [--dataroot NUSCENES] [--pictures FOLDER] [-o PNG]

To look at after a campaign, never to select on. Without truth a road can still be wrong: ahead of the car its depth
must follow f h / (v - v0) with one height h of the camera and one horizon v0, so that inverse depth is a line over the
rows. A ghost is one wrong return 20 m ahead on a free road: it should move few pixels.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lircdepth_core.data import ground_truth, nuscenes
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.evaluation.metrics import depth_errors, mean_errors
from lircdepth_core.evaluation.pictures import Panel, montage
from lircdepth_core.geometry import rigid_transform
from lircdepth_core.pictures import decode_picture
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan

CAMERAS = ("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT")
DASH_CAMERA = (1157.0, 668.0, 386.0)  # focal length and principal point [px] of the road pictures, at 1280 columns
GHOST_M, GHOST_RCS, MOVED = 20.0, 10.0, 0.2
CAMERA_FROM_RADAR = rigid_transform((0.0, 0.5, 0.0), (0.5, 0.5, -0.5, 0.5))  # looks ahead, half a metre below
ROAD_TOP, ROAD_BOTTOM, ROAD_HALF_WIDTH = (
    0.08,
    0.36,
    0.18,
)  # of the picture's size


def errors(depth, truth):
    return depth_errors(depth, np.where(truth > 0, truth, np.nan))


def sample_errors(pipeline, root, version):
    """Return {camera: errors without radar}, the front camera's with radar, and panels."""
    nusc = nuscenes.open_nuscenes(root, version)
    alone, panels, fused = {}, [], None
    for camera in CAMERAS:
        sample = nusc.sample[0]
        frames = NuScenesFrames(root, version, "all", camera=camera)
        image, intrinsics, radars = frames.pipeline_input(sample)
        truth = ground_truth.single_scan_depth(nusc, sample, camera, "LIDAR_TOP")
        depth = pipeline(image, intrinsics).depth
        alone[camera] = errors(depth, truth)
        panels += [Panel(camera, image), Panel("depth, camera alone", depth=depth)]
        if camera == "CAM_FRONT":
            depth = pipeline(image, intrinsics, radars).depth
            fused = errors(depth, truth)
            panels += [Panel(f"{camera}, radar", image), Panel("depth with radar", depth=depth)]
    return alone, fused, panels


def road_plane(depth, horizon):
    """Return (camera height [m] per focal length [px], horizon row, median residual of depth) of the road ahead."""
    height, width = depth.shape
    rows = np.arange(round(horizon + ROAD_TOP * height), min(height, round(horizon + ROAD_BOTTOM * height)))
    columns = slice(round((0.5 - ROAD_HALF_WIDTH) * width), round((0.5 + ROAD_HALF_WIDTH) * width))
    inverse = 1 / depth[rows, columns]
    v = np.broadcast_to(rows[:, None], inverse.shape)[np.isfinite(inverse) & (inverse > 0)]
    inverse = inverse[np.isfinite(inverse) & (inverse > 0)]
    slope, offset = np.polyfit(v, inverse, 1, w=1 / inverse)  # relative errors of depth count alike near and far
    fitted = slope * v + offset
    return 1 / slope, -offset / slope, float(np.median(np.abs(inverse / fitted - 1)))


def picture_rows(pipeline, folder):
    """Return [name, camera height [m], horizon [px below the principal point], residual, share that a ghost moves]."""
    table, panels = [], []
    for path in sorted(folder.glob("*.jpg")):
        image = decode_picture(path.read_bytes(), path)
        focal, cx, cy = (value * image.shape[1] / 1280 for value in DASH_CAMERA)
        intrinsics = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])
        depth = pipeline(image, intrinsics).depth
        ghost = RadarScan.from_fields([GHOST_M], [0.0], [0.0], [GHOST_RCS], [-10.0], [0.0])
        moved = pipeline(image, intrinsics, [(ghost, CAMERA_FROM_RADAR)])
        if not moved.fused:
            raise SystemExit(f"{path}: the ghost is not in the image")
        known = np.isfinite(depth) & np.isfinite(moved.depth)
        share = float((np.abs(moved.depth / depth - 1) > MOVED)[known].mean())
        height, horizon, residual = road_plane(depth, cy + 0.05 * image.shape[0])
        table.append([path.stem, height / focal, horizon - cy, residual, share])
        panels += [Panel(path.stem, image), Panel("depth, camera alone", depth=depth)]
    return table, panels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="street", help="file or name (default: %(default)s)")
    parser.add_argument("--dataroot", type=Path, help="nuScenes data root with one sample or more: the first is taken")
    parser.add_argument("--version", default="v1.0-mini", help="default: %(default)s")
    parser.add_argument("--pictures", type=Path, help="folder of road pictures of the dash camera")
    parser.add_argument("-o", "--output", type=Path, help="picture to draw")
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    arguments = parser.parse_args()
    pipeline = DepthPipeline.from_weights(arguments.weights, device="cpu")
    found, panels = {"weights": str(arguments.weights)}, []
    if arguments.dataroot:
        alone, fused, drawn = sample_errors(pipeline, arguments.dataroot, arguments.version)
        panels += drawn
        mean = mean_errors(alone.values())
        found |= {"alone": alone, "mean": mean, "front_with_radar": fused}
        print("| camera | MAE [m] | AbsRel | delta1 |\n|---|---|---|---|")
        for name, row in (*alone.items(), ("mean of six, camera alone", mean), ("CAM_FRONT with radar", fused)):
            print(f"| {name} | {row['mae']:.2f} | {row['abs_rel']:.3f} | {row['delta1']:.3f} |")
    if arguments.pictures:
        table, drawn = picture_rows(pipeline, arguments.pictures)
        panels += drawn
        found["road"] = table
        print("\n| picture | camera height [m] | horizon [px] | residual of the plane | moved by a ghost |")
        print("|---|---|---|---|---|")
        for name, height, horizon, residual, share in table:
            print(f"| {name} | {height:.2f} | {horizon:+.0f} | {residual:.1%} | {share:.2%} |")
    if arguments.output and panels:
        montage(arguments.output, panels, f"{arguments.weights} on real roads")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
