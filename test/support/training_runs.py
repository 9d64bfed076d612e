# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames and command lines for the training tests; a program for one rank of a distributed gradient.

python training_runs.py RANK WORLD PORT FRAMES OUTPUT
"""

import csv
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from lircdepth_core.data.frame import BEYOND_RANGE_M
from lircdepth_core.data.packed import pack
from lircdepth_core.training.callbacks import StopAfter
from lircdepth_core.training.lightning_loader import lightning

SIZE = (96, 160)
PLAIN = ("--model.loss", "{image: 0, radar: 0, structure: 0, inter_depth: 0, smoothness: 0}")


class Streets:
    """A few frames of flat ground, walls on both sides and a few boxes, with radar returns on the boxes."""

    focal_length, size, description = 120.0, SIZE, "boxes on a road"

    def __init__(self, count, seed=0):
        self.count, self.seed = count, seed

    def __len__(self):
        return self.count

    def frame(self, index):
        random = np.random.default_rng((self.seed, index))
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        with np.errstate(divide="ignore"):
            ground = np.where(rows > 40, 1.5 * 120 / (rows - 40.0), np.inf)
            walls = 8 * 120 / np.abs(columns - 79.5)
        depth = np.minimum(np.minimum(ground, walls), 80.0)
        image = np.stack([60 + 120 * (ground < walls), 200 - 2 * depth, 40 + columns % 32 * 3])
        radar = np.zeros((4, *SIZE), np.float32)
        for _ in range(3):
            distance, left = random.uniform(6, 40), random.uniform(0, 130)
            height, width = 180 / distance, 260 / distance
            bottom = 40 + 180 / distance
            box = (rows < bottom) & (rows > bottom - height) & (columns > left) & (columns < left + width)
            box &= depth > distance
            depth[box] = distance
            image[:, box] = random.uniform(0, 255, (3, 1))
            if box.any():
                row, column = (int(axis.mean()) for axis in np.nonzero(box))
                radar[:, row, column] = distance, 10.0, -3.0, 0.5
        single = np.where(random.random(SIZE) < 0.05, depth, 0)
        dense = np.where(random.random(SIZE) < 0.7, depth, 0)
        return {
            "image": torch.from_numpy(image.clip(0, 255).astype(np.uint8)),
            "radar": torch.from_numpy(radar),
            "dense": torch.from_numpy(dense.astype(np.float32))[None],
            "single": torch.from_numpy(single.astype(np.float32))[None],
            "exact": torch.from_numpy(depth.astype(np.float32))[None],
        }


class RenderedStreets(Streets):
    """The same streets without lidar: depth is known at every pixel, and the sky is beyond range."""

    description = "boxes under the sky"

    def frame(self, index):
        frame = super().frame(index)
        depth = frame["exact"].clone()
        depth[:, :20][frame["exact"][:, :20] > 40] = BEYOND_RANGE_M
        return {"image": frame["image"], "radar": frame["radar"], "rendered": depth}


class Held(lightning.Callback):
    """Takes so many steps, and takes no other before a signal has come."""

    def __init__(self, steps: int = 2):
        self.left = steps

    def on_train_batch_start(self, trainer, *_):
        (stop,) = (callback for callback in trainer.callbacks if isinstance(callback, StopAfter))
        while self.left <= 0 and stop.received is None:
            time.sleep(0.02)
        self.left -= 1


class Killed(lightning.Callback):
    """Ends a run as a fault does, after two steps."""

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 2:
            raise RuntimeError("killed")


class KilledRank(lightning.Callback):
    """Kills rank 1 after three steps, once: torchrun starts all ranks again."""

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 3 and trainer.global_rank == 1 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os.kill(os.getpid(), signal.SIGKILL)


def fit_words(frames, root, *options, model="tiny", epochs=2, batch_size=2):
    """Words of `lircdepth train fit` on the CPU; every step is logged."""
    words = [
        "train", "fit", "--data", "PackedData", "--data.train", frames, "--data.val", frames, "--data.crop", "[64, 96]",
        "--data.batch_size", batch_size, "--trainer.max_epochs", epochs, "--trainer.accelerator", "cpu",
        "--trainer.devices", 1, "--trainer.default_root_dir", root, "--trainer.logger", "CSVLogger",
        "--trainer.logger.save_dir", root, "--trainer.logger.flush_logs_every_n_steps", 1,
        "--trainer.log_every_n_steps", 1, "--trainer.enable_progress_bar", "false",
        "--trainer.num_sanity_val_steps", 0,
    ]  # fmt: skip
    if model is not None:
        words += ["--model", "StudentModule", "--model.model", model, *PLAIN]
    return [str(word) for word in (*words, *options)]


def logged(root, column="train/total"):
    """The values of a column over all runs under ``root``, by step."""
    values = {}
    for path in sorted(Path(root).rglob("metrics.csv"), key=lambda p: int(p.parent.name.rpartition("_")[2])):
        with path.open() as file:
            values |= {int(row["step"]): float(row[column]) for row in csv.DictReader(file) if row.get(column)}
    return values


def write_frames(path, count=8, seed=0):
    pack(Streets(count, seed), path)
    return path


def gradients(batch):
    """Gradients of the student's masked losses on a batch, batch norm frozen, as one vector."""
    from lircdepth_core.losses import DepthTruth, StudentLoss
    from lircdepth_core.models import checkpoints

    student, teacher = (checkpoints.random_weights(name, seed=2)[0].eval() for name in ("lircdepth", "cafnet"))
    network = student
    if torch.distributed.is_initialized():
        network = torch.nn.parallel.DistributedDataParallel(student, find_unused_parameters=False)
    with torch.no_grad():
        taught = teacher(batch["image"], batch["radar"])
    loss = StudentLoss(image=0, radar=0, structure=0)
    output = network(batch["image"], batch["radar"])
    terms = loss(output, taught, batch["image"], DepthTruth(batch["dense"], batch["single"]))
    terms["total"].backward()
    return torch.cat([parameter.grad.flatten() for parameter in student.parameters()])


def half_batches(path):
    """Two batches whose numbers of valid pixels differ much."""
    from lircdepth_core.data.frame import prepare
    from lircdepth_core.data.packed import PackedFrames

    frames = PackedFrames(path)
    samples = [prepare(frames.frame(i)) for i in range(4)]
    samples = [{name: value[..., 32:64, :64].contiguous() for name, value in sample.items()} for sample in samples]
    for sample in samples[2:]:
        sample["dense"] = sample["dense"] * (torch.arange(64) < 8)
        sample["single"] = sample["single"] * (torch.arange(64) < 40)
    return [
        {name: torch.stack([sample[name] for sample in half]) for name in half[0]}
        for half in (samples[:2], samples[2:])
    ]


def main():
    rank, world, port, frames, output = sys.argv[1:]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": world}
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    gradient = gradients(half_batches(frames)[int(rank)])
    if rank == "0":
        torch.save(gradient, output)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
