# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lightning modules: the teacher, and the student with or without one.

They share optimiser, schedule, validation and what happens when a loss is not finite.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, distributed, nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.metrics import depth_errors
from lircdepth_core.files import file_sha256, written_whole
from lircdepth_core.inference.device import keep_freed_memory
from lircdepth_core.inference.input_plan import require_same_focal_length, same_focal_length
from lircdepth_core.losses import DepthTruth, OwnTerms, StudentLoss, TeacherLoss, confidence_label
from lircdepth_core.models import checkpoints
from lircdepth_core.training import initialisation
from lircdepth_core.training.header import weights_header
from lircdepth_core.training.lightning_loader import lightning, torchmetrics
from lircdepth_core.training.seed import seed_or_global
from lircdepth_core.training.teacher_cache import TeacherCache

if TYPE_CHECKING:
    from lircdepth_core.training.data_modules import DepthData

LossOption: TypeAlias = bool | int | float | str | None
# Keyword arguments of StudentLoss or TeacherLoss, and terms of one's own, see OwnTerms.
LossOptions = dict[str, LossOption | dict[str, Any]]
CAP = 80.0  # metres: the largest true depth that validation counts
VALIDATED = ("mae", "rmse", "abs_rel", "delta1")
_FULL_WIDTH = 1600  # pixels of nuScenes' images, for which the size of a confidence patch is published

Batch = dict[str, Tensor]
LossT = TypeVar("LossT", bound=nn.Module)


def keep_depth_in_float32(network: nn.Module) -> nn.Module:
    """Let the layers that end in a depth compute or return float32 under autocast.

    bfloat16 has 8 bits of mantissa: at 80 m its step is 0.5 m.
    """

    def recompute(layer: Any, inputs: tuple[Tensor, ...], _: Any) -> Any:
        if torch.is_autocast_enabled(inputs[0].device.type):
            with torch.autocast(inputs[0].device.type, enabled=False):
                return layer.forward(inputs[0].float())  # one small convolution, twice
        return None

    for name, layer in network.named_modules():
        if name.rpartition(".")[2] in ("get_depth", "scale8", "scale4", "scale2", "reduc8x8", "reduc4x4", "reduc2x2"):
            layer.register_forward_hook(recompute)
    return network


def run_network(network: nn.Module, batch: Batch) -> Any:
    """Return a network's output on a batch, channels last, which is what convolutions are fastest in."""
    return network(*(batch[name].contiguous(memory_format=torch.channels_last) for name in ("image", "radar")))


