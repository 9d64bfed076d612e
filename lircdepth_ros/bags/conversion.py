# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""nuScenes scenes written as rosbag2 bags, several at a time. Needs no ROS installation.

A message's log time is its header stamp. What is in a bag: docs/bags.md and nuscenes_scene.py.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lircdepth_core import work
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import item_lock
from lircdepth_core.manifest import Entry, Manifest, entry_of
from lircdepth_core.progress import BYTES, progress
from lircdepth_core.work import Workers
from lircdepth_ros.bags.nuscenes_scene import SceneMessages
from lircdepth_ros.bags.selection import Selection
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.messages import definitions

Result = dict[str, Any]  # of one scene, as JSON can write it
COMPLETE = "complete already"  # a result's status
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
    with progress(plan.input_bytes, BYTES) as advance:
        return _write(plan, output, advance, **storage)


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


@dataclasses.dataclass(frozen=True)
class Conversion:
    """How scenes become bags: what any process or machine needs beside the bag and the name of its scene.

    folder: of the bags, which gets a manifest; None for a single bag. storage: as for bags.writing.new_bag.
    """

    dataroot: str
    version: str
    selection: Selection
    skip_missing: bool
    storage: dict[str, str]
    folder: Path | None = None

    def plan(self, scene: str) -> SceneMessages:
        """Return the messages of a scene. Raises LircDepthError."""
        nusc = nuscenes.open_nuscenes(self.dataroot, self.version)
        return SceneMessages(nusc, nuscenes.find_scene(nusc, scene), self.selection, self.skip_missing)

    def __call__(self, task: tuple[Path, str], advance: Callable[[int], Any]) -> tuple[Result, Entry | None]:
        """Write the bag of a scene unless it is there; return its summary, and its entry for the manifest."""
        bag, scene = task
        plan = _plans.get(task) or self.plan(scene)
        with item_lock(bag):
            if self.folder is not None and is_complete(bag, plan):
                result = result_of(bag, plan, COMPLETE, plan.counts)
            else:
                result = _write(plan, bag, advance, **self.storage)
        return result, None if self.folder is None else entry_of(self.folder, scene, [bag])


_plans: dict[tuple[Path, str], SceneMessages] = {}  # of a run that forks: its processes need not make them again


def convert_all(conversion: Conversion, todo: dict[tuple[Path, str], SceneMessages], workers: Workers) -> list[Result]:
    """Convert all scenes, {(bag, scene's name): plan}; return their summaries. The first failure ends the work."""
    for plan in todo.values():
        for _, msgtype, _ in plan.topics:
            definitions.typestore().get_msgdef(msgtype)  # compiled on first use: here once, instead of in each process
    manifest = None if conversion.folder is None else Manifest(conversion.folder)

    def record(task: tuple[Path, str], report: tuple[Result, Entry | None]) -> None:
        if manifest is not None and report[1] is not None:
            manifest.record(report[1])

    if conversion.folder is not None:
        conversion.folder.mkdir(parents=True, exist_ok=True)
    output = conversion.folder or next((bag for bag, _ in todo), None)
    _plans.update(todo)
    with progress(sum(plan.input_bytes for plan in todo.values()), BYTES) as advance:
        try:
            reports = work.run(conversion, todo, workers, advance, _scene_of, record, output=output)
        finally:
            _plans.clear()
    return [result for result, _ in reports]


def _scene_of(task: tuple[Path, str]) -> str:
    return task[1]


def _keep_freed_buffers() -> None:
    """Let glibc keep the buffers of a message for the next one; otherwise each costs page faults anew."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 64 * 2**20)
        mallopt(_M_TRIM_THRESHOLD, 256 * 2**20)
