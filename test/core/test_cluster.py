# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Work on a real Dask cluster: as in processes of this machine, whoever is killed, and one line for what is wrong."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("distributed", reason="the extra cluster is not installed")

import dask_cluster as functions
import tiny_nuscenes
from dask_cluster import Cluster
from lircdepth_core import cluster as module
from lircdepth_core import work
from lircdepth_core.errors import LircDepthError
from lircdepth_core.manifest import Manifest
from lircdepth_core.work import Workers
from lircdepth_ros import cli
from paths import REPOSITORY


@pytest.fixture(scope="module")
def cluster():
    with Cluster(2) as started:
        yield started


def run_and_record(folder, items, workers, seconds=0.0):
    """Note every item that is not done; return the manifest."""
    recorded = Manifest(folder)
    todo = [item for item in items if not recorded.is_done(str(item))]
    work.run(
        functions.Note(folder, seconds), todo, workers, finished=lambda _, entry: recorded.record(entry), output=folder
    )
    return Manifest(folder)


@pytest.mark.parametrize("where", ["here", "processes", "cluster"])
def test_the_seam_is_the_same_wherever_the_work_is_done(request, where, tmp_path):
    workers = {"here": Workers(), "processes": Workers(2)}.get(where)
    workers = workers or Workers(1, request.getfixturevalue("cluster").address)
    counts, came = [], []
    results = work.run(functions.double, range(20), workers, counts.append, finished=lambda item, _: came.append(item))
    assert [result for result, _ in results] == [2 * item for item in range(20)]
    assert sum(counts) == sum(range(20))
    assert sorted(came) == list(range(20))
    assert (os.getpid() in {pid for _, pid in results}) == (where == "here")
    with pytest.raises(LircDepthError, match=r"^item 3: it is wrong"):
        work.run(functions.fail_at_three, range(6), workers, name=lambda item: f"item {item}")
    with pytest.raises(LircDepthError, match=r"^item 3: No such file or directory: /nowhere/file"):
        work.run(functions.miss_a_file_at_three, range(6), workers, name=lambda item: f"item {item}")
    (tmp_path / "trouble").touch()
    with pytest.raises(LircDepthError, match="Input/output error"):
        run_and_record(tmp_path, range(4), workers)
    again, folder = Workers(workers.jobs, workers.cluster, retries=1), tmp_path / "again"
    folder.mkdir()  # in the first, a worker that was ended with the others may have left a half-written file
    (folder / "trouble").touch()
    assert run_and_record(folder, range(4), again).verify(list("0123")) == []


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_an_item_that_kills_its_workers_is_named(request, where):
    workers = Workers(2) if where == "processes" else Workers(1, request.getfixturevalue("cluster").address)
    with pytest.raises(LircDepthError, match=r"^item 3: .*ended .*: killed, perhaps because memory was exhausted"):
        work.run(functions.die_at_three, range(6), workers, name=lambda item: f"item {item}")


def test_an_item_that_only_waited_on_workers_that_were_killed_is_not_blamed(tmp_path):
    """Item 1 loses its worker for another cause, then waits behind item 0 each time that this one kills the last."""

    def leave_one_worker():
        cluster.wait(lambda: len(list(tmp_path.glob("pid-*"))) == 2)
        (found,) = tmp_path.glob("pid-1-*")
        os.killpg(os.getpgid(int(found.name.split("-")[2])), signal.SIGKILL)
        cluster.wait(lambda: len(cluster.workers()) == 1)
        (tmp_path / "go").touch()

    with Cluster(2) as cluster:
        leaving = threading.Thread(target=leave_one_worker, daemon=True)
        leaving.start()
        with pytest.raises(LircDepthError, match=r"^item 0: 4 workers ended"):
            work.run(functions.DieInCompany(tmp_path), range(2), Workers(1, cluster.address), name="item {}".format)
        leaving.join()
    assert (tmp_path / "done-1").exists()


def test_what_a_function_holds_is_loaded_once_a_worker(cluster, tmp_path):
    assert work.run(functions.CountsLoads(tmp_path), range(12), Workers(1, cluster.address)) == list(range(12))
    processes = [path.name.split("-")[1] for path in tmp_path.iterdir()]
    assert len(processes) == len(set(processes)) <= 2  # one worker may have done it all before the other was asked


