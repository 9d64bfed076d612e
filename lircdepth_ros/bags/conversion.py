# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth nuscenes-to-bag`: nuScenes scenes as rosbag2 bags. Needs no ROS installation.

A message's log time is its header stamp. What is in a bag: docs/bags.md and nuscenes_messages.py.
"""

import ctypes
import dataclasses
import functools
import json
import shutil
import sys
import time
from pathlib import Path

from lircdepth_core import processes
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_ros.bags.nuscenes_scene import SceneMessages, Selection
from lircdepth_ros.bags.writing import clear_partial, new_bag
from lircdepth_ros.messages import definitions


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("--dataroot", required=True, help="nuScenes folder (holds samples/, sweeps/ and the tables)")
    parser.add_argument("--version", default="v1.0-mini", help="which tables (default: %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--scene", help="one scene, such as scene-0061; --output is its bag")
    what.add_argument("--scenes", nargs="+", metavar="SCENE", help="several; each becomes OUTPUT/SCENE")
    what.add_argument("--split", help="the scenes of train, val, test, mini_train, mini_val, ... (default: all scenes)")
    parser.add_argument("-o", "--output", required=True, metavar="BAG", help="bag, or folder of bags, to create")
    add_selection(parser)
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    parser.add_argument("--compression", choices=("none", "zstd"), default="none", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=1, help="scenes at a time, a process each (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="check files and disk space, write nothing")
    parser.add_argument("--skip-missing", action="store_true", help="leave out missing or damaged sensor files")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def add_selection(parser):
    """Add the arguments that choose what of a scene becomes messages."""
    parser.add_argument("--cameras", nargs="*", metavar="CHANNEL", help="only these cameras (default: all)")
    parser.add_argument("--radars", nargs="*", metavar="CHANNEL", help="only these radars (default: all)")
    parser.add_argument("--no-lidar", action="store_true", help="leave the lidar out")
    parser.add_argument("--key-frames-only", action="store_true", help="leave sweeps out")
    parser.add_argument("--raw", action="store_true", help="images as sensor_msgs/Image instead of the original JPEG")
    parser.add_argument("--ground-truth", action="store_true", help="add the lidar's depth at key frames, 16UC1")


def selection_of(arguments):
    """Return the Selection that add_selection's arguments ask for."""
    return Selection(
        cameras=None if arguments.cameras is None else tuple(arguments.cameras),
        radars=None if arguments.radars is None else tuple(arguments.radars),
        lidar=not arguments.no_lidar,
        key_frames_only=arguments.key_frames_only,
        raw=arguments.raw,
        ground_truth=arguments.ground_truth,
    )


def run(arguments):
    """Convert, and print a line about each scene (or JSON). Raises LircDepthError."""
    if arguments.jobs < 1:
        raise LircDepthError(f"--jobs is {arguments.jobs}, expected 1 or more")
    output = Path(arguments.output)
    if arguments.scene and output.exists():  # before the tables are read, which takes a minute for the full set
        raise LircDepthError(f"{output} exists already and is not overwritten")
    nusc = nuscenes.open_nuscenes(arguments.dataroot, arguments.version)
    if arguments.scene:
        scenes = {output: nuscenes.find_scene(nusc, arguments.scene)}
    else:
        found = [nuscenes.find_scene(nusc, name) for name in arguments.scenes or ()]
        found = found or (nuscenes.scenes_of_split(nusc, arguments.split) if arguments.split else nusc.scene)
        scenes = {output / scene["name"]: scene for scene in found}
    # Every scene is looked over before the first is written: what is wrong with the last shows now.
    plans = {
        bag: SceneMessages(nusc, scene, selection_of(arguments), arguments.skip_missing)
        for bag, scene in scenes.items()
    }
    complete = {bag: plan for bag, plan in plans.items() if not arguments.scene and _is_complete(bag, plan)}
    todo = {bag: plan for bag, plan in plans.items() if bag not in complete}
    _preflight(todo, output, arguments)
    results = [_result(bag, plan, "complete already", plan.counts) for bag, plan in complete.items()]
    if arguments.dry_run:
        results += [_result(bag, plan, "to convert", plan.counts, plan.missing) for bag, plan in todo.items()]
    else:
        results += _convert_all(todo, arguments)
    _report(sorted(results, key=lambda result: result["bag"]), arguments)


def convert(nusc, scene, output, selection=Selection(), skip_missing=False, **storage):  # noqa: B008 - frozen
    """Write one scene of an open NuScenes as the bag directory ``output``, with calibration.yaml in it.

    storage: as for bags.writing.new_bag. Returns the summary as a dictionary. Raises LircDepthError when a sensor file
    is missing or damaged (unless ``skip_missing``), or when ``output`` exists.
    """
    plan = SceneMessages(nusc, scene, selection, skip_missing)
    plan.check_files()
    with _bar(plan.input_bytes, scene["name"]) as bar:
        return _write(plan, output, bar.update, **storage)


