# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Many scenes: what a run does when it is killed, when the disk is full, when it is run again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

import tiny_nuscenes

pytest.importorskip("nuscenes", reason="the converter reads nuScenes through its devkit")
pytest.importorskip("rosbags", reason="bags are written with rosbags")

from lircdepth_core import manifest
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_ros import cli
from lircdepth_ros.bags import conversion
from paths import REPOSITORY


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The tiny data root with lidar scans of full size, so that a bag of 9 MB takes a while to write."""
    root = tiny_nuscenes.write(tmp_path_factory.mktemp("runs") / "root")
    generator = np.random.default_rng(0)
    for path in sorted(root.glob("*/LIDAR_TOP/*")):
        points = generator.normal(scale=20, size=(34_688, 5)).astype("<f4")
        points[:, 4] = np.arange(len(points)) % 32
        points.tofile(path)
    return root


def command(root, output, *options):
    return ["nuscenes-to-bag", "--dataroot", str(root), "-o", str(output), *options]


def files(folder):
    """{relative path: bytes} of everything below a folder, hidden things too, but the manifest: it names processes."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != manifest.NAME)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module", params=["mcap", "sqlite3"])
def reference(request, root, tmp_path_factory):
    """(storage, files of an uninterrupted run)."""
    output = tmp_path_factory.mktemp("reference") / "bags"
    assert cli.main(command(root, output, "--storage", request.param)) == 0
    return request.param, files(output)


def summary(capsys):
    return {Path(scene["bag"]).name: scene for scene in json.loads(capsys.readouterr().out)["scenes"]}


def test_several_scenes_become_a_bag_each(root, reference):
    storage, expected = reference
    ending = {"mcap": "mcap", "sqlite3": "db3"}[storage]
    names = ("calibration.yaml", "metadata.yaml")
    assert set(expected) == {
        f"{scene}/{name}" for scene in ("scene-0001", "scene-0002") for name in (*names, f"{scene}.{ending}")
    }


