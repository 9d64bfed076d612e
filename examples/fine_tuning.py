# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning the weights that ship: python examples/fine_tuning.py FOLDER [STEPS].

Rendered frames stand for those of one's own drives, which `lircdepth pack-bag` makes. A few steps show the way; in
earnest training takes thousands (docs/real-road.md).
"""

import sys
from pathlib import Path

from lircdepth_ros.cli import main

REPOSITORY = Path(__file__).resolve().parents[1]
folder, steps = Path(sys.argv[1]), int((*sys.argv, 4)[2])
train, val, weights = (str(folder / f"{name}.safetensors") for name in ("train", "val", "weights"))


def lircdepth(*words):
    """Run a command; end with its status where it fails."""
    if status := main([str(word) for word in words]):
        sys.exit(status)


# At a quarter of the camera's size, these frames' default, they have the focal length that the weights are tied to.
lircdepth("pack-street", "--split", "varied", "--frames", 4, "-o", train)
lircdepth("pack-street", "--split", "unseen-val", "--frames", 2, "-o", val)
lircdepth(
    "train", "fit", "-c", REPOSITORY / "training/finetune.yaml", "--data.train", train, "--data.val", val,
    "--data.batch_size", 2, "--model.loss.depth_loss", "rendered",  # drives have lidar, and need no such option
    "--trainer.max_steps", steps, "--trainer.default_root_dir", folder / "run",
)  # fmt: skip
lircdepth("export-weights", folder / "run/checkpoints/best.ckpt", "-o", weights)
lircdepth("eval", "--packed", val, "--weights", weights, "-o", folder / "eval")
