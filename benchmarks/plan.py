# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Time, disk, network and money on paper, from measured rates: the published training, and fleets of bags.

python benchmarks/plan.py training --gpus 8 --images-per-second 60
python benchmarks/plan.py fleet --hours 10000 --days 7

Each rate is an option; the defaults were measured on two CPU cores, by the commands that benchmarks/RESULTS.md has. A
price is an option as well, and stands for nobody's offer.
"""

import argparse
import math

from tabulate import tabulate

SECONDS_A_DAY = 86_400
KEY_FRAMES = 28_130  # of nuScenes' train split
EPOCHS, BATCH = 200, 6  # as published
PARAMETERS_BYTES = 12_645_228 * 4  # the student's gradients
PACKED_BYTES_A_PIXEL = 3 + 2 + 2  # image, dense and single depth


def all_reduce_seconds(gpus, bytes_a_second):
    """Time of a ring all-reduce of the gradients, none of it hidden behind the backward pass."""
    return 2 * (gpus - 1) / gpus * PARAMETERS_BYTES / bytes_a_second


def training(gpus, images_per_second, epochs, frames, batch, network_gbit, price, height, width):
    """Return {quantity: value} of a training run; batch: of each GPU."""
    steps = frames // (batch * gpus)
    step = batch / images_per_second + all_reduce_seconds(gpus, network_gbit * 1e9 / 8)
    hours = epochs * steps * step / 3600
    read = images_per_second * gpus * height * width * PACKED_BYTES_A_PIXEL
    return {
        "steps an epoch": steps,
        "step [s]": step,
        "of it exchange of gradients": 1 - batch / images_per_second / step,
        "hours": hours,
        "GPU hours": hours * gpus,
        "money": hours * gpus * price,
        "disk for packed frames [GB]": frames * height * width * PACKED_BYTES_A_PIXEL / 1e9,
        "read by all ranks [MB/s]": read / 1e6,
    }


def fleet(hours, days, core_seconds, input_mb_s, output_mb_s, item_s, disk_mb_s, tasks_a_second, price):
    """Return {quantity: value} of a fleet's bags.

    core_seconds: of work for a second of driving. item_s: seconds of driving in an item. disk_mb_s: of the file system
    for all. tasks_a_second: that a scheduler bears.
    """
    driven = hours * 3600
    work = driven * core_seconds
    workers = math.ceil(work / (days * SECONDS_A_DAY))
    moved = input_mb_s + output_mb_s
    return {
        "core hours": work / 3600,
        "workers of one core": workers,
        "items": driven / item_s,
        "seconds an item": item_s * core_seconds,
        "read [TB]": driven * input_mb_s / 1e6,
        "written [TB]": driven * output_mb_s / 1e6,
        "file system [MB/s]": driven * moved / (days * SECONDS_A_DAY),
        "tasks a second": workers / (item_s * core_seconds),
        "workers at which the scheduler is full": tasks_a_second * item_s * core_seconds,
        "workers at which the file system is full": disk_mb_s * core_seconds / moved,
        "money": work / 3600 * price,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("training", help="the published recipe on nuScenes")
    train.add_argument("--gpus", type=int, default=1)
    train.add_argument("--images-per-second", type=float, default=1 / 0.74, help="of one GPU (default: two CPU cores)")
    train.add_argument("--epochs", type=int, default=EPOCHS)
    train.add_argument("--frames", type=int, default=KEY_FRAMES)
    train.add_argument("--batch", type=int, default=BATCH, help="of each GPU")
    train.add_argument("--network-gbit", type=float, default=10.0, help="between nodes (default: %(default)s)")
    train.add_argument("--price", type=float, default=1.0, help="of a GPU hour (default: %(default)s)")
    train.add_argument("--height", type=int, default=900, help="of packed frames")
    train.add_argument("--width", type=int, default=1600)
    drives = commands.add_parser("fleet", help="hours of bags, through infer-bag and pack-bag")
    drives.add_argument("--hours", type=float, default=10_000)
    drives.add_argument("--days", type=float, default=7, help="in which they are to be done (default: %(default)s)")
    drives.add_argument("--core-seconds", type=float, default=11.4,
                        help="of work for a second of driving: 12 images, 0.473 s on two cores")  # fmt: skip
    drives.add_argument("--input-mb-s", type=float, default=1.9, help="that is read of it: camera and radar")
    drives.add_argument("--output-mb-s", type=float, default=69.0, help="that is written: 12 images in 32FC1")
    drives.add_argument("--item-s", type=float, default=20.0, help="seconds of driving in an item")
    drives.add_argument("--disk-mb-s", type=float, default=10_000, help="of the file system for all")
    drives.add_argument("--tasks-a-second", type=float, default=40.0, help="that a scheduler bears")
    drives.add_argument("--price", type=float, default=0.05, help="of a core hour")
    arguments = vars(parser.parse_args())
    made = {"training": training, "fleet": fleet}[arguments.pop("command")](**arguments)
    print(tabulate(made.items(), ("quantity", "value"), floatfmt=",.6g", tablefmt="github"))


if __name__ == "__main__":
    main()
