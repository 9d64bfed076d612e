# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth ground-truth`: dense depth of every key frame of a split, as 16-bit PNG."""

from __future__ import annotations

import argparse
import functools
import json
import os
from pathlib import Path
from typing import Any

from lircdepth_core import processes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--dataroot", required=True, type=Path, help="nuScenes data root")
    parser.add_argument("--version", default="v1.0-trainval", help="name of the tables' folder (default: %(default)s)")
    parser.add_argument("--split", default="train", help="train, val, mini_train ..., or all (default: %(default)s)")
    parser.add_argument("-o", "--output", required=True, type=Path, help="folder of the depth maps; resumed if there")
    parser.add_argument("--sweeps", type=int, default=80, help="lidar sweeps each way (default: %(default)s)")
    parser.add_argument("--camera", default="CAM_FRONT")
    parser.add_argument("--lidar", default="LIDAR_TOP")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: one a core)")


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.data import ground_truth, nuscenes
    from lircdepth_core.progress import progress

    if arguments.sweeps < 1 or arguments.jobs < 1:
        raise LircDepthError(f"--sweeps {arguments.sweeps} --jobs {arguments.jobs}: expected at least 1")
    nusc = nuscenes.open_nuscenes(arguments.dataroot, arguments.version)
    scenes = nuscenes.scenes_of_split(nusc, arguments.split) if arguments.split != "all" else nusc.scene
    ground_truth.moving_tracks(nusc, scenes[0])  # tables without annotations are refused before any work
    _check_parameters(arguments)
    samples = [sample for scene in scenes for sample in nuscenes.scene_samples(nusc, scene)
               if {arguments.camera, arguments.lidar} <= sample["data"].keys()]  # fmt: skip
    if not samples:
        raise LircDepthError(f"no key frame has both {arguments.camera} and {arguments.lidar}")
    paths = [ground_truth.depth_path(arguments.output, nusc, sample, arguments.camera) for sample in samples]
    todo = [(sample, path) for sample, path in zip(samples, paths, strict=True) if not path.is_file()]
    print(
        f"{len(samples)} key frames, {len(samples) - len(todo)} there already, {arguments.jobs} processes", flush=True
    )
    with progress(len(todo), "frame") as advance:
        processes.run(functools.partial(_make, nusc, arguments), todo, arguments.jobs, advance)
    print(f"{arguments.output}: dense depth of {len(samples)} key frames")


def _make(nusc, arguments, task, advance):
    from lircdepth_core.data import ground_truth

    sample, path = task
    sweeps = arguments.sweeps
    tracks = _tracks(nusc, sample["scene_token"])
    depth = ground_truth.dense_depth(nusc, sample, tracks, arguments.camera, arguments.lidar, sweeps, sweeps)
    ground_truth.write_depth(path, depth)
    advance(1)


_last_tracks: tuple[Any, Any] = (None, None)  # key, tracks


def _tracks(nusc, scene_token):
    """Return the moving objects of a scene; those of the last one are kept, since its key frames come together."""
    global _last_tracks
    from lircdepth_core.data import ground_truth

    if _last_tracks[0] != (nusc.dataroot, scene_token):
        tracks = ground_truth.moving_tracks(nusc, nusc.get("scene", scene_token))
        _last_tracks = ((nusc.dataroot, scene_token), tracks)
    return _last_tracks[1]


def _check_parameters(arguments):
    """Keep what made a folder's maps beside them. Raises LircDepthError when it was something else."""
    path = arguments.output / "parameters.json"
    wanted = {"version": arguments.version, "camera": arguments.camera, "lidar": arguments.lidar,
              "sweeps": arguments.sweeps}  # fmt: skip
    if path.is_file():
        found = json.loads(path.read_text())
        if found != wanted:
            raise LircDepthError(f"{path}: holds maps made with {found}, not with {wanted}; give another folder")
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(wanted, indent=1) + "\n")
