# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a weights file says of its training: made from the trainer, the optimiser and the data that ran."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from lircdepth_core import version
from lircdepth_core.training.lightning_loader import lightning
from lircdepth_core.training.seed import seed_or_global

if TYPE_CHECKING:
    from lircdepth_core.training.modules import DepthModule


def weights_header(module: DepthModule) -> dict[str, Any]:
    """Return the fields of a checkpoints.Header for the weights of a module in training.

    "training" holds: steps; batch_size of an optimiser step over all processes; precision; lr (where its decay starts),
    weight_decay and eps as the optimiser has them, so that they are those of the first run after a resume, too; power,
    final_lr, warmup; gradient_clip and ema_decay, None where there is none; seed, init_seed and data_seed;
    the augmentation; the module's own recipe; data_sha256 and teacher_sha256; version and commit of this package.
    """
    trainer, data = module.trainer, module.data
    groups = trainer.optimizers[0].param_groups
    training = module.recipe | {
        "steps": trainer.global_step,
        "batch_size": data.batch_size * trainer.world_size * trainer.accumulate_grad_batches,
        "precision": trainer.precision,
        "lr": groups[0].get("initial_lr", groups[0]["lr"]),
        "weight_decay": max(group["weight_decay"] for group in groups),  # that of the encoders
        "eps": groups[0]["eps"],
        "gradient_clip": trainer.gradient_clip_val,
        "ema_decay": _ema_decay(trainer),
        "seed": seed_or_global(None),
        "data_seed": data.seed,
        "data_sha256": data.sha256(),
        "version": version.version(),
        "commit": version.commit(),
    }
    return data.weights_header() | {
        "model": module.model_name,
        "config": module.model_config,
        "metrics": {f"val_{name.replace('/', '_')}": value for name, value in module.last_errors.items()},
        "training": training | asdict(data.augmentation),
    }


def _ema_decay(trainer: Any) -> float | None:
    """Return the decay of the running average, measured on its function: Lightning keeps the number nowhere."""
    for callback in trainer.callbacks:
        if isinstance(callback, lightning.pytorch.callbacks.WeightAveraging) and "avg_fn" in callback._kwargs:
            average = callback._kwargs["avg_fn"](torch.ones((), dtype=torch.float64), torch.zeros(()), torch.tensor(1))
            return round(float(average), 9)
    return None
