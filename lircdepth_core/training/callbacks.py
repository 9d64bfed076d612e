# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lightning callbacks: stop in time, look at depth."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import torch
from torch import Tensor

from lircdepth_core.data.frame import TRAINING_TRUTHS
from lircdepth_core.training.run_folder import best_path, resume_path

from lircdepth_core.training.lightning_loader import lightning  # isort: skip - prepares what the next one imports
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)  # the second one is what SLURM sends to warn


class BestCheckpoint(ModelCheckpoint):
    """Keeps ``checkpoints/best.ckpt``, by MAE on the validation split, and ``last.ckpt`` in default_root_dir."""

    def __init__(self) -> None:
        super().__init__(
            monitor="val/mae", mode="min", filename="best", save_last=True, save_on_train_epoch_end=False,
            enable_version_counter=False,
        )  # fmt: skip

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Keep checkpoints below the trainer's folder."""
        self.dirpath = str(best_path(trainer).parent)
        super().setup(trainer, pl_module, stage)


class StopAfter(Checkpoint):
    """Saves what a run needs to go on, and ends it in time: when its window closes, or when it is told to.

    The checkpoint is ``resume.ckpt`` in the trainer's default_root_dir; `--ckpt_path resume` goes on from it exactly.
    minutes: length of the window, counted from the start of this run, not of the first one. save_minutes: the
    checkpoint is written so often before that, too, so that a killed run loses no more. SIGTERM, SIGUSR1 and SIGINT
    end the run after its step with a checkpoint; a second SIGINT interrupts at once. As a Checkpoint it is called
    last, after what averages weights.
    """

    def __init__(self, minutes: float = float("inf"), save_minutes: float = 10.0) -> None:
        self.minutes, self.save_minutes = minutes, save_minutes
        self._started = self._saved = time.monotonic()
        self._handlers_before: dict[signal.Signals, Any] = {}
        self.received: signal.Signals | None = None  # the signal that ends the run
        self.has_stopped = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Handle signals from now on, where Lightning would exit with status 0 and no checkpoint."""
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING_SIGNALS:
                self._handlers_before[number] = signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: Any) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        self.received = signal.Signals(number)

    def _leave_signals(self) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        self._handlers_before.clear()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop where the window has closed or a signal has come, with a checkpoint."""
        # All ranks stop at the same step: where one has a signal, and by the clock of the first.
        now = time.monotonic()
        late, due = trainer.strategy.broadcast(
            (now - self._started > 60 * self.minutes, now - self._saved > 60 * self.save_minutes)
        )
        told = trainer.strategy.reduce_boolean_decision(self.received is not None, all=False)
        # After the last batch of an epoch a run is not stopped: Lightning would miscount epochs when it resumes there.
        if not (late or due or told) or batch_idx + 1 >= trainer.num_training_batches:
            return
        # Saved here and not at the end of training: there Lightning counts the epoch that it breaks off as done.
        trainer.save_checkpoint(resume_path(trainer), weights_only=False)
        self._saved = now
        if not (late or told):
            return
        self.has_stopped = trainer.should_stop = True
        trainer.limit_val_batches = 0  # the window is for training; the run that ends the epoch validates
        if told and self.received is None:  # it came to another rank
            self.received = signal.SIGTERM
        if trainer.is_global_zero:
            why = f"by {self.received.name}" if self.received is not None else f"after {self.minutes:g} minutes"
            print(f"stopped {why} at step {trainer.global_step}; --ckpt_path resume goes on", flush=True)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave a checkpoint of a finished run, so that another one has nothing to do."""
        self._leave_signals()
        if not self.has_stopped:
            trainer.save_checkpoint(resume_path(trainer), weights_only=False)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Give signals back."""
        self._leave_signals()


def has_stopped(trainer: Any) -> StopAfter | None:
    """Return the StopAfter that has ended a trainer's run before its end, or None."""
    found = (each for each in trainer.callbacks if isinstance(each, StopAfter) and each.has_stopped)
    return next(found, None)


class ProgressLines(lightning.Callback):
    """Says in a line every so many steps how far a run is: for logs, where a bar would be noise."""

    def __init__(self, every: int = 100) -> None:
        self.every = every
        self._losses: list[float] = []
        self._started, self._first = 0.0, 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._started, self._first = time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Print the line where it is due."""
        self._losses.append(float(outputs["loss"]))
        step = trainer.global_step
        if step % self.every or not trainer.is_global_zero:
            return
        seconds = (time.monotonic() - self._started) / max(step - self._first, 1)
        hours = seconds * (trainer.max_steps - step) / 3600
        left = f", about {hours:.1f} h left" if trainer.max_steps > 0 else ""
        errors = getattr(pl_module, "last_errors", {})
        validated = "".join(f", {name} {errors[name]:.3f}" for name in ("mae", "abs_rel", "delta1") if name in errors)
        of = f" of {trainer.max_steps}" if trainer.max_steps > 0 else ""
        mean = sum(self._losses) / len(self._losses)
        print(f"step {step}{of}: loss {mean:.4f}, {seconds:.2f} s a step{left}{validated}", flush=True)
        self._losses.clear()


class DepthPictures(lightning.Callback):
    """Logs image, depth and truth of the first validation frames to TensorBoard; other loggers get none."""

    def __init__(self, frames: int = 2) -> None:
        self.frames = frames

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Log the pictures of the first batch."""
        if batch_idx or dataloader_idx or not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            add_image = getattr(getattr(logger, "experiment", None), "add_image", None)
            if add_image is not None:
                for i in range(min(self.frames, len(batch["image"]))):
                    add_image(f"depth/{i}", picture(batch, outputs, i), trainer.global_step)


def picture(batch: dict[str, Tensor], output: Any, index: int) -> Tensor:
    """Return image, depth and truth of a batch's frame, one above the other: uint8 [3, 3 H, W].

    Colours are those of evaluation.colours. The truth is the rendered, the dense or the single-scan depth, a
    checkerboard where it is unknown.
    """
    from lircdepth_core.evaluation.colours import colorize
    from lircdepth_core.inference.input_plan import IMAGE_MEAN, IMAGE_STD

    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    image = (batch["image"][index].float().cpu() * std + mean).clamp(0, 1)
    truths = [batch[name][index, 0].float().cpu() for name in TRAINING_TRUTHS if name in batch]
    truth = next((depth for depth in truths if (depth > 0).any()), truths[0])
    panels = [image]
    for depth in (output.depth[index, 0].float().cpu(), truth):
        colours = colorize(torch.where(depth > 0, depth, torch.nan).numpy())
        panels.append(torch.from_numpy(colours).permute(2, 0, 1) / 255)
    return (torch.cat(panels, dim=1) * 255).round().to(torch.uint8)
