# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth nuscenes-to-bag`: nuScenes scenes as rosbag2 bags. Needs no ROS installation."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from lircdepth_core import manifest, work
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.manifest import Manifest
from lircdepth_ros.bags.conversion import COMPLETE, Conversion, Result, convert_all, is_complete, result_of
from lircdepth_ros.bags.nuscenes_scene import SceneMessages
from lircdepth_ros.bags.selection import Selection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--dataroot", required=True, help="nuScenes folder (holds samples/, sweeps/ and the tables)")
    parser.add_argument("--version", default="v1.0-mini", help="which tables (default: %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--scene", help="one scene, such as scene-0061; --output is its bag")
    what.add_argument("--scenes", nargs="+", metavar="SCENE", help="several; each becomes OUTPUT/SCENE")
    what.add_argument("--split", help="the scenes of train, val, test, mini_train, mini_val, ... (default: all scenes)")
    parser.add_argument("-o", "--output", required=True, metavar="BAG", help="bag, or folder of bags, to create")
    _add_selection(parser)
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    parser.add_argument("--compression", choices=("none", "zstd"), default="none", help="default: %(default)s")
    work.add_arguments(parser)
    manifest.add_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="check files and disk space, write nothing")
    parser.add_argument("--skip-missing", action="store_true", help="leave out missing or damaged sensor files")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose what of a scene becomes messages."""
    parser.add_argument("--cameras", nargs="*", metavar="CHANNEL", help="only these cameras (default: all)")
    parser.add_argument("--radars", nargs="*", metavar="CHANNEL", help="only these radars (default: all)")
    parser.add_argument("--no-lidar", action="store_true", help="leave the lidar out")
    parser.add_argument("--key-frames-only", action="store_true", help="leave sweeps out")
    parser.add_argument("--raw", action="store_true", help="images as sensor_msgs/Image instead of the original JPEG")
    parser.add_argument("--ground-truth", action="store_true", help="add the lidar's depth at key frames, 32FC1")


def _selection_of(arguments: argparse.Namespace) -> Selection:
    return Selection(
        cameras=None if arguments.cameras is None else tuple(arguments.cameras),
        radars=None if arguments.radars is None else tuple(arguments.radars),
        lidar=not arguments.no_lidar,
        key_frames_only=arguments.key_frames_only,
        raw=arguments.raw,
        ground_truth=arguments.ground_truth,
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert, and print a line about each scene (or JSON). Raises LircDepthError."""
    workers, output = work.workers_of(arguments), Path(arguments.output)
    if arguments.scene and arguments.verify:
        raise LircDepthError("--verify goes with a folder of bags: a single one has no manifest")
    if arguments.scene and output.exists():  # before the tables are read, which takes a minute for the full set
        raise LircDepthError(f"{output} exists already and is not overwritten")
    nusc = nuscenes.open_nuscenes(arguments.dataroot, arguments.version)
    if arguments.scene:
        scenes = [(output, nuscenes.find_scene(nusc, arguments.scene)["name"])]
    else:
        found = [nuscenes.find_scene(nusc, name) for name in arguments.scenes or ()]
        found = found or (nuscenes.scenes_of_split(nusc, arguments.split) if arguments.split else nusc.scene)
        scenes = [(output / scene["name"], scene["name"]) for scene in found]
    if arguments.verify:
        return manifest.check(output, [name for _, name in scenes])
    conversion = Conversion(
        str(arguments.dataroot), arguments.version, _selection_of(arguments), arguments.skip_missing,
        {"storage": arguments.storage, "compression": arguments.compression}, None if arguments.scene else output,
    )  # fmt: skip
    # Every scene is looked over before the first is written: what is wrong with the last shows now.
    plans = {(bag, name): conversion.plan(name) for bag, name in scenes}
    complete = {} if arguments.scene else {task: plan for task, plan in plans.items() if is_complete(task[0], plan)}
    todo = {task: plan for task, plan in plans.items() if task not in complete}
    _preflight(list(todo.values()), output, arguments)
    if arguments.dry_run:
        results = [result_of(bag, plan, "to convert", plan.counts, plan.missing) for (bag, _), plan in todo.items()]
    else:
        recorded = Manifest(output)
        todo |= {task: plan for task, plan in complete.items() if not recorded.is_done(task[1])}
        results = convert_all(conversion, todo, workers)
    left = {task: plan for task, plan in complete.items() if arguments.dry_run or task not in todo}
    results += [result_of(bag, plan, COMPLETE, plan.counts) for (bag, _), plan in left.items()]
    _report(sorted(results, key=lambda result: result["bag"]), arguments)
    return 0


def _preflight(todo: list[SceneMessages], output: Path, arguments: argparse.Namespace) -> None:
    """Raise LircDepthError when files are missing or the disk is too small."""
    for plan in todo:
        plan.check_files()
    place = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.exists())
    free, needed = shutil.disk_usage(place).free, sum(plan.output_bytes for plan in todo)
    if needed > free and arguments.compression == "none":
        raise LircDepthError(f"the bags need up to {needed:,} bytes, and {place} has {free:,} free")
    if arguments.dry_run and not arguments.json:
        print(
            f"{len(todo)} scene(s) to convert: {sum(plan.records for plan in todo)} sensor files,"
            f" {sum(plan.input_bytes for plan in todo):,} bytes; the bags need up to {needed:,} of {free:,}"
            " bytes free"
        )


def _report(results: list[Result], arguments: argparse.Namespace) -> None:
    skipped = [reason for result in results for reason in result["skipped"]]
    for reason in skipped[:5]:
        print(f"skipped: {reason}", file=sys.stderr)
    if len(skipped) > 5:
        print(f"skipped: ... and {len(skipped) - 5} more", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"scenes": results}, indent=2))
        return
    for result in results:
        size = f"{result['bytes']} bytes, " if "bytes" in result else ""
        status = "" if result["status"] == "converted" else f"{result['status']}: "
        print(
            f"{result['bag']}: {status}{result['messages']} messages on {len(result['topics'])} topics, {size}"
            f"{result['duration_s']:.3f} s, {len(result['skipped'])} sensor files skipped"
        )
