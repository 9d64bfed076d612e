# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Conversion beside a plain copy of the same files, memory over scene length, and how exactly replay keeps time.

    python benchmarks/bench_bags.py [--dataroot DIR --version v1.0-mini --scene NAME] [--seconds 20] [--replay]
                                    [--folder /dev/shm]

Without a data root one is made: two scenes with all twelve sensors at about nuScenes' rates, and files of its sizes
(JPEG 140 kB, lidar 34,688 points, radar 125 returns). Reads come from the page cache for both. Everything is compared
within one run. The ratio is of CPU time, which what else the machine does disturbs less than wall time.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "test" / "support"))  # for the writer of small data roots
SCENES = {"v1.0-mini": 10, "v1.0-trainval": 850}
_MEASURED = """
import resource, sys
from lircdepth_ros import cli
status = cli.main(sys.argv[1:])
print("MEASURED", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(status)
"""


def make_root(folder, seconds):
    """Write the data root and give its files their real sizes."""
    import tiny_nuscenes
    from lircdepth_core import radar

    root = tiny_nuscenes.write(folder, all_sensors=True, seconds=seconds)
    generator = np.random.default_rng(0)
    jpeg = b"\xff\xd8" + generator.bytes(140_000) + b"\xff\xd9"
    returns = np.zeros(125, dtype=radar.PCD_DTYPE)
    points = generator.normal(scale=20, size=(34_688, 5)).astype("<f4")
    points[:, 4] = np.arange(len(points)) % 32
    contents = {".jpg": jpeg, ".pcd": radar.encode_pcd(returns), ".bin": points.tobytes()}
    for path in sorted(root.glob("s*/*/*")):
        path.write_bytes(contents[path.suffix])
    return root