def kill_at(fraction, root, output, storage, size, *options):
    """Start a conversion, and kill it when ``fraction`` of ``size`` bytes are on disk; return how far it came."""
    child = subprocess.Popen(  # of low priority, so that it is looked at often enough
        [
            "nice",
            "-n",
            "19",
            sys.executable,
            "-m",
            "lircdepth_ros.cli",
            *command(root, output, "--storage", storage, *options),
        ],
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    written = 0
    while child.poll() is None and written < fraction * size:
        written = 0
        for folder, _, names in os.walk(output):  # skips what is renamed meanwhile, as pathlib does not
            for name in names:
                with suppress(FileNotFoundError):
                    written += os.path.getsize(os.path.join(folder, name))
        time.sleep(0.0005)
    child.kill()  # SIGKILL, the parent alone: its processes must end by themselves
    child.wait()
    return written


def check_killed_runs(root, reference, tmp_path, points, *options):
    storage, expected = reference
    size = sum(map(len, expected.values()))
    interrupted = 0
    for i, fraction in enumerate(points):
        output = tmp_path / f"bags{i}"
        kill_at(fraction, root, output, storage, size, *options)
        for name, data in files(output).items() if output.exists() else ():
            if not name.startswith("."):
                assert data == expected[name], f"{name} is partial after a kill at {fraction:.0%}"
        interrupted += not output.exists() or files(output) != expected
        for _ in range(50):  # processes of the killed run are about to end
            if cli.main(command(root, output, "--storage", storage, *options)) == 0:
                break
            time.sleep(0.1)
        assert files(output) == expected, f"another result after a kill at {fraction:.0%}"
    assert interrupted > len(points) / 2, "most kills came too late to say anything"


def test_killed_at_a_random_point_a_second_run_completes_it_to_the_same_bytes(root, reference, tmp_path):
    generator = random.Random(f"{reference[0]} 1")
    check_killed_runs(root, reference, tmp_path, [0.0, generator.uniform(0.05, 0.45), generator.uniform(0.55, 0.9)])


@pytest.mark.full
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_at_twenty_random_points(root, reference, tmp_path, jobs):
    generator = random.Random(f"{reference[0]} {jobs}")
    points = [generator.uniform(0.0, 0.95) for _ in range(20)]
    check_killed_runs(root, reference, tmp_path, points, "--jobs", jobs)


def test_processes_give_the_same_bytes_and_complete_scenes_are_skipped(root, reference, tmp_path, capsys):
    storage, expected = reference
    options = ["--storage", storage, "--jobs", "2", "--json"]
    assert cli.main(command(root, tmp_path / "bags", *options)) == 0
    first = summary(capsys)
    assert {scene["status"] for scene in first.values()} == {"converted"}
    assert files(tmp_path / "bags") == expected
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "bags").rglob("*")}
    assert cli.main(command(root, tmp_path / "bags", *options)) == 0
    again = summary(capsys)
    assert {scene["status"] for scene in again.values()} == {"complete already"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "bags").rglob("*")} == times
    assert (
        [scene["messages"] for scene in again.values()] == [scene["messages"] for scene in first.values()] == [78, 78]
    )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupt_leaves_nothing_half_done(root, tmp_path, jobs):
    """Ctrl-C goes to the whole group."""
    output = tmp_path / "bags"
    child = subprocess.Popen(
        [sys.executable, "-m", "lircdepth_ros.cli", *command(root, output, "--jobs", jobs)],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while child.poll() is None and not list(output.glob(".*.partial/*/*.mcap")):
        time.sleep(0.0005)
    os.killpg(child.pid, signal.SIGINT)
    _, error = child.communicate(timeout=120)
    if child.returncode != 0:  # else it was done before the signal came
        assert child.returncode == 130, error
        assert "Traceback" not in error
        assert "interrupted" in error
    assert not list(output.glob(".*"))


def test_a_failing_scene_ends_the_run_and_keeps_the_finished_ones(root, tmp_path, capsys):
    import shutil

    copy = shutil.copytree(root, tmp_path / "root")
    (damaged,) = copy.glob(f"samples/RADAR_FRONT/*__{tiny_nuscenes.START + 2_000_000}.pcd")  # of scene-0002
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    assert cli.main(command(copy, tmp_path / "bags")) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert str(damaged) in line
    assert sorted(path.name for path in (tmp_path / "bags").iterdir()) == [manifest.NAME, "scene-0001"]
    assert cli.main(command(copy, tmp_path / "bags", "--skip-missing", "--jobs", "2")) == 0
    # A scene without a file that was skipped is complete when it is run again in the same way.
    capsys.readouterr()
    assert cli.main(command(copy, tmp_path / "bags", "--skip-missing", "--json")) == 0
    assert {scene["status"] for scene in summary(capsys).values()} == {"complete already"}


def test_a_failure_in_one_of_several_processes_is_one_error_line(root, tmp_path):
    import shutil

    copy = shutil.copytree(root, tmp_path / "root")
    for path in copy.glob("sweeps/RADAR_FRONT/*"):
        path.write_bytes(b"nothing")
    done = subprocess.run(
        [sys.executable, "-m", "lircdepth_ros.cli", *command(copy, tmp_path / "bags", "--jobs", "2")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert next(line for line in done.stderr.splitlines() if "error" in line).endswith("(no 'DATA binary' line)")
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "bags").iterdir())


def test_another_bag_under_a_scenes_name_is_neither_skipped_nor_overwritten(root, tmp_path, capsys):
    assert cli.main(command(root, tmp_path / "bags", "--no-lidar")) == 0
    before = files(tmp_path / "bags")
    assert cli.main(command(root, tmp_path / "bags")) == 2
    assert "scene-0001 exists and is not this scene's bag (other messages" in capsys.readouterr().err
    cut = tmp_path / "bags/scene-0001/scene-0001.mcap"
    cut.write_bytes(cut.read_bytes()[:-200])
    assert cli.main(command(root, tmp_path / "bags", "--no-lidar")) == 2
    assert "scene-0001 exists and is not this scene's bag" in capsys.readouterr().err
    cut.write_bytes(before["scene-0001/scene-0001.mcap"])
    assert files(tmp_path / "bags") == before


def test_dry_run_counts_and_writes_nothing(root, tmp_path, capsys):
    assert cli.main(command(root, tmp_path / "bags", "--dry-run", "--json")) == 0
    planned = summary(capsys)
    assert not (tmp_path / "bags").exists()
    assert cli.main(command(root, tmp_path / "bags", "--json")) == 0
    made = summary(capsys)
    sensors = [path for folder in ("samples", "sweeps") for path in (root / folder).rglob("*") if path.is_file()]
    assert sum(scene["input_bytes"] for scene in planned.values()) == sum(path.stat().st_size for path in sensors)
    for name, scene in planned.items():
        assert scene["status"] == "to convert"
        assert scene["topics"] == made[name]["topics"]
        assert made[name]["bytes"] <= scene["estimated_bytes"] < 1.2 * made[name]["bytes"]


def test_every_missing_file_of_every_scene_is_known_before_anything_is_written(root, tmp_path, capsys):
    import shutil

    copy = shutil.copytree(root, tmp_path / "root")
    paths = sorted(copy.glob("sweeps/LIDAR_TOP/*"))[-3:]  # of the second scene
    for path in paths:
        path.unlink()
    for option in ([], ["--dry-run"]):
        assert cli.main(command(copy, tmp_path / "bags", *option)) == 2
        error = capsys.readouterr().err
        assert f"{paths[0]} is missing, and 2 more (--skip-missing leaves them out)" in error
        assert not (tmp_path / "bags").exists()


def test_splits_are_the_devkits_and_those_of_the_tables(root, tmp_path, capsys):
    import shutil

    copy = shutil.copytree(root, tmp_path / "root")
    # scene-0001 is in the devkit's train, scene-0002 too; neither is in mini_val.
    assert cli.main(command(copy, tmp_path / "bags", "--split", "train", "--dry-run", "--json")) == 0
    assert set(summary(capsys)) == {"scene-0001", "scene-0002"}
    assert cli.main(command(copy, tmp_path / "bags", "--split", "mini_val")) == 2
    assert "v1.0-mini has no scene of split 'mini_val'" in capsys.readouterr().err
    assert cli.main(command(copy, tmp_path / "bags", "--split", "night")) == 2
    assert "unknown split 'night'" in capsys.readouterr().err
    (copy / "v1.0-mini/splits.json").write_text(json.dumps({"night": ["scene-0002"]}))
    assert cli.main(command(copy, tmp_path / "bags", "--split", "night", "--dry-run", "--json")) == 0
    assert set(summary(capsys)) == {"scene-0002"}
    assert cli.main(command(copy, tmp_path / "bags", "--scenes", "scene-0002", "--dry-run", "--json")) == 0
    assert set(summary(capsys)) == {"scene-0002"}


@contextmanager
def small_disk(folder, size):
    """Mount a tmpfs of ``size`` bytes, or skip."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here (RLIMIT_FSIZE in test_nuscenes_to_bag.py stands in)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_disk_that_fills_up_is_one_clear_error_and_leaves_nothing(root, tmp_path, storage):
    """Past the check of free space, as when something else fills the disk meanwhile."""
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        nusc = nuscenes.open_nuscenes(root, "v1.0-mini")
        with pytest.raises(LircDepthError, match=f"cannot write {disk / 'bag'}: .*(No space left|disk is full)"):
            conversion.convert(nusc, nusc.scene[0], disk / "bag", storage=storage)
        assert list(disk.iterdir()) == []


def test_a_disk_that_is_too_small_is_known_before_anything_is_written(root, tmp_path, capsys):
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        for option in ([], ["--dry-run"]):
            assert cli.main(command(root, disk / "bags", *option)) == 2
            assert "the bags need up to" in capsys.readouterr().err
        assert list(disk.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--jobs", "0"], "--jobs is 0, expected 1 or more"),
        (["--scenes", "scene-0001", "scene-9"], "unknown scene 'scene-9'; known: scene-0001, scene-0002"),
    ],
)
def test_wrong_options_are_one_error_line(root, tmp_path, capsys, options, expected):
    assert cli.main(command(root, tmp_path / "bags", *options)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert not (tmp_path / "bags").exists()
