# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packed frames in files that are mapped, and in a streaming format (litdata, where it is installed): disk and rates.

Frames are noise of the size that is asked for: neither format compresses, so that the content does not matter. Each
reader gives the decoded frame of training. The epoch is read from the disk, whose pages were dropped; random reads come
from the page cache.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lircdepth_core.data.packed import decoded, pack_shards, packed_row
from lircdepth_core.data.sampling import Windows
from lircdepth_core.data.shards import ShardedFrames

RADAR_RETURNS = 60
LABELLED_SHARE = 0.3  # of dense depth


class Noise:
    """Frames of random bytes."""

    focal_length, description = 1266.0, "noise"

    def __init__(self, count, size):
        self.count, self.size = count, size

    def __len__(self):
        return self.count

    def frame(self, index):
        random = np.random.default_rng(index)
        radar = np.zeros((4, *self.size), np.float32)
        rows, columns = (random.integers(0, length, RADAR_RETURNS) for length in self.size)
        radar[:, rows, columns] = random.uniform(1, 80, (4, RADAR_RETURNS))
        dense = random.uniform(1, 80, self.size) * (random.random(self.size) < LABELLED_SHARE)
        return {
            "image": torch.from_numpy(random.integers(0, 256, (3, *self.size), np.uint8)),
            "radar": torch.from_numpy(radar),
            "dense": torch.from_numpy(dense.astype(np.float32))[None],
            "single": torch.from_numpy((dense * (random.random(self.size) < 0.02)).astype(np.float32))[None],
        }


class Mapped:
    """Files of frames as `lircdepth pack --shard` writes them."""

    name = "safetensors, mapped"

    def __init__(self, folder, frames, shard):
        pack_shards(frames, folder, shard)
        self._frames = ShardedFrames([folder])

    def frame(self, index):
        return self._frames.frame(index)

    def epoch(self):
        order = Windows(self._frames.lengths, self._frames.window).order(0, 0, 0, len(self._frames))
        return (self._frames.frame(index) for index in order)


class Streamed:
    """The same rows in chunks of litdata."""

    def __init__(self, folder, frames, shard):
        import litdata
        from litdata.streaming.writer import BinaryWriter

        self.name, self._size = f"litdata {litdata.__version__}", frames.size
        folder.mkdir()
        writer = BinaryWriter(str(folder), chunk_size=shard)
        for index in range(len(frames)):
            writer[index] = packed_row(frames, index)
        writer.done()
        writer.merge(1)
        self._random = litdata.StreamingDataset(str(folder))
        self._shuffled = litdata.StreamingDataset(str(folder), shuffle=True)

    def _decoded(self, row):
        return decoded({name: torch.as_tensor(value) for name, value in row.items()}, self._size)

    def frame(self, index):
        return self._decoded(self._random[index])

    def epoch(self):
        return map(self._decoded, self._shuffled)


def drop_pages(folder):
    """Have the next reading come from the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def measure(made, folder, frames, shard):
    """Return a row of the table."""
    reader = made(folder, frames, shard)
    drop_pages(folder)
    began = time.monotonic()
    count = sum(1 for frame in reader.epoch() if frame["image"].sum())  # touches every pixel
    epoch = time.monotonic() - began
    assert count == len(frames)
    order = np.random.default_rng(0).integers(0, len(frames), len(frames)).tolist()
    for index in order[:10]:
        reader.frame(index)
    began = time.monotonic()
    assert all(reader.frame(index)["image"].sum() for index in order)
    random = time.monotonic() - began
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "format": reader.name, "disk [MB]": size / 1e6,
        "shuffled epoch [frames/s]": count / epoch, "random [frames/s]": count / random,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--size", type=int, nargs=2, default=[450, 800], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--shard", type=int, default=20, help="frames in a file (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    frames = Noise(arguments.frames, tuple(arguments.size))
    rows = []
    for made in (Mapped, Streamed):
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows.append(measure(made, Path(folder) / "frames", frames, arguments.shard))
            except ModuleNotFoundError as error:
                print(f"left out: there is no package {error.name}")
    print(tabulate(rows, headers="keys", floatfmt=".0f", tablefmt="github"))


if __name__ == "__main__":
    main()
