# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning as the documentation describes it, small enough for a test."""

from paths import REPOSITORY


def tiny_fine_tuning(train, val, folder):
    """Return the words of `lircdepth train fit` for two steps of training/finetune.yaml with the tiny network."""
    options = {
        "data": {"train": train, "val": val, "crop": "[64,96]", "batch_size": 2},
        "model": {"model": "tiny", "init_weights": "null"},
        "trainer": {
            "default_root_dir": folder,
            "logger": "false",
            "precision": "32-true",
            "accelerator": "cpu",
            "max_epochs": -1,
            "max_steps": 2,
            "val_check_interval": 2,
            "check_val_every_n_epoch": "null",
        },
    }
    given = [f"--{part}.{name}={value}" for part, entries in options.items() for name, value in entries.items()]
    return ["train", "fit", "-c", str(REPOSITORY / "training/finetune.yaml"), *given]
