# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Peak memory of packing, and of training on files that are mapped, by the number of frames.

Each figure is of a process of its own: the most that Linux had in memory for it (VmHWM), with what it mapped.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_packed import Noise

PACKED_SIZE, TRAINED_SIZE = (225, 400), (32, 64)
FRAMES_A_FILE, BATCH = 100, 50


def packing(folder, count):
    """Write so many frames into one file."""
    from lircdepth_core.data.packed import pack

    pack(Noise(count, PACKED_SIZE), folder / "frames.safetensors")


def training(folder, count):
    """Train the tiny network for an epoch over the files of a folder."""
    from lircdepth_ros import cli

    frames = folder / str(count)
    words = [
        "train", "fit", "--data", "PackedData", "--data.train", frames, "--data.val", frames, "--data.mapped", "true",
        "--data.crop", list(TRAINED_SIZE), "--data.batch_size", BATCH, "--model", "StudentModule",
        "--model.model", "tiny", "--model.loss", "{image: 0, radar: 0, structure: 0, inter_depth: 0, smoothness: 0}",
        "--trainer.max_epochs", 1, "--trainer.accelerator", "cpu", "--trainer.limit_val_batches", 0,
        "--trainer.logger", "false", "--trainer.enable_progress_bar", "false",
        "--trainer.default_root_dir", folder / f"run-{count}",
    ]  # fmt: skip
    assert cli.main([str(word) for word in words]) == 0


def peak_mb(what, folder, count):
    """Return the peak memory of a process that does it."""
    command = [sys.executable, __file__, "--child", what, str(folder), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(re.findall(r"^peak (\d+)", done.stdout, re.M)[-1]) / 1000


def repeated(folder, counts):
    """Write folders of so many frames: the first one's files, and copies of them."""
    from lircdepth_core.data.packed import pack_shards

    first, *others = counts
    pack_shards(Noise(first, TRAINED_SIZE), folder / str(first), FRAMES_A_FILE)
    for count in others:
        (folder / str(count)).mkdir()
        for number in range(count // first):
            for path in (folder / str(first)).glob("*.safetensors"):
                shutil.copy(path, folder / str(count) / f"{number}-{path.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packed", type=int, nargs="+", default=[50, 200, 800], help="frames of 225x400 in a file")
    parser.add_argument("--trained", type=int, nargs="+", default=[1_000, 10_000], help="frames of 32x64 in files")
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "FOLDER", "FRAMES"), help="for this program itself")
    arguments = parser.parse_args()
    if arguments.child:
        what, folder, count = arguments.child
        {"pack": packing, "train fit": training}[what](Path(folder), int(count))
        print("peak", re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
        return
    rows = []
    for what, counts in (("pack", arguments.packed), ("train fit", arguments.trained)):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if what == "train fit":
                repeated(folder, counts)
            for count in counts:
                peak = peak_mb(what, folder, count)
                written = folder / str(count) if what == "train fit" else folder
                size = sum(path.stat().st_size for path in written.glob("*.safetensors"))
                rows.append({"command": what, "frames": count, "packed [MB]": size / 1e6, "peak memory [MB]": peak})
                print(rows[-1], flush=True)
    print(tabulate(rows, headers="keys", floatfmt=".0f", tablefmt="github"))


if __name__ == "__main__":
    main()
