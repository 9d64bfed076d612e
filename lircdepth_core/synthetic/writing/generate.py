# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writing data roots: checks, estimates, several scenes at once, and continuing after an interruption."""

import dataclasses
import functools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from lircdepth_core import work
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import claimed, folder_written_whole, item_lock
from lircdepth_core.manifest import Manifest, entry_of
from lircdepth_core.progress import progress as progressing
from lircdepth_core.synthetic.sensors.rig import CameraModel, SensorModel, suite
from lircdepth_core.synthetic.world import splits
from lircdepth_core.synthetic.world.world import MAX_DURATION_S
from lircdepth_core.synthetic.writing.scene_writer import SceneWriter
from lircdepth_core.synthetic.writing.schedule import scene_start, schedule
from lircdepth_core.synthetic.writing.schema import common_tables
from lircdepth_core.work import Workers

TABLES_ITEM = "tables"  # beside the scenes in a data root's manifest
_TABLES, _ENTRY = "tables.json", "entry.json"  # of a scene that waits for the others
_FORMAT = 3  # changes with what is written: a run that another version began is not continued
_MOST_SCENES = 499  # in one data root: scene-9501 is the first name of the frozen sets
_SEEDS_END = 1_000_000
_SMALLEST_IMAGE_PIXELS = 32
_SHARED_CORES_GAIN = 0.75  # time that several processes take, in terms of one that uses all cores


def check(
    output: Path | str,
    scenes: int = 1,
    seed: int = 0,
    duration: float = MAX_DURATION_S,
    sensors: Sequence[SensorModel] | None = None,
) -> None:
    """Raise LircDepthError where an argument of ``generate`` cannot be used; touches no file."""
    if scenes < 1:
        raise LircDepthError(f"scenes is {scenes}, expected at least 1")
    if scenes > _MOST_SCENES:
        raise LircDepthError(f"scenes is {scenes}, expected at most {_MOST_SCENES} in one data root")
    if not 0 <= seed < _SEEDS_END:
        raise LircDepthError(f"seed is {seed}, expected 0 or more (and less than a million)")
    if not 0 < duration <= MAX_DURATION_S:
        raise LircDepthError(f"duration is {duration} s, expected more than 0 and at most {MAX_DURATION_S:g}")
    for model in sensors or suite():
        if isinstance(model, CameraModel) and min(model.width, model.height) < _SMALLEST_IMAGE_PIXELS:
            least = f"{_SMALLEST_IMAGE_PIXELS}x{_SMALLEST_IMAGE_PIXELS}"
            raise LircDepthError(f"image size is {model.width}x{model.height}, expected at least {least}")
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise LircDepthError(f"{output}: exists and is not a directory")
    if output.is_dir() and any(output.iterdir()):
        raise LircDepthError(f"{output}: exists and is not empty; give a new directory or remove it")


def generate(
    output: Path | str,
    scenes: int = 1,
    seed: int = 0,
    duration: float = MAX_DURATION_S,
    sensors: Sequence[SensorModel] | None = None,
    version: str = "v1.0-mini",
    device: torch.device | str = "cpu",
    progress: bool = False,
    workers: Workers = Workers(),  # noqa: B008 - frozen
    weather: str | None = None,
    difficulty: str | None = None,
    split: str | None = None,
) -> Path:
    """Write a nuScenes v1.0 data root of synthetic scenes to the directory ``output``; return it as a Path.

    Each scene has int(2 * duration) + 1 key frames; duration in seconds. sensors: sensor models (rig.suite), the front
    ones when None. workers: make a scene each. split: "val" or "test", the frozen scenes instead of
    ``scenes`` drawn from ``seed``. weather, difficulty: the same for all scenes, drawn when None.
    The same arguments give the same bytes on one platform, whoever works. ``output`` appears only when it is
    complete. Finished scenes of an interrupted or killed run are kept beside it, in .NAME.partial, and the same call
    goes on from there. progress: tell how far it is.
    Raises LircDepthError for arguments that cannot be used, for an unfinished run with other arguments and when another
    process is writing ``output``; OSError with the file's name when writing fails.
    """
    check(output, scenes, seed, duration, sensors)
    specs = scene_specs(scenes, seed, weather, difficulty, split)
    models, output = tuple(sensors or suite()), Path(output)
    sensors_used = [[type(model).__name__, dataclasses.asdict(model)] for model in models]
    scenes_wanted = [dataclasses.asdict(spec) for spec in specs]
    identity = json.dumps([_FORMAT, version, duration, str(device), scenes_wanted, sensors_used], sort_keys=True)
    with _workplace(output, identity) as partial:
        missing = [spec for spec in specs if not (partial / spec.name).is_dir()]
        total = sum(map(len, schedule(models, scene_start(specs[0].name), duration, (*specs[0].seed, 1)).values()))
        write = functools.partial(_write_scene, partial, models, duration, device)
        threads = torch.get_num_threads() // max(1, min(workers.jobs, len(missing)))
        share_cores = functools.partial(torch.set_num_threads, 1 if workers.cluster else max(1, threads))
        count, done = len(specs) * total, (len(specs) - len(missing)) * total
        told = progressing(count, "file", done) if progress else nullcontext(lambda made: None)
        with told as advance:
            # Spawned: a forked process would inherit PyTorch's threads in any state.
            work.run(write, missing, workers, advance, lambda spec: spec.name, start=share_cores, method="spawn")
        _assemble(partial, specs, models, version)
        os.rename(partial / "root", output)
    return output