class ValidationErrors(nn.Module):
    """Means of errors over a validation set, in float64 and over all processes; they are no part of checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self._means = nn.ModuleDict({name: torchmetrics.MeanMetric().set_dtype(torch.float64) for name in VALIDATED})
        self._frames = torchmetrics.SumMetric()

    def update(self, errors: dict[str, float]) -> None:
        """Take the errors of a frame."""
        self._frames.update(1)
        for name in VALIDATED:
            cast(torchmetrics.MeanMetric, self._means[name]).update(errors[name])

    def taken(self) -> dict[str, float]:
        """Return the means, {} where there is no frame, and start anew."""
        metrics = {name: cast(torchmetrics.MeanMetric, metric) for name, metric in self._means.items()}
        means = {name: float(metric.compute()) for name, metric in metrics.items()} if self._frames.compute() else {}
        for metric in (self._frames, *metrics.values()):
            metric.reset()
        return means


class DepthModule(lightning.LightningModule):
    """Trains ``self.network`` with AdamW and polynomial decay; subclasses compute the loss.

    lr: learning rate. weight_decay: of the encoders; the decoders have none. eps: AdamW's. power, final_lr: the rate
    falls as (1 - progress)^power to final_lr times its start. warmup: over so many steps it first rises from 0. These
    defaults are the published student's.
    """

    def __init__(
        self,
        network: nn.Module,
        lr: float,
        weight_decay: float,
        eps: float,
        power: float,
        final_lr: float,
        warmup: int = 0,
    ) -> None:
        super().__init__()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.network = keep_depth_in_float32(network)
        self._optimiser: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay, "eps": eps}
        self.recipe: dict[str, Any] = self._optimiser | {"power": power, "final_lr": final_lr, "warmup": warmup}
        self._power, self._final_lr, self._warmup = power, final_lr, warmup
        self._validated = nn.ModuleList()  # of ValidationErrors, one for each set
        self._terms: set[str] = set()
        self.last_errors: dict[str, float] = {}
        self.last_validated = 0  # at which step
        self.model_config: dict[str, Any] = {}  # arguments of the network's constructor
        self.settings: dict[str, Any] = {}  # of the command line, which go into checkpoints

    @property
    def lr(self) -> float:
        """Learning rate; Lightning's LearningRateFinder sets it."""
        return float(self._optimiser["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        self._optimiser["lr"] = value
        if self._trainer is None:
            return
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = value
        for config in self.trainer.lr_scheduler_configs:  # or the schedule would go on from the old one
            config.scheduler.base_lrs = [value for _ in config.scheduler.base_lrs]

    @property
    def data(self) -> DepthData:
        """The data module that the trainer works with."""
        return cast("DepthData", self.trainer.datamodule)  # type: ignore[attr-defined]  # set by Trainer.fit

    @abstractmethod
    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return {"total", and each term before its weight} of a batch, scalars."""

    def configure_optimizers(self) -> Any:
        """Return AdamW, without weight decay on the decoders, and its schedule by step."""
        encoders: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                (encoders if name.startswith("encoder") else rest).append(parameter)
        groups: list[dict[str, Any]] = [{"params": encoders}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], **self._optimiser)
        total = self._total_steps()

        def factor(step: int) -> float:
            remaining = (1 - min(step / total, 1)) ** self._power
            risen = min(1.0, (step + 1) / (self._warmup + 1))
            return risen * (self._final_lr + (1 - self._final_lr) * remaining)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _total_steps(self) -> int:
        # Trainer.estimated_stepping_batches would build the loader before a resumed run knows where it resumes.
        trainer = self.trainer
        if trainer.max_steps > 0:
            return trainer.max_steps
        if trainer.max_epochs is None or trainer.max_epochs < 1:
            raise LircDepthError("the learning rate's decay needs an end: give the trainer max_epochs or max_steps")
        batches = self.data.batches_per_epoch()
        return trainer.max_epochs * -(-batches // trainer.accumulate_grad_batches)

    def on_fit_start(self) -> None:
        """Prepare the process, and look whether all frames are of one focal length.

        On a CPU a step spends more time on page faults than on arithmetic. Raises LircDepthError.
        """
        if self.trainer.precision in ("bf16-true", "16-true"):
            raise LircDepthError(
                f"precision {self.trainer.precision} would round depth, too (bfloat16 at 80 m to 0.5 m): use "
                f"{str(self.trainer.precision).replace('true', 'mixed')}"
            )
        train = self.data.train_frames
        for val in self.data.val_sets.values():
            require_same_focal_length("the training frames", train.focal_length, val.description, val.focal_length)
        before = self.recipe.get("before", {}).get("focal_length")
        if before and not same_focal_length(before, train.focal_length) and self.global_rank == 0:
            print(f"init_weights: trained for a focal length of {before:.1f} px, these frames have "
                  f"{train.focal_length:.1f} px: depth must be learnt anew to that scale", flush=True)  # fmt: skip
        if self.device.type == "cpu":
            keep_freed_memory()

    def forward(self, batch: Batch) -> Any:
        """Return the network's output on a batch."""
        return run_network(self.network, batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss, and log its terms. Raises LircDepthError when it is not finite."""
        terms = self.compute_loss(batch)
        finite = torch.isfinite(terms["total"].detach())
        if not finite:
            self._keep_bad_batch(batch, terms)
        self._stop_together(bool(finite), terms)
        values: dict[str, Any] = {f"train/{name}": value.detach() for name, value in terms.items()}
        # Lightning would go on logging the last value of a term that is no longer computed until the epoch ends.
        values |= {f"train/{name}": torch.nan for name in self._terms - terms.keys()}
        self._terms |= terms.keys()
        self.log_dict(values | {"train/skipped_frames": batch["skipped"].sum().float()})
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        return terms["total"]

    def _bad_batch_path(self) -> Path:
        return Path(self.trainer.default_root_dir, f"not-finite-step{self.global_step}-rank{self.global_rank}.pt")

    def _keep_bad_batch(self, batch: Batch, terms: dict[str, Tensor]) -> None:
        path = self._bad_batch_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            torch.save({"batch": batch, "terms": {name: value.detach() for name, value in terms.items()}}, partial)

    def _stop_together(self, finite: bool, terms: dict[str, Tensor]) -> None:
        """Raise LircDepthError on every rank when the loss of one is not finite: the others would wait for it."""
        ranks = int(not finite)
        if distributed.is_available() and distributed.is_initialized():
            count = torch.tensor(ranks, device=terms["total"].device)
            distributed.all_reduce(count)
            ranks = int(count)
        if not finite:
            bad = ", ".join(f"{name} {float(value.detach())}" for name, value in terms.items() if not value.isfinite())
            raise LircDepthError(
                f"loss is not finite at step {self.global_step} ({bad}); the batch is in {self._bad_batch_path()}"
            )
        if ranks:
            raise LircDepthError(f"loss is not finite at step {self.global_step} on {ranks} other ranks; they say more")

    def setup(self, stage: str | None = None) -> None:
        """Prepare the means of each validation set."""
        self._validated = nn.ModuleList(ValidationErrors() for _ in self.data.val_sets)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """Return the network's output, and take its errors into the means."""
        output = self(batch)
        # Never the accumulated map, with its errors.
        truth = next(batch[name] for name in ("rendered", "exact", "single") if name in batch)
        found = cast(ValidationErrors, self._validated[dataloader_idx])
        for prediction, depth in zip(output.depth.float().cpu(), truth.cpu(), strict=True):
            try:
                errors = depth_errors(prediction[0].numpy(), depth[0].numpy(), CAP)
            except LircDepthError:  # nothing is known about this frame
                continue
            found.update(errors)
        return output

    def on_validation_epoch_end(self) -> None:
        """Log the means over the frames of all processes. Raises LircDepthError when a set has no ground truth."""
        self.last_errors = {}
        for number, (name, errors) in enumerate(zip(self.data.val_sets, self._validated, strict=True)):
            means = cast(ValidationErrors, errors).taken()
            if not means:
                raise LircDepthError(
                    f"no validation frame has ground truth ({name}): there is nothing to select a checkpoint by"
                )
            self.last_errors |= {f"{name}/{key}" if number else key: value for key, value in means.items()}
        self.last_validated = self.trainer.global_step
        self.log_dict({f"val/{name}": value for name, value in self.last_errors.items()}, rank_zero_only=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the weights' header will say, so that a checkpoint is enough to export them, and the settings."""
        checkpoint["last_validated"] = self.last_validated
        checkpoint["settings"] = self.settings
        checkpoint["weights_header"] = weights_header(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over what the last validation found."""
        self.last_validated = checkpoint["last_validated"]
        metrics = checkpoint["weights_header"]["metrics"]
        self.last_errors = {name.removeprefix("val_"): value for name, value in metrics.items()}


class StudentModule(DepthModule):
    """LiRCDepth, with (teacher given) or without distillation.

    teacher: safetensors of a CaFNet; it runs in eval mode without gradients, and is no part of checkpoints. loss: what
    StudentLoss takes, such as {"structure": 0}, and terms of one's own, such as {"my_package.MyTerm": 0.5}, see
    OwnTerms; without a teacher the distillation terms are left out. encoder_weights:
    "imagenet" (download), a safetensors file of MobileNetV2's ``features``, or None. init_weights: a weights file to
    go on from (fine-tuning), in its place. model, model_args: "tiny" for smoke runs, or the path of a class of one's
    own and its arguments, see models.build. teacher_cache: folder to keep the teacher's output in; of use where the
    data's ``repeat`` is set. distil_until: share of the steps after which the student goes on without the teacher (Cho
    and Hariharan, "On the Efficacy of Knowledge Distillation", ICCV 2019). init_seed: of the random start; None: that
    of `seed_everything`.
    """

    def __init__(
        self,
        teacher: str | None = None,
        loss: LossOptions | None = None,
        encoder_weights: str | None = None,
        model: str = "lircdepth",
        lr: float = 5e-5,
        weight_decay: float = 1e-4,
        eps: float = 1e-2,
        power: float = 0.9,
        final_lr: float = 0.1,
        init_seed: int | None = None,
        teacher_cache: str | None = None,
        init_weights: str | None = None,
        distil_until: float = 1.0,
        warmup: int = 0,
        model_args: dict[str, Any] | None = None,
    ):
        self.model_name = model
        network, start = initialisation.started(
            model, encoder_weights, init_weights, seed_or_global(init_seed), model_args
        )
        super().__init__(network.train(), lr, weight_decay, eps, power, final_lr, warmup)
        self.model_config = model_args or {}
        self.recipe |= {"loss": loss or {}, "teacher": teacher and Path(teacher).name} | start
        self.recipe["distil_until"] = self._distil_until = distil_until
        self._distil_steps = math.inf
        self.loss, self.own_terms = _made(StudentLoss, loss)
        if teacher is not None and not self.loss.distils and not self.own_terms.weights:
            raise LircDepthError(f"teacher {teacher} is given, but every distillation term weighs 0")
        self._teacher: list[nn.Module] | None = None
        self._cache: TeacherCache | None = None
        if teacher is not None:
            teacher_network, header = checkpoints.load(teacher)
            if header.model != "cafnet":
                raise LircDepthError(f"{teacher}: holds weights of '{header.model}', expected a teacher (cafnet)")
            self._teacher_file = teacher
            self.recipe["teacher_sha256"] = file_sha256(checkpoints.file_of(teacher))
            self._teacher_focal_length = None if header.random else header.focal_length
            # In a list, so that it is neither trained, nor saved, nor synchronised between processes.
            self._teacher = [keep_depth_in_float32(teacher_network.requires_grad_(False))]
            if teacher_cache is not None:
                self._cache = TeacherCache(teacher_cache, teacher_network)

    def on_fit_start(self) -> None:
        """Move the teacher to the device, and find the step at which it leaves."""
        super().on_fit_start()
        if self._teacher is not None:
            frames = self.data.train_frames
            if self._teacher_focal_length is not None:
                require_same_focal_length(
                    self._teacher_file, self._teacher_focal_length, frames.description, frames.focal_length
                )
            self._distil_steps = self._distil_until * self._total_steps()
            teacher = self._teacher[0].to(self.device)
            teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it

    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """See DepthModule; the teacher's terms are there while it teaches."""
        teacher = None
        if self._teacher is not None and self.global_step < self._distil_steps:
            teacher = self._teach(self._teacher[0], batch)
        output = self(batch)
        terms: dict[str, Tensor] = self.loss(output, teacher, batch["image"], _truth(batch))
        return self.own_terms.added(terms, output, teacher, batch)

    @torch.no_grad()
    def _teach(self, teacher: nn.Module, batch: Batch) -> Any:
        def run(batch: Batch) -> Any:
            return run_network(teacher, batch)

        return run(batch) if self._cache is None else self._cache(run, batch)


class TeacherModule(DepthModule):
    """CaFNet.

    loss: what TeacherLoss takes, and terms of one's own, see OwnTerms. encoder_weights: "imagenet" (download) or None.
    init_weights: a weights file to go on from, in its place. init_seed: see StudentModule.
    """

    def __init__(
        self,
        loss: LossOptions | None = None,
        encoder_weights: str | None = None,
        lr: float = 1e-4,
        weight_decay: float = 1e-4,
        eps: float = 1e-2,
        power: float = 0.9,
        final_lr: float = 0.1,
        init_seed: int | None = None,
        init_weights: str | None = None,
        warmup: int = 0,
    ):
        self.model_name = "cafnet"
        network, start = initialisation.started("cafnet", encoder_weights, init_weights, seed_or_global(init_seed))
        super().__init__(network.train(), lr, weight_decay, eps, power, final_lr, warmup)
        self.recipe |= {"loss": loss or {}} | start
        self.loss, self.own_terms = _made(TeacherLoss, loss)

    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """See DepthModule; confidence labels are made where the batch has none."""
        truth = _truth(batch)
        label = batch.get("confidence_label")
        if label is None:  # without annotated boxes: a patch around each return
            pairs = zip(batch["radar"][:, 0], self.loss.dense(truth)[:, 0], strict=True)
            scale = self.data.train_frames.size[1] / _FULL_WIDTH
            label = torch.stack([confidence_label(radar, dense, scale=scale)[None] for radar, dense in pairs])
        output = self(batch)
        terms: dict[str, Tensor] = self.loss(output, batch["image"], truth, label)
        return self.own_terms.added(terms, output, None, batch)


def _truth(batch: Batch) -> DepthTruth:
    return DepthTruth(*(batch.get(name) for name in ("dense", "single", "rendered")))


def _made(loss: Callable[..., LossT], options: Mapping[str, Any] | None) -> tuple[LossT, OwnTerms]:
    """Return the loss, and the terms of one's own, whose names are paths of classes."""
    options = options or {}
    own = {name: value for name, value in options.items() if "." in name}
    try:
        return loss(**{name: value for name, value in options.items() if name not in own}), OwnTerms(own)
    except TypeError as error:
        raise LircDepthError(f"{getattr(loss, '__name__', loss)}: {str(error).rpartition('__init__() ')[2]}") from error
