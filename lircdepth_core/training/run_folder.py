# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The folder of a training run: which checkpoint a run goes on from, and whether the folder is that of this run.

A folder holds one run. Its checkpoints carry the settings with which it was started, so that a run is never continued
as another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lircdepth_core.errors import LircDepthError

if TYPE_CHECKING:
    import lightning

_CHECKPOINTS = ("resume.ckpt", "checkpoints/last.ckpt", "checkpoints/best.ckpt")  # of one step the first is taken
# What a run is. Of its settings for the model those are left out that say where a start or a teacher lies.
_PLACES = ("teacher", "teacher_cache", "init_weights", "encoder_weights")
_TOLD = ("data", "trainer.max_steps", "trainer.max_epochs", "trainer.precision", "trainer.gradient_clip_val",
         "trainer.accumulate_grad_batches")  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A checkpoint on disk: the step at which it was written, and the settings of its run ({} where it has none)."""

    path: Path
    step: int
    settings: dict[str, Any]


def resume_path(trainer: lightning.Trainer) -> Path:
    """Return where StopAfter leaves its checkpoint."""
    return Path(trainer.default_root_dir, _CHECKPOINTS[0])


def best_path(trainer: lightning.Trainer) -> Path:
    """Return where BestCheckpoint leaves the best checkpoint by validation."""
    return Path(trainer.default_root_dir, _CHECKPOINTS[2])


def newest(folder: str | Path) -> Kept | None:
    """Return the checkpoint of most steps in a run's folder, or None where there is none.

    One that cannot be read is named and left out. Raises LircDepthError where there are checkpoints and none of them
    can be read.
    """
    found, damaged = [], []
    for path in (Path(folder, name) for name in _CHECKPOINTS):
        if not path.is_file():
            continue
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            found.append(Kept(path, int(content["global_step"]), content.get("settings", {})))
        except Exception as error:  # a damaged pickle makes its reader raise whatever its parts raise
            damaged.append(f"{path} cannot be read ({str(error).partition(chr(10))[0]})")
    if damaged and not found:
        raise LircDepthError(f"{damaged[0]}, and there is no other checkpoint: move it away to start over")
    for line in damaged:
        print(f"{line}: it is left out", flush=True)
    return max(found, key=lambda kept: kept.step, default=None)  # the first of several


def require_empty(folder: str | Path) -> None:
    """Raise LircDepthError where a folder holds a run already: its files would be mixed with those of another."""
    kept = newest(folder)
    if kept is not None:
        raise LircDepthError(
            f"{folder} holds a run of {kept.step} steps already: go on with it by --ckpt_path resume, or choose "
            "another --trainer.default_root_dir"
        )


def require_same_run(kept: Kept, settings: Mapping[str, Any]) -> list[str]:
    """Return a line for each setting of data and trainer with which a run goes on otherwise than before.

    Raises LircDepthError where a checkpoint is of another network, loss, optimiser or seed: these belong to a run.
    """
    if not kept.settings:  # written before checkpoints had settings
        return []
    then, now = _flat(kept.settings), _flat(settings)
    changed = {name: (then.get(name), now.get(name)) for name in sorted(then.keys() | now.keys())
               if then.get(name) != now.get(name)}  # fmt: skip
    lines = {name: f"{name} {was!r} -> {becomes!r}" for name, (was, becomes) in changed.items()}
    other = [
        line
        for name, line in lines.items()
        if (name.startswith("model.") and name.rpartition(".")[2] not in _PLACES) or name == "seed_everything"
    ]
    if other:
        raise LircDepthError(
            f"{kept.path} is of another run ({'; '.join(other)}): give the same settings to go on with it, or choose "
            "another --trainer.default_root_dir"
        )
    return [line for name, line in lines.items() if name.startswith((*_TOLD, "model."))]


def _flat(settings: Any, name: str = "") -> dict[str, Any]:
    """Return {"data.init_args.crop": value} of nested settings; lists stay whole."""
    if not isinstance(settings, Mapping):
        return {name: settings}
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{name}.{key}" if name else str(key))
    return flat