def scene_specs(
    scenes: int, seed: int, weather: str | None = None, difficulty: str | None = None, split: str | None = None
) -> tuple[splits.SceneSpec, ...]:
    """Return the SceneSpecs that these arguments of ``generate`` mean. Raises LircDepthError for an unknown split."""
    if split is None:
        return splits.training_scenes(scenes, seed, weather, difficulty)
    if split not in splits.SPLITS:
        raise LircDepthError(f"split is {split!r}, expected one of {', '.join(splits.SPLITS)}")
    return splits.SPLITS[split]


def estimate(
    specs: Sequence[splits.SceneSpec],
    duration: float = MAX_DURATION_S,
    sensors: Sequence[SensorModel] | None = None,
    jobs: int = 1,
    device: torch.device | str = "cpu",
) -> tuple[float, float]:
    """Return the expected (seconds, bytes) of ``generate``, from one measured capture of each kind of sensor."""
    writer = SceneWriter(None, specs[0], tuple(sensors or suite()), duration, device)
    cost = writer.measure()
    seconds, size = (sum(len(captures) * cost[name][k] for name, captures in writer.plan.items()) for k in (0, 1))
    # Processes share the cores that one process would use; a quarter is gained, since not all of its work is parallel.
    rounds = len(specs) * (_SHARED_CORES_GAIN if jobs > 1 else 1)
    return rounds * seconds, len(specs) * size


def partial_folder(output: Path | str) -> Path:
    """Return the folder in which an unfinished run keeps its scenes."""
    output = Path(output)
    return output.with_name(f".{output.name}.partial")


@contextmanager
def _workplace(output: Path, identity: str) -> Iterator[Path]:
    """Give the locked folder of an unfinished run; remove it when the run is done, or ends without a finished scene."""
    partial = partial_folder(output)
    partial.mkdir(parents=True, exist_ok=True)
    with claimed(partial, str(output)):
        note = partial / "arguments.json"
        if note.exists() and note.read_text() != identity:
            raise LircDepthError(
                f"{partial} holds an unfinished run with other arguments: run that again to go on, or remove the folder"
            )
        try:
            note.write_text(identity)
            yield partial
        except BaseException:
            if not any(partial.glob("scene-*")):
                shutil.rmtree(partial, ignore_errors=True)
            raise
        shutil.rmtree(partial)


def _write_scene(
    partial: Path,
    models: Sequence[SensorModel],
    duration: float,
    device: torch.device | str,
    spec: splits.SceneSpec,
    advance: Callable[[int], object],
) -> None:
    """Write one scene's folder; it has its final name only when it is complete."""
    whole = partial / spec.name
    with item_lock(whole):
        if whole.is_dir():
            return
        with folder_written_whole(whole) as folder:
            folder.mkdir()
            tables = SceneWriter(folder, spec, models, duration, device).write(advance)
            entry = entry_of(folder, spec.name, [folder])
            (folder / _TABLES).write_text(json.dumps(tables))
            (folder / _ENTRY).write_text(json.dumps(entry))


def _assemble(partial: Path, specs: Sequence[splits.SceneSpec], models: Sequence[SensorModel], version: str) -> None:
    """Move the files of all scenes into one data root and write its tables. Can be interrupted and done again."""
    root = partial / "root"
    tables, manifest = common_tables(models), Manifest(root)
    for spec in specs:
        folder = partial / spec.name
        for name, rows in json.loads((folder / _TABLES).read_text()).items():
            tables.setdefault(name, []).extend(rows)
        manifest.record(json.loads((folder / _ENTRY).read_text()))
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in (_TABLES, _ENTRY):
                target = root / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
    (root / version).mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (root / version / f"{name}.json").write_text(json.dumps(rows, indent=0))
    manifest.record(entry_of(root, TABLES_ITEM, [root / version]))
