# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth ground-truth`: dense depth of every key frame of a split, as 16-bit PNG."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lircdepth_core import manifest, work
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
    work.add_arguments(parser, jobs=os.cpu_count())
    manifest.add_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.data import ground_truth, nuscenes
    from lircdepth_core.progress import progress

    workers = work.workers_of(arguments)
    if arguments.sweeps < 1:
        raise LircDepthError(f"--sweeps {arguments.sweeps}: expected at least 1")
    nusc = nuscenes.open_nuscenes(arguments.dataroot, arguments.version)
    scenes = nuscenes.scenes_of_split(nusc, arguments.split) if arguments.split != "all" else nusc.scene
    ground_truth.moving_tracks(nusc, scenes[0])  # tables without annotations are refused before any work
    samples = [sample for scene in scenes for sample in nuscenes.scene_samples(nusc, scene)
               if {arguments.camera, arguments.lidar} <= sample["data"].keys()]  # fmt: skip
    if not samples:
        raise LircDepthError(f"no key frame has both {arguments.camera} and {arguments.lidar}")
    tokens = [sample["token"] for sample in samples]
    if arguments.verify:
        return manifest.check(arguments.output, tokens)
    _check_parameters(arguments)
    recorded = manifest.Manifest(arguments.output)
    todo = [token for token in tokens if not recorded.is_done(token)]
    print(f"{len(samples)} key frames, {len(samples) - len(todo)} there already, {workers}", flush=True)
    maps = _DepthMaps(
        arguments.dataroot, arguments.version, arguments.camera, arguments.lidar, arguments.sweeps, arguments.output
    )
    with progress(len(todo), "frame") as advance:
        work.run(
            maps, todo, workers, advance, finished=lambda token, entry: recorded.record(entry), output=arguments.output
        )
    print(f"{arguments.output}: dense depth of {len(samples)} key frames")
    return 0


@dataclass(frozen=True)
class _DepthMaps:
    """How the depth map of a key frame is made: what any process or machine needs beside its token."""

    dataroot: Path
    version: str
    camera: str
    lidar: str
    sweeps: int
    output: Path

    def __call__(self, token: str, advance: Callable[[int], object]) -> manifest.Entry:
        """Write the map of a key frame unless it is there; return its entry for the manifest."""
        from lircdepth_core.data import ground_truth, nuscenes

        nusc = nuscenes.open_nuscenes(self.dataroot, self.version)
        sample = nusc.get("sample", token)
        path = ground_truth.depth_path(self.output, nusc, sample, self.camera)
        if not path.is_file():
            tracks = _tracks(nusc, sample["scene_token"])
            depth = ground_truth.dense_depth(nusc, sample, tracks, self.camera, self.lidar, self.sweeps, self.sweeps)
            ground_truth.write_depth(path, depth)
        advance(1)
        return manifest.entry_of(self.output, token, [path])


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
