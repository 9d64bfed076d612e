# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
r"""Weights on another vehicle than theirs: as shipped, fine-tuned on its drives, and trained on them alone.

    python benchmarks/second_vehicle.py FOLDER [--vehicle low] [--minutes 10 30 100] [--jobs 2]

Drives of the vehicle are rendered and recorded as bags whose radar is as an ARS 548 publishes; `lircdepth pack-bag`
makes frames of them, `train fit -c training/finetune.yaml` learns from these for so many minutes from the weights that
ship, for --alone-minutes from nothing, and `eval --packed` measures on drives that no training saw, with radar and
without. Minutes are of a machine that does a step in --seconds-per-step: they mean so many steps, whatever else a
machine does. What is in FOLDER already is kept and a training that was stopped (SIGTERM) goes on, by the same command.
To try it:

    python benchmarks/second_vehicle.py /tmp/toy --drives 1 --held-out 1 --seconds 4 --gap 0.3 --minutes 1 \
        --alone-minutes 1 --seconds-per-step 10 --batch-size 2
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "support")]

from second_vehicle import lircdepth, make_drives  # noqa: E402

_SHIPPED = "street"
_GROUP = "0-80 m"
_HELD_OUT_SEED, _TRAINING_SEED = 7001, 101
_VALIDATIONS = 10  # of each training; the best is kept


def packed(drives, output, arguments, every, validation=None):
    """Make a frame every so many seconds of drives, unless they are there; validation: a file for each one's end."""
    if output.is_file() and (validation is None or validation.is_file()):
        return
    split = () if validation is None else ("--validation", validation, "--gap", arguments.gap)
    lircdepth(
        "pack-bag", *drives, "-o", output, *split, "--radar-driver", "ars548", "--like", _SHIPPED, "--every", every,
        "--jobs", arguments.jobs, "--sheet", output.with_suffix(".jpg"),
    )  # fmt: skip


def fitted(weights, start, minutes, files, arguments):
    """Make weights that learn for so many minutes' steps from weights by name, or from nothing (null)."""
    if weights.is_file():
        return
    folder = weights.parent
    run = folder / weights.stem
    train, val = files
    steps = max(_VALIDATIONS, round(60 * minutes / arguments.seconds_per_step))
    lircdepth(
        "train", "fit", "-c", ROOT / "training/finetune.yaml", "--data.train", train, "--data.val", val,
        "--data.batch_size", arguments.batch_size,
        f"--model.init_weights={start}", "--model.lr", 2e-4 if start == _SHIPPED else 5e-4,
        "--trainer.max_epochs", -1, "--trainer.max_steps", steps,
        "--trainer.val_check_interval", steps // _VALIDATIONS, "--trainer.check_val_every_n_epoch=null",
        "--trainer.default_root_dir", run, "--trainer.callbacks+", "StopAfter", "--ckpt_path", "resume",
    )  # fmt: skip
    best = run / "checkpoints/best.ckpt"
    lircdepth("export-weights", best if best.is_file() else run / "resume.ckpt", "-o", weights)


def measured(weights, frames, folder):
    """Return {variant: errors} of weights on packed frames."""
    name = weights.stem if isinstance(weights, Path) else weights
    lircdepth("eval", "--packed", frames, "--weights", weights, "-o", folder / f"eval_{name}")
    found = json.loads((folder / f"eval_{name}" / "results.json").read_text())["errors"]
    return {variant: groups[_GROUP] for variant, groups in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vehicle", choices=("low", "high"), default="low")
    parser.add_argument("--drives", type=int, default=6, help="to train on (default: %(default)s)")
    parser.add_argument("--held-out", type=int, default=2, help="drives to measure on (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=12.0, help="of a drive (default: %(default)s)")
    parser.add_argument("--size", default="480x270", help="of the camera's images (default: %(default)s)")
    parser.add_argument("--gap", type=float, default=1.0, help="seconds before the validation's part of each drive")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10, 30, 100])
    parser.add_argument("--alone-minutes", nargs="+", type=float, default=[30])
    parser.add_argument("--seconds-per-step", type=float, default=1.3, help="of this machine (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="of the training (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME", help="one training, such as alone_30_min, beside another process's")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    scene = (arguments.seconds, arguments.size, arguments.jobs)
    drives = make_drives(folder / "drives", arguments.vehicle, arguments.drives, _TRAINING_SEED, *scene)
    held_out = make_drives(folder / "held_out", arguments.vehicle, arguments.held_out, _HELD_OUT_SEED, *scene)
    train, val, test = (folder / f"{name}.safetensors" for name in ("train", "val", "test"))
    packed(drives, train, arguments, 0.25, val)
    packed(held_out, test, arguments, 0.5)
    rows = {"as_shipped": measured(_SHIPPED, test, folder)}
    trainings = [(_SHIPPED, "fine_tuned", minutes) for minutes in arguments.minutes]
    trainings += [("null", "alone", minutes) for minutes in arguments.alone_minutes]
    for start, name, minutes in trainings:
        weights = folder / f"{name}_{minutes:g}_min.safetensors"
        if arguments.only in (None, weights.stem):
            fitted(weights, start, minutes, (train, val), arguments)
            rows[weights.stem] = measured(weights, test, folder)
    shipped = rows["as_shipped"]["radar"]["mae"]
    print("\n| weights | MAE [m] | AbsRel | MAE without radar | AbsRel without radar | MAE against shipped |")
    print("|---" * 6 + "|")
    for title, errors in rows.items():
        cells = [f"{errors[variant][name]:.3f}" for variant in ("radar", "no radar") for name in ("mae", "abs_rel")]
        print(f"| {title} | {' | '.join(cells)} | {100 * (errors['radar']['mae'] / shipped - 1):+.0f} % |")


if __name__ == "__main__":
    main()
