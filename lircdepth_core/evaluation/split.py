# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of the depth pipeline on a nuScenes split: by cap, range and condition, with radar and without."""

import json
from pathlib import Path

import numpy as np

from lircdepth_core.data import ground_truth
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.metrics import CAPS, NAMES, depth_errors, mean_errors
from lircdepth_core.files import written_whole

RANGES = ((0.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 50.0), (50.0, 80.0))  # metres
PUBLISHED_OFFSET = 4  # rows by which the radar sits too low in the published evaluation


def conditions(description):
    """Return the conditions that a nuScenes scene's description names: "night" or "day", and "rain"."""
    words = description.lower()
    found = ["night" if "night" in words else "day"]
    return [*found, "rain"] if "rain" in words or "wet" in words else found


def truth_of(frames, sample, kind):
    """Return the true depth of a key frame's image, float32 [H, W], 0 = unknown.

    kind: "lidar", its single scan, or "exact", the rendered depth of a synthetic data root.
    """
    camera, _, lidar = frames.channels
    if kind == "lidar":
        return ground_truth.single_scan_depth(frames.nusc, sample, camera, lidar)
    record = frames.nusc.get("sample_data", sample["data"][camera])
    return ground_truth.read_depth(Path(frames.nusc.dataroot, "depth", camera, f"{Path(record['filename']).stem}.png"))


def evaluate(pipeline, frames, truth="lidar", published_offset=False, limit=None, progress=iter):
    """Run a DepthPipeline over frames (NuScenesFrames at scale 1), with radar and with none.

    published_offset: put the radar 4 rows too low and leave the top 4 rows out, as the published figures do. limit:
    so many frames, spread over the split. Returns {"radar" and "no radar": {group: mean errors}}, where a group is
    "0-50 m", ... (caps), "10-20 m", ... (range bins) or a condition (at 80 m); "skipped" counts frames without truth.
    Raises LircDepthError when no frame has ground truth.
    """
    count = len(frames) if limit is None else min(limit, len(frames))
    errors = {"radar": {}, "no radar": {}}
    skipped = 0
    for index in progress([i * len(frames) // count for i in range(count)]):
        sample = frames.samples[index]
        depth_truth = truth_of(frames, sample, truth)
        if published_offset:
            depth_truth[:PUBLISHED_OFFSET] = 0
        if not has_truth(depth_truth):
            skipped += 1
            continue
        image, intrinsics, radars = frames.pipeline_input(sample)
        if published_offset:
            intrinsics = intrinsics + np.array([[0, 0, 0], [0, 0, PUBLISHED_OFFSET], [0, 0, 0]])
        tags = conditions(frames.scene_description(sample))
        for name, scans in (("radar", radars), ("no radar", ())):
            depth = pipeline(image, intrinsics, scans).depth
            for group, found in grouped(depth, depth_truth, tags):
                errors[name].setdefault(group, []).append(found)
    return summary(errors, skipped, frames.description)


def has_truth(depth):
    """Whether a true depth map can be evaluated against at every cap."""
    return ((depth > 1e-3) & (depth < min(CAPS))).any()


def means(errors):
    """Return {name: {group: mean errors}} of {name: {group: errors of each image}}."""
    return {name: {group: mean_errors(found) for group, found in groups.items()} for name, groups in errors.items()}


def summary(errors, skipped, description):
    """Return means and how many frames were skipped. Raises LircDepthError when all were."""
    if not errors["radar"]:
        raise LircDepthError(f"{description}: no frame has any ground truth")
    return means(errors) | {"skipped": skipped}


def grouped(depth, truth, tags):
    """Yield (group, errors) of one image for each cap, range bin and condition that it has pixels of."""
    for cap in CAPS:
        yield f"0-{cap:g} m", depth_errors(depth, truth, cap)
    for near, far in RANGES:
        if ((truth > near) & (truth < far) & ~np.isnan(depth)).any():
            yield f"{near:g}-{far:g} m bin", _bin_errors(depth, truth, near, far)
    for tag in tags:
        yield tag, depth_errors(depth, truth, max(CAPS))


def _bin_errors(depth, truth, near, far):
    """Errors where the truth is within a bin; the depth is clamped to the whole range, not to the bin's end."""
    inside = np.where((truth > near) & (truth < far), truth, 0)
    return depth_errors(depth, inside, max(CAPS))


def table(results):
    """Return the results as lines of a table: one a group, MAE also with radar zeroed."""
    columns = ("mae", "rmse", "abs_rel", "sq_rel", "log10", "rmse_log", "silog", "delta1", "delta2", "delta3")
    assert columns == NAMES
    lines = [f"{'group':14}{'images':>8}" + "".join(f"{name:>10}" for name in columns) + f"{'no radar':>10}"]
    for group, mean in results["radar"].items():
        values = "".join(f"{mean[name]:>10.3f}" for name in columns)
        lines.append(f"{group:14}{mean['images']:>8}{values}{results['no radar'][group]['mae']:>10.3f}")
    return [*lines, "metres where not a ratio; 'no radar' is the MAE of the same frames with radar zeroed"]


def write(output, results, about):
    """Write results.json and table.txt into the folder ``output``."""
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    texts = {"results.json": json.dumps(about | results, indent=1), "table.txt": "\n".join(table(results))}
    for name, text in texts.items():
        with written_whole(output / name) as partial:
            partial.write_text(text + "\n")
