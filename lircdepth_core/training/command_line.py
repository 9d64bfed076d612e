# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What `lircdepth train` runs: Lightning's command line over the modules and data of this package."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import os
import re
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.device import is_out_of_memory
from lircdepth_core.training import recipes, run_folder
from lircdepth_core.training.callbacks import BestCheckpoint, DepthPictures, StopAfter, has_stopped
from lircdepth_core.training.data_modules import DepthData
from lircdepth_core.training.lightning_loader import lightning
from lircdepth_core.training.modules import DepthModule

from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException  # isort: skip - after lightning_loader

TO_BE_REQUEUED = (
    75  # exit status, EX_TEMPFAIL of sysexits.h: the run has saved its state and goes on with --ckpt_path resume
)
_STATUS_INTERRUPTED = 130  # of a shell, for what ^C has ended


def trainer_defaults() -> dict[str, Any]:
    """Return what a Trainer needs here: an order for each epoch, batches that know their rank, the best checkpoint."""
    callbacks = [BestCheckpoint(), DepthPictures(), StopAfter()]
    return {"use_distributed_sampler": False, "callbacks": callbacks}


def main(arguments: list[str]) -> Any:
    """Run `fit`, `validate` ... with Lightning's options (a list of words).

    Beside what Lightning knows, ``--ckpt_path resume`` goes on from the newest checkpoint of the run's folder, or
    starts. Returns the LightningCLI with its trainer, model and datamodule. Raises LircDepthError for a user's mistake,
    and SystemExit where a signal has ended the run: TO_BE_REQUEUED, or 130 after SIGINT.
    """
    return _command_line(arguments, run=True)


def parse(arguments: list[str]) -> Any:
    """Return the configuration that ``main`` would run, without making anything of it. Raises as ``main``."""
    return _command_line(arguments, run=False).config


def _command_line(arguments: list[str], run: bool) -> Any:
    import yaml
    from jsonargparse import ArgumentError
    from lightning.pytorch.cli import LightningCLI

    class CommandLine(LightningCLI):
        @staticmethod
        def subcommands():
            """Return what there is: `lircdepth eval` tests, and the pipeline predicts."""
            known = LightningCLI.subcommands()
            return {name: known[name] for name in ("fit", "validate")}

        def instantiate_classes(self):
            if run:
                super().instantiate_classes()

        def _run_subcommand(self, subcommand):
            if run:
                super()._run_subcommand(subcommand)

        def before_instantiate_classes(self):
            if run:
                self.settings = yaml.safe_load(self.parser.dump(self.config, skip_none=False))[self.subcommand]

        def instantiate_trainer(self, **options):
            trainer: Any = super().instantiate_trainer(**options)
            # One that is given comes before the default, and takes its place.
            _, *unneeded = (each for each in trainer.callbacks if isinstance(each, StopAfter))
            for callback in unneeded:
                trainer.callbacks.remove(callback)
            return trainer

        def fit(self, model, ckpt_path=None, **options):
            _require_own_store()
            model.settings = self.settings
            ckpt_path = _checked_start(self.trainer, self.settings, ckpt_path)
            for logger in self.trainer.loggers:
                logger.log_hyperparams(self.settings)
            fit(self.trainer, model, ckpt_path=ckpt_path, **options)
            leave_best(self.trainer, model, options["datamodule"])

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
            args=recipes.expanded(arguments),
        )
    except ArgumentError as error:
        raise LircDepthError(_explained(" ".join(str(error).split()))) from error
    except MisconfigurationException as error:  # options that Lightning refuses when it runs
        raise LircDepthError(" ".join(str(error).split())) from error
    except ValueError as error:
        raise _wrapped_error(error) from error
    except LircDepthError as error:  # of a loader's worker it comes as the text of a traceback, which ends with it
        raise LircDepthError(str(error).rpartition(f"{LircDepthError.__name__}: ")[2].strip()) from error