def run(*arguments):
    """Run a command in its own process; return (wall seconds, peak bytes, output)."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    peak = int(re.search(r"^MEASURED (\d+)$", done.stdout, re.MULTILINE).group(1)) * 1024
    return time.perf_counter() - started, peak, done.stdout


def scene_files(root, version, name):
    from lircdepth_core.data import nuscenes

    nusc = nuscenes.open_nuscenes(root, version)
    scene = nuscenes.find_scene(nusc, name)
    channels = nuscenes.scene_channels(nusc, scene)
    return [root / r["filename"] for channel in channels for r in nuscenes.channel_records(nusc, scene, channel)]


def copy_seconds(files, folder):
    target = folder / "copy"
    target.mkdir()
    started, cpu_started = time.perf_counter(), time.process_time()
    for path in files:
        shutil.copyfile(path, target / path.name)
    seconds = time.process_time() - cpu_started, time.perf_counter() - started
    shutil.rmtree(target)
    return seconds


def convert_seconds(root, version, name, folder, *options):
    """Measure the writing alone, as the command reports it: loading tables is paid once for all scenes."""
    import json

    bag = folder / "bag"
    common = ["--dataroot", root, "--version", version, "--json", *options]
    *_, output = run("nuscenes-to-bag", *common, "--scene", name, "-o", bag)
    (scene,) = json.loads(output[: output.index("MEASURED")])["scenes"]
    shutil.rmtree(bag)
    return scene["cpu_s"], scene["wall_s"]


def bench_convert(root, version, name, folder, repeats):
    files = scene_files(root, version, name)
    size = sum(path.stat().st_size for path in files)
    for path in files:  # into the page cache
        path.read_bytes()
    ways = {
        "plain copy, file by file": lambda: copy_seconds(files, folder),
        "converter, mcap": lambda: convert_seconds(root, version, name, folder),
        "converter, sqlite3": lambda: convert_seconds(root, version, name, folder, "--storage", "sqlite3"),
        "converter, mcap, zstd": lambda: convert_seconds(root, version, name, folder, "--compression", "zstd"),
    }
    # In turns, so that all see the same load; the smallest (CPU, wall) of each: what else the machine does only adds.
    rounds = [{label: measure() for label, measure in ways.items()} for _ in range(repeats)]
    smallest = {label: min(times[label] for times in rounds) for label in ways}
    copy, passthrough = (smallest[label] for label in list(ways)[:2])
    print(f"{name}: {len(files)} files, {size / 1e6:.0f} MB; smallest of {repeats}")
    print(f"{'':28}{'CPU s':>8}{'wall s':>8}{'MB/CPU s':>10}{'scenes/min/core':>17}{'of copy':>9}")
    for label, (cpu, wall) in smallest.items():
        print(f"{label:28}{cpu:>8.2f}{wall:>8.2f}{size / cpu / 1e6:>10.0f}{60 / cpu:>17.1f}{copy[0] / cpu:>9.0%}")
    for tables, scenes in SCENES.items():
        cpu, wall = (scenes * value / 60 for value in passthrough)
        print(f"extrapolated: {scenes} such scenes ({tables}): {cpu:.1f} min of one core, {wall:.1f} min as measured")


def bench_jobs(root, version, folder):
    walls = {}
    for jobs in (1, 2):
        walls[jobs], *_ = run("nuscenes-to-bag", "--dataroot", root, "--version", version, "-o", folder / "bags",
                              "--jobs", jobs)  # fmt: skip
        shutil.rmtree(folder / "bags")
    print(
        f"two scenes, start to end: --jobs 1 {walls[1]:.2f} s, --jobs 2 {walls[2]:.2f} s ({walls[1] / walls[2]:.2f}x)"
    )


def bench_memory(folder, seconds):
    peaks = {}
    for length in (seconds / 4, seconds):
        root = make_root(folder / f"root{length:g}", round(length * 2) / 2)
        for storage in ("mcap", "sqlite3"):
            bag = folder / f"memory{length:g}{storage}"
            _, peak, _ = run("nuscenes-to-bag", "--dataroot", root, "--scene", "scene-0001", "-o", bag,
                              "--storage", storage)  # fmt: skip
            peaks.setdefault(storage, []).append(peak / 1e6)
            shutil.rmtree(bag)
    for storage, (short, long) in peaks.items():
        print(f"peak memory, {storage}: {short:.0f} MB at {seconds / 4:g} s, {long:.0f} MB at {seconds:g} s of scene")


def bench_replay(root, version, name, folder):
    """Measure the timing error of every message, as the node reports it; nobody subscribes."""
    bag = folder / "replayed"
    run("nuscenes-to-bag", "--dataroot", root, "--version", version, "--scene", name, "-o", bag)
    environment = os.environ | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": "99"}
    for label, settings in (
        ("replay of the bag", {"bag": bag}),
        ("replay of the data root", {"source": "nuscenes", "dataroot": root, "version": version, "scene": name}),
    ):
        options = [word for key, value in {**settings, "duration": 5.0}.items() for word in ("-p", f"{key}:={value}")]
        command = [sys.executable, "-m", "lircdepth_ros.replay_node", "--ros-args", *options]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        found = re.search(r"published (\d+) messages \((.*?)\)", done.stdout + done.stderr)
        print(f"{label}: {found.group(1)} messages, {found.group(2)}" if found else f"{label}: {done.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataroot", type=Path)
    parser.add_argument("--version", default="v1.0-mini")
    parser.add_argument("--scene", default="scene-0001")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the scenes that are made")
    parser.add_argument("--folder", help="where to write; in memory (/dev/shm) the disk's own speed plays no part")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--replay", action="store_true", help="replay too; needs rclpy")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} CPU cores, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        root = arguments.dataroot or make_root(folder / "root", arguments.seconds)
        bench_convert(root, arguments.version, arguments.scene, folder, arguments.repeats)
        if not arguments.dataroot:
            bench_jobs(root, arguments.version, folder)
            bench_memory(folder, arguments.seconds)
        if arguments.replay:
            bench_replay(root, arguments.version, arguments.scene, folder)


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    main()
