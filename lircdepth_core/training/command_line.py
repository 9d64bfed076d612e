# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What `lircdepth train` runs: Lightning's command line over the modules and data of this package."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.device import is_out_of_memory
from lircdepth_core.training.callbacks import BestCheckpoint, DepthPictures, resume_path
from lircdepth_core.training.data_modules import DepthData
from lircdepth_core.training.lightning_loader import lightning
from lircdepth_core.training.modules import DepthModule


def trainer_defaults() -> dict[str, Any]:
    """Return what a Trainer needs here: an order for each epoch, batches that know their rank, the best checkpoint."""
    callbacks = [BestCheckpoint(), DepthPictures()]
    return {"use_distributed_sampler": False, "callbacks": callbacks}


def main(arguments: list[str]) -> Any:
    """Run `fit`, `validate` ... with Lightning's options (a list of words).

    Beside what Lightning knows, ``--ckpt_path resume`` goes on from where StopAfter stopped, or starts. Returns the
    LightningCLI with its trainer, model and datamodule. Raises LircDepthError for a user's mistake.
    """
    return _command_line(arguments, run=True)


def parse(arguments: list[str]) -> Any:
    """Return the configuration that ``main`` would run, without making anything of it. Raises as ``main``."""
    return _command_line(arguments, run=False).config


def _command_line(arguments: list[str], run: bool) -> Any:
    try:
        from jsonargparse import ArgumentError
    except ImportError as error:
        raise LircDepthError("`lircdepth train` needs the packages jsonargparse and typeshed-client") from error
    from lightning.pytorch.cli import LightningCLI

    class CommandLine(LightningCLI):
        def instantiate_classes(self):
            if run:
                super().instantiate_classes()

        def _run_subcommand(self, subcommand):
            if run:
                super()._run_subcommand(subcommand)

        def fit(self, model, ckpt_path=None, **options):
            if ckpt_path == "resume":
                path = resume_path(self.trainer)
                ckpt_path = path if path.is_file() else None
                print(f"resuming {path}" if ckpt_path else f"no {path}: starting", flush=True)
            fit(self.trainer, model, ckpt_path=ckpt_path, **options)
            unseen = self.trainer.global_step - model.last_validated
            if unseen and not self.trainer.should_stop and self.trainer.is_global_zero:  # not where a window ended
                print(f"the last {unseen} steps were not validated: best.ckpt may be worse than last.ckpt")

    warnings.filterwarnings("ignore", "LightningCLI's args parameter")  # our own command line calls it
    try:
        return CommandLine(
            DepthModule,
            DepthData,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_kwargs={"overwrite": True},  # a resumed run writes again what it resumes
            seed_everything_default=0,
            trainer_defaults=trainer_defaults(),
            auto_configure_optimizers=False,
            parser_kwargs={"exit_on_error": False},
            args=arguments,
        )
    except ArgumentError as error:
        raise LircDepthError(" ".join(str(error).split())) from error
    except ValueError as error:  # the parser wraps what a class raises when it is made
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, LircDepthError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from error


def fit(
    trainer: lightning.Trainer,
    module: DepthModule,
    datamodule: DepthData,
    ckpt_path: Path | None = None,
    **options: Any,
) -> None:
    """Trainer.fit, with exhausted memory explained (LircDepthError)."""
    options["weights_only"] = True  # a checkpoint to resume is a pickle too: none may run code
    with explained_out_of_memory(datamodule.batch_size):
        trainer.fit(module, datamodule=datamodule, ckpt_path=ckpt_path, **options)


@contextlib.contextmanager
def explained_out_of_memory(batch_size: int) -> Iterator[None]:
    """Turn exhausted memory, of a GPU or of the machine, into a LircDepthError that says which batch size to try."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not is_out_of_memory(error):
            raise
        advice = "try a smaller crop (--data.crop)"
        if batch_size > 1:
            advice = f"try --data.batch_size {batch_size // 2} and --trainer.accumulate_grad_batches 2"
        raise LircDepthError(f"out of memory at batch size {batch_size}: {advice}") from error
