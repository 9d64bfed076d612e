# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A nuScenes data root through the official devkit: scenes, splits, key frames, and a sensor's records in time order.

Records are the devkit's own dictionaries; times are nuScenes' microseconds.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import import_package

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

Record: TypeAlias = dict[str, Any]

_NAMES_SHOWN = 20  # of scenes, in an error


def open_nuscenes(dataroot: str | Path, version: str) -> "NuScenes":
    """Open the tables in ``dataroot``/``version`` and return the devkit's NuScenes.

    A "~" is the home directory. Maps need not be there. Tables that did not change are loaded once a process: those of
    the full data set take a minute and gigabytes.
    Raises LircDepthError when the folder holds no such tables (naming the versions that are there), when a table is
    missing, is not JSON or does not fit the others, and when the devkit is not installed.
    """
    root = Path(dataroot).expanduser()
    tables = root / version
    if not (tables / "scene.json").is_file():
        raise LircDepthError(f"dataroot {root} has no nuScenes tables {version}/scene.json ({_what_is_there(root)})")
    state = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(tables.glob("*.json"))]
    key = (str(root.absolute()), version, tuple(state))
    if key not in _opened:
        _opened.clear()  # one is kept: the full data set's would not fit twice
        _opened[key] = _load(root, version, tables)
    return _opened[key]


_opened: dict[tuple[str, str, tuple[tuple[str, int, int], ...]], "NuScenes"] = {}


def _what_is_there(root: Path) -> str:
    if (root / "scene.json").is_file():
        return f"it is the folder of tables itself: give {root.parent}"
    below = sorted(path.parent.parent for path in root.glob("*/*/scene.json"))
    if below:
        return f"there are some in {below[0]}"
    versions = sorted(path.parent.name for path in root.glob("*/scene.json"))
    return f"versions there: {', '.join(versions) or 'none'}"


@contextlib.contextmanager
def _maps_where_there_are_any() -> Iterator[None]:
    """Let the devkit open a data root without pictures of maps, which it asserts and nothing here reads."""
    from nuscenes import nuscenes as devkit

    mask = devkit.MapMask
    devkit.MapMask = lambda path, *given, **named: mask(path, *given, **named) if Path(path).is_file() else None
    try:
        yield
    finally:
        devkit.MapMask = mask


def _load(root: Path, version: str, tables: Path) -> "NuScenes":
    devkit = import_package("nuscenes.nuscenes")  # late: its import takes seconds
    try:
        with _maps_where_there_are_any():
            return devkit.NuScenes(version, str(root), verbose=False)
    except FileNotFoundError as error:
        raise LircDepthError(f"{error.filename} is missing") from error
    except ValueError as error:  # not JSON, or not text; the devkit does not say in which file
        raise LircDepthError(f"{_first_corrupt(tables)} is corrupt: {error}") from error
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise LircDepthError(f"the tables in {tables} do not fit together: {error!r}") from error


def _first_corrupt(tables: Path) -> Path:
    """Return the first table that is not JSON, or the folder when each is."""
    for path in sorted(tables.glob("*.json")):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            return path
    return tables


def find_scene(nusc: "NuScenes", name: str) -> Record:
    """Return the scene record called ``name``. Raises LircDepthError, with the known names."""
    scenes = {scene["name"]: scene for scene in nusc.scene}
    if name not in scenes:
        known = sorted(scenes)
        more = f" ... {len(known)} in all" if len(known) > _NAMES_SHOWN else ""
        raise LircDepthError(f"unknown scene {name!r}; known: {', '.join(known[:_NAMES_SHOWN])}{more}")
    found: Record = scenes[name]
    return found


def scenes_of_split(nusc: "NuScenes", split: str) -> list[Record]:
    """Return the scene records of a split, in the tables' order.

    split: the devkit's train, val, test, mini_train, mini_val, train_detect, train_track, or one of the tables' own
    splits.json. Raises LircDepthError for another name, and for a split without a scene.
    """
    from nuscenes.utils import splits

    try:
        names = set(splits.get_scenes_of_split(split, nusc))
    except ValueError as error:
        known = ", ".join(splits.create_splits_scenes())
        raise LircDepthError(f"unknown split {split!r} ({error}); the devkit's are {known}") from error
    scenes = [scene for scene in nusc.scene if scene["name"] in names]
    if not scenes:
        raise LircDepthError(f"{nusc.version} has no scene of split {split!r}")
    return scenes


def scene_samples(nusc: "NuScenes", scene: Record) -> list[Record]:
    """Return the sample records (key frames) of a scene in time order."""
    samples: list[Record] = []
    token = scene["first_sample_token"]
    while token:
        samples.append(nusc.get("sample", token))
        token = samples[-1]["next"]
    return samples


def scene_channels(nusc: "NuScenes", scene: Record) -> dict[str, str]:
    """Return {channel: modality} of the sensors that have a key frame in the scene, sorted by name."""
    tokens = (token for sample in scene_samples(nusc, scene) for token in sample["data"].values())
    records = (nusc.get("sample_data", token) for token in tokens)
    return dict(sorted({record["channel"]: record["sensor_modality"] for record in records}.items()))


def channel_records(nusc: "NuScenes", scene: Record, channel: str) -> list[Record]:
    """Return the sample_data records of one sensor in a scene, key frames and sweeps, in time order.

    Sweeps before the scene's first key frame belong to it and are included. The chain of ``prev`` and ``next`` may lead
    into a neighbouring scene, whose records are left out.
    """
    found: dict[str, Record] = {}

    def walk(token: str, direction: str) -> None:
        while token and token not in found:
            record = nusc.get("sample_data", token)
            if nusc.get("sample", record["sample_token"])["scene_token"] != scene["token"]:
                return
            found[token] = record
            token = record[direction]

    for sample in scene_samples(nusc, scene):
        start = sample["data"].get(channel)
        if start and start not in found:  # an unbroken chain is walked once
            walk(start, "next")
            walk(found[start]["prev"], "prev")
    return sorted(found.values(), key=lambda record: (record["timestamp"], record["token"]))


def neighbouring_records(nusc: "NuScenes", record: Record, back: int, forward: int) -> list[Record]:
    """Return a sample_data record with its sensor's neighbouring ones, in time order.

    back, forward: how many records before and after it there are at most. Records of other scenes are left out.
    """
    scene = nusc.get("sample", record["sample_token"])["scene_token"]
    chains = []
    for direction, count in (("prev", back), ("next", forward)):
        chain: list[Record] = []
        token = record[direction]
        while token and len(chain) < count:
            neighbour = nusc.get("sample_data", token)
            if nusc.get("sample", neighbour["sample_token"])["scene_token"] != scene:
                break
            chain.append(neighbour)
            token = neighbour[direction]
        chains.append(chain)
    return [*reversed(chains[0]), record, *chains[1]]