def test_a_cluster_that_cannot_be_used_is_one_line(cluster, tmp_path, capsys, monkeypatch):
    root = tiny_nuscenes.write(tmp_path / "root")
    convert = ["nuscenes-to-bag", "--dataroot", str(root), "-o", str(tmp_path / "bags")]
    for package in ("distributed", "dask_jobqueue"):
        with monkeypatch.context() as missing:
            missing.setitem(sys.modules, package, None)
            assert cli.main([*convert, "--cluster", "slurm"]) == 2
        assert f"{package} is needed: pip install 'lircdepth_ros[cluster]'" in capsys.readouterr().err
    for where, message in (
        ("tcp://127.0.0.1:1", "--cluster tcp://127.0.0.1:1: no scheduler answers there (Connection refused)"),
        ("nonsense", "--cluster nonsense: no scheduler answers there (missing port number"),
        ("slurm", "--cluster slurm: You must specify how much cores and memory per job"),
    ):
        assert cli.main([*convert, "--cluster", where]) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
        assert message in line
    sent = module._versions() | {"lircdepth": "9.9"}
    monkeypatch.setattr("lircdepth_core.cluster._versions", lambda: sent)
    with pytest.raises(LircDepthError, match=r"^[01]: this worker has lircdepth [\d.]+, expected 9.9: install.*tcp"):
        work.run(functions.double, range(2), Workers(1, cluster.address))


@pytest.mark.full
def test_a_worker_with_several_threads_and_one_that_does_not_see_the_data_are_named(tmp_path):
    root = tiny_nuscenes.write(tmp_path / "root")
    hidden = ("unshare", "-m", "sh", "-c", f'mount -t tmpfs none {root} && exec "$0" "$@"')
    if subprocess.run([*hidden, "true"], check=False, capture_output=True).returncode:
        pytest.skip("mount namespaces are not permitted here")
    with (
        Cluster(1, threads=2) as cluster,
        pytest.raises(LircDepthError, match=r"worker tcp.* has 2 threads, expected 1"),
    ):
        work.run(functions.double, range(2), Workers(1, cluster.address))
    with Cluster(2, inside=lambda number: hidden if number else ()) as cluster:
        bags = ["nuscenes-to-bag", "--dataroot", root, "-o", tmp_path / "bags", "--cluster", cluster.address]
        done = subprocess.run(
            [sys.executable, "-m", "lircdepth_ros.cli", *map(str, bags)],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if "error" in line]
        assert "scene-000" in line
        assert (
            f"dataroot {root} has no nuScenes tables v1.0-mini/scene.json (versions there: none) (worker tcp://" in line
        )


def kill_now_and_then(cluster, times, killed):
    """Kill so many workers, each time a random one that is there, at random moments."""
    generator = random.Random(0)
    while len(killed) < times:
        time.sleep(generator.uniform(0.5, 2.0))
        with contextlib.suppress(OSError, IndexError):  # the worker has just been killed, and is not back yet
            pid = generator.choice(list(cluster.workers().values()))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.full)])
def test_a_worker_that_is_killed_at_work_loses_and_doubles_nothing(cluster, tmp_path, times):
    items, killed = 0, []
    killer = threading.Thread(target=kill_now_and_then, args=(cluster, times, killed), daemon=True)
    killer.start()
    while killer.is_alive():  # however long the kills take
        items += 12
        manifest = run_and_record(tmp_path, range(items), Workers(1, cluster.address), seconds=0.15)
    assert len(killed) == times
    assert list(tmp_path.glob(".*")) == []  # nothing of what killed workers were writing
    assert manifest.verify([str(item) for item in range(items)]) == []
    assert [(tmp_path / f"{item}.txt").read_text() for item in range(items)] == [f"{item}\n" for item in range(items)]


def test_a_scheduler_that_is_restarted_gets_what_was_not_done(tmp_path):
    with Cluster(2) as cluster:

        def restart():
            while len(list(tmp_path.glob("*.txt"))) < 4:
                time.sleep(0.02)
            cluster.kill_scheduler()
            cluster.start_scheduler()
            cluster.start_workers(2)

        restarting = threading.Thread(target=restart, daemon=True)
        restarting.start()
        manifest = run_and_record(tmp_path, range(16), Workers(1, cluster.address), seconds=0.1)
        restarting.join()
    assert manifest.verify([str(item) for item in range(16)]) == []


@pytest.mark.full
def test_a_worker_that_runs_out_of_memory_is_one_error_that_names_the_item():
    with Cluster(1, memory_limit="600MB") as cluster, pytest.raises(LircDepthError, match=r"^item 0: 4 workers ended"):
        work.run(functions.fill_memory, range(1), Workers(1, cluster.address), name=lambda item: f"item {item}")


def test_a_disk_that_fills_is_one_error_and_leaves_nothing_partial(tmp_path, cluster):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here")
    try:
        with pytest.raises(LircDepthError, match=r"^\d+: No space left on device.*\(worker tcp://"):
            run_and_record(disk, range(40), Workers(1, cluster.address))
        recorded = Manifest(disk)
        assert 0 < len(recorded) < 40
        assert all(path.read_text() == f"{path.stem}\n" for path in disk.glob("*.txt"))
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