def _write(plan, output, advance, **storage):
    """Write one planned scene; call advance(bytes) as sensor files are read."""
    keep_freed_memory()
    typestore = definitions.typestore()
    counts = dict.fromkeys(plan.counts, 0)
    started, cpu_started = time.perf_counter(), time.process_time()
    with new_bag(output, **storage) as writer:
        connections = {
            topic: writer.add_connection(topic, msgtype, typestore=typestore, offered_qos_profiles=[qos])
            for topic, msgtype, qos in plan.topics
        }
        seen = 0
        for topic, stamp, message in plan.messages():
            writer.write(connections[topic], stamp, definitions.serialize(message))
            counts[topic] += 1
            if plan.bytes_read - seen > 1_000_000:
                advance(plan.bytes_read - seen)
                seen = plan.bytes_read
        advance(plan.bytes_read - seen)
        left_out = {topic: plan.counts[topic] - counts[topic] for topic in counts if plan.counts[topic] > counts[topic]}
        for key, value in (
            ("dataset", f"nuScenes {plan.nusc.version}"),
            ("scene", plan.scene["name"]),
            ("selection", json.dumps(dataclasses.asdict(plan.selection))),
            ("left_out", json.dumps(left_out)),
        ):
            writer.set_custom_data(key, value)
        plan.calibration.save(writer.path / "calibration.yaml")
    return _result(output, plan, "converted", counts, plan.skipped) | {
        "bytes": sum(path.stat().st_size for path in Path(output).iterdir()),
        "wall_s": round(time.perf_counter() - started, 3),
        "cpu_s": round(time.process_time() - cpu_started, 3),
    }


def _result(bag, plan, status, counts, skipped=()):
    return {
        "bag": str(bag),
        "scene": plan.scene["name"],
        "status": status,
        "messages": sum(counts.values()),
        "topics": {topic: counts[topic] for topic, _, _ in plan.topics},
        "duration_s": round((plan.end - plan.start) / 1e9, 6),
        "input_bytes": plan.input_bytes,
        "estimated_bytes": plan.output_bytes,
        "skipped": list(dict(skipped).values()),
    }


def _is_complete(bag, plan):
    """Whether a bag holds the scene, by the number of messages on each topic. Raises LircDepthError for another one."""
    from rosbags.rosbag2 import Reader

    if not bag.exists():
        return False
    try:
        with Reader(bag) as reader:  # reads the index too, which a cut file lacks
            counts = {connection.topic: connection.msgcount for connection in reader.connections}
            left_out = json.loads((reader.storage.metadata.custom or {}).get("left_out", "{}"))
        if {topic: counts.get(topic, 0) + left_out.get(topic, 0) for topic in {*counts, *plan.counts}} == plan.counts:
            return True
        reason = "other messages than were asked for"
    except Exception as error:  # a damaged file makes rosbags raise whatever its parts raise
        reason = " ".join(str(error).split())
    raise LircDepthError(f"{bag} exists and is not this scene's bag ({reason}): remove it or choose another --output")


def _preflight(todo, output, arguments):
    """Raise LircDepthError when files are missing or the disk is too small."""
    for plan in todo.values():
        plan.check_files()
    place = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.exists())
    free, needed = shutil.disk_usage(place).free, sum(plan.output_bytes for plan in todo.values())
    if needed > free and arguments.compression == "none":
        raise LircDepthError(f"the bags need up to {needed:,} bytes, and {place} has {free:,} free")
    if arguments.dry_run and not arguments.json:
        print(
            f"{len(todo)} scene(s) to convert: {sum(plan.records for plan in todo.values())} sensor files,"
            f" {sum(plan.input_bytes for plan in todo.values()):,} bytes; the bags need up to {needed:,} of {free:,}"
            " bytes free"
        )


def _convert_all(todo, arguments):
    """Convert all scenes, as many at a time as asked for; return their summaries. The first failure ends them all."""
    storage = {"storage": arguments.storage, "compression": arguments.compression}
    for plan in todo.values():
        for _, msgtype, _ in plan.topics:
            definitions.typestore().get_msgdef(msgtype)  # compiled on first use: once, not in each process
    with _bar(sum(plan.input_bytes for plan in todo.values()), f"{len(todo)} scene(s)") as bar:
        try:
            return processes.run(functools.partial(_write_one, todo, storage), todo, arguments.jobs, bar.update)
        except BaseException:
            for bag in todo:  # processes that were ended did not clean up
                clear_partial(bag)
            raise


def _write_one(todo, storage, bag, advance):
    return _write(todo[bag], bag, advance, **storage)


def keep_freed_memory():
    """Have glibc keep the buffers of a message for the next: else each is paid for in page faults."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, 64 * 2**20)  # M_MMAP_THRESHOLD
        mallopt(-1, 256 * 2**20)  # M_TRIM_THRESHOLD


def _bar(total, description):
    from tqdm import tqdm

    return tqdm(total=total, desc=description, unit="B", unit_scale=True, disable=None)


def _report(results, arguments):
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
