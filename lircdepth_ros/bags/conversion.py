# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""nuScenes scenes written as rosbag2 bags, several at a time. Needs no ROS installation.

A message's log time is its header stamp. What is in a bag: docs/bags.md and nuscenes_scene.py.
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lircdepth_core import processes
from lircdepth_core.errors import LircDepthError
from lircdepth_ros.bags.nuscenes_scene import SceneMessages
from lircdepth_ros.bags.selection import Selection
from lircdepth_ros.bags.writing import clear_partial, new_bag
from lircdepth_ros.messages import definitions

if TYPE_CHECKING:
    from tqdm import tqdm

Result = dict[str, Any]  # of one scene, as JSON can write it
_BYTES_BETWEEN_PROGRESS = 1_000_000
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1  # malloc.h


def convert(
    nusc: Any,
    scene: dict[str, Any],
    output: str | Path,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    skip_missing: bool = False,
    **storage: str,
) -> Result:
    """Write one scene of an open NuScenes as the bag directory ``output``, with calibration.yaml in it.

    storage: as for bags.writing.new_bag. Returns the summary as a dictionary. Raises LircDepthError when a sensor file
    is missing or damaged (unless ``skip_missing``), or when ``output`` exists.
    """
    plan = SceneMessages(nusc, scene, selection, skip_missing)
    plan.check_files()
    with _bar(plan.input_bytes, scene["name"]) as bar:
        return _write(plan, output, bar.update, **storage)


def _write(plan: SceneMessages, output: str | Path, advance: Callable[[int], Any], **storage: str) -> Result:
    """Write one planned scene; call advance(bytes) as sensor files are read."""
    _keep_freed_buffers()
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
            if plan.bytes_read - seen > _BYTES_BETWEEN_PROGRESS:
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
    return result_of(output, plan, "converted", counts, plan.skipped) | {
        "bytes": sum(path.stat().st_size for path in Path(output).iterdir()),
        "wall_s": round(time.perf_counter() - started, 3),
        "cpu_s": round(time.process_time() - cpu_started, 3),
    }


def result_of(
    bag: str | Path,
    plan: SceneMessages,
    status: str,
    counts: Mapping[str, int],
    skipped: Mapping[str, str] | None = None,
) -> Result:
    """Return the summary of one scene. skipped: {token: why its file was left out}."""
    return {
        "bag": str(bag),
        "scene": plan.scene["name"],
        "status": status,
        "messages": sum(counts.values()),
        "topics": {topic: counts[topic] for topic, _, _ in plan.topics},
        "duration_s": round((plan.end - plan.start) / 1e9, 6),
        "input_bytes": plan.input_bytes,
        "estimated_bytes": plan.output_bytes,
        "skipped": list((skipped or {}).values()),
    }


def is_complete(bag: Path, plan: SceneMessages) -> bool:
    """Return whether a bag holds the scene, by the number of messages on each topic.

    Raises LircDepthError where another bag, or a damaged one, is in the way.
    """
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


def convert_all(todo: dict[Path, SceneMessages], jobs: int, **storage: str) -> list[Result]:
    """Convert all scenes, as many at a time as asked for; return their summaries. The first failure ends them all."""
    for plan in todo.values():
        for _, msgtype, _ in plan.topics:
            definitions.typestore().get_msgdef(msgtype)  # compiled on first use: here once, instead of in each process
    with _bar(sum(plan.input_bytes for plan in todo.values()), f"{len(todo)} scene(s)") as bar:
        try:
            return processes.run(functools.partial(_write_one, todo, storage), todo, jobs, bar.update)
        except BaseException:
            for bag in todo:  # processes that were ended did not clean up
                clear_partial(bag)
            raise


def _write_one(
    todo: dict[Path, SceneMessages], storage: dict[str, str], bag: Path, advance: Callable[[int], Any]
) -> Result:
    return _write(todo[bag], bag, advance, **storage)


def _keep_freed_buffers() -> None:
    """Let glibc keep the buffers of a message for the next one; otherwise each costs page faults anew."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 64 * 2**20)
        mallopt(_M_TRIM_THRESHOLD, 256 * 2**20)


def _bar(total: int, description: str) -> tqdm[Any]:
    from tqdm import tqdm

    return tqdm(total=total, desc=description, unit="B", unit_scale=True, disable=None)