def _wrapped_error(error: ValueError) -> Exception:
    """Return what a class raised when it was made, which the parser wraps; another error as it is."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, LircDepthError | ModuleNotFoundError):
        cause = cause.__cause__
    if isinstance(cause, ModuleNotFoundError):  # a logger whose package is not there
        return LircDepthError(" ".join(str(cause).split()))
    return cause if isinstance(cause, LircDepthError) else error


def _explained(message: str) -> str:
    """Return what the parser says, or for an option that a class does not have one sentence with the nearest name."""
    found = re.search(r"class_path '([\w.]+)': Option '(\w+)' is not accepted", message)
    if found is None:
        return message
    module, _, name = found[1].rpartition(".")
    known = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    near = difflib.get_close_matches(found[2], known, 1)
    return f"{name} has no option '{found[2]}'" + (f": did you mean '{near[0]}'?" if near else f": {', '.join(known)}")


def _require_own_store() -> None:
    """Raise LircDepthError where torchrun may start ranks again that then look for the addresses of those that ended.

    torchrun keeps one store of addresses for the first ranks and for those that follow, unless it is told not to:
    https://github.com/pytorch/pytorch/issues/135712.
    """
    shared = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if shared and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
        raise LircDepthError(
            "torchrun with --max-restarts needs TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in its environment, and "
            "--standalone or --rdzv_backend c10d: else ranks that are started again do not find each other"
        )


def _checked_start(trainer: lightning.Trainer, settings: dict[str, Any], ckpt_path: str | None) -> Path | str | None:
    """Return the checkpoint to start from, and say which. Raises LircDepthError where the folder is of another run."""
    root = Path(trainer.default_root_dir)
    if ckpt_path not in ("resume", "last"):
        if ckpt_path is None or root.resolve() not in Path(ckpt_path).resolve().parents:
            run_folder.require_empty(root)
        return ckpt_path
    kept = run_folder.newest(root)
    lines = [f"no checkpoint in {root}: starting"]
    if kept is not None:
        changed = run_folder.require_same_run(kept, settings)
        lines = [f"resuming {kept.path} at step {kept.step}", *(f"a setting has changed: {line}" for line in changed)]
    if trainer.is_global_zero:
        print("\n".join(lines), flush=True)
    return None if kept is None else kept.path


def fit(
    trainer: lightning.Trainer,
    module: DepthModule,
    datamodule: DepthData,
    ckpt_path: Path | str | None = None,
    **options: Any,
) -> None:
    """Trainer.fit, with exhausted memory explained (LircDepthError), and SystemExit where a signal has ended it."""
    options["weights_only"] = True  # a checkpoint to resume is a pickle too: none may run code
    try:
        with explained_out_of_memory(datamodule.batch_size):
            trainer.fit(module, datamodule=datamodule, ckpt_path=ckpt_path, **options)
    except SIGTERMException:  # before the first step: nothing is lost
        raise SystemExit(TO_BE_REQUEUED) from None
    stopped = has_stopped(trainer)
    if stopped is not None and stopped.received is not None:
        raise SystemExit(_STATUS_INTERRUPTED if stopped.received == signal.SIGINT else TO_BE_REQUEUED)


def leave_best(trainer: lightning.Trainer, module: DepthModule, datamodule: DepthData) -> None:
    """See to it that a run that has ended leaves best.ckpt, or say that there is none and what to take in its place.

    Steps after the last validation are validated now, unless a window has ended the run.
    """
    if has_stopped(trainer) is not None:
        if not run_folder.best_path(trainer).is_file() and trainer.is_global_zero:
            print(f"there is no best.ckpt before the first validation; {run_folder.resume_path(trainer)} is the newest")
        return
    if trainer.limit_val_batches == 0:
        if trainer.is_global_zero:
            print(
                f"nothing was validated, so that there is no best.ckpt: {run_folder.resume_path(trainer)} is the last"
            )
        return
    if trainer.global_step == module.last_validated:
        return
    kept = next(each for each in trainer.checkpoint_callbacks if isinstance(each, BestCheckpoint))
    trainer.validate(module, datamodule=datamodule, verbose=False)
    if kept.best_model_score is None or module.last_errors["mae"] < kept.best_model_score:
        trainer.save_checkpoint(run_folder.best_path(trainer), weights_only=False)


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
