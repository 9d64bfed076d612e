# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lightning modules: the teacher, and the student with or without one.

They share optimiser, schedule, validation and what happens when a loss is not finite.
"""

import math
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from lircdepth_core import models
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.metrics import depth_errors, mean_errors
from lircdepth_core.files import written_whole
from lircdepth_core.inference.device import keep_freed_memory
from lircdepth_core.losses import StudentLoss, TeacherLoss, confidence_label
from lircdepth_core.models import checkpoints
from lircdepth_core.training import initialisation
from lircdepth_core.training.lightning_loader import lightning
from lircdepth_core.training.teacher_cache import TeacherCache

LossOptions = dict[str, bool | int | float | str | None]  # keyword arguments of StudentLoss or TeacherLoss
CAP = 80.0  # metres: what validation counts


def keep_depth_in_float32(network):
    """Have the layers that end in a depth compute or return float32 under autocast: bfloat16 knows 80 m to 0.5 m."""

    def recompute(layer, inputs, _):
        if torch.is_autocast_enabled(inputs[0].device.type):
            with torch.autocast(inputs[0].device.type, enabled=False):
                return layer.forward(inputs[0].float())  # one small convolution, twice
        return None

    for name, layer in network.named_modules():
        if name.rpartition(".")[2] in ("get_depth", "scale8", "scale4", "scale2", "reduc8x8", "reduc4x4", "reduc2x2"):
            layer.register_forward_hook(recompute)
    return network


def run_network(network, batch):
    """Return a network's output on a batch, channels last, which is what convolutions are fastest in."""
    return network(*(batch[name].contiguous(memory_format=torch.channels_last) for name in ("image", "radar")))


class DepthModule(lightning.LightningModule):
    """Trains ``self.network`` with AdamW and polynomial decay; subclasses compute the loss.

    lr: learning rate. weight_decay: of the encoders; the decoders have none. eps: AdamW's. power, final_lr: the rate
    falls as (1 - progress)^power to final_lr times its start. These defaults are the published student's.
    """

    def __init__(self, network, lr, weight_decay, eps, power, final_lr):
        super().__init__()
        self.network = keep_depth_in_float32(network.to(memory_format=torch.channels_last))
        self._optimiser = {"lr": lr, "weight_decay": weight_decay, "eps": eps}
        self.recipe = self._optimiser | {"power": power, "final_lr": final_lr}
        self._power, self._final_lr = power, final_lr
        self._validated, self._terms = [], set()
        self.last_errors, self.last_validated = {}, 0  # at which step

    def configure_optimizers(self):
        encoders, rest = [], []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                (encoders if name.startswith("encoder") else rest).append(parameter)
        groups = [{"params": encoders}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], **self._optimiser)
        total = self._total_steps()

        def factor(step):
            remaining = (1 - min(step / total, 1)) ** self._power
            return self._final_lr + (1 - self._final_lr) * remaining

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _total_steps(self):
        # Trainer.estimated_stepping_batches would build the loader before a resumed run knows where it resumes.
        trainer = self.trainer
        if trainer.max_steps > 0:
            return trainer.max_steps
        if trainer.max_epochs is None or trainer.max_epochs < 1:
            raise LircDepthError("the learning rate's decay needs an end: give the trainer max_epochs or max_steps")
        batches = trainer.datamodule.batches_per_epoch()
        return trainer.max_epochs * -(-batches // trainer.accumulate_grad_batches)

    def on_fit_start(self):
        if self.device.type == "cpu":
            keep_freed_memory()  # a step there spends more time on page faults than on arithmetic

    def forward(self, batch):
        return run_network(self.network, batch)

    def training_step(self, batch, batch_index):
        terms = self.compute_loss(batch)
        if not torch.isfinite(terms["total"]):
            self._stop_at(batch, terms)
        values = {f"train/{name}": value.detach() for name, value in terms.items()}
        # Lightning would log the last value of what is computed no longer until the epoch ends.
        values |= {f"train/{name}": torch.nan for name in self._terms - terms.keys()}
        self._terms |= terms.keys()
        self.log_dict(values | {"train/skipped_frames": batch["skipped"].sum().float()})
        return terms["total"]

    def _stop_at(self, batch, terms):
        path = Path(self.trainer.default_root_dir, f"not-finite-step{self.global_step}-rank{self.global_rank}.pt")
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            torch.save({"batch": batch, "terms": {name: value.detach() for name, value in terms.items()}}, partial)
        bad = ", ".join(f"{name} {float(value.detach())}" for name, value in terms.items() if not value.isfinite())
        raise LircDepthError(f"loss is not finite at step {self.global_step} ({bad}); the batch is in {path}")

    def validation_step(self, batch, batch_index):
        output = self(batch)
        truth = batch["exact"] if "exact" in batch else batch["single"]  # never the accumulated map, with its errors
        for prediction, depth in zip(output.depth.float().cpu(), truth.cpu(), strict=True):
            try:
                self._validated.append(depth_errors(prediction[0].numpy(), depth[0].numpy(), CAP))
            except LircDepthError:  # nothing is known about this frame
                continue
        return output

    def on_validation_epoch_end(self):
        names = ("mae", "rmse", "abs_rel", "delta1")
        mean = mean_errors(self._validated) if self._validated else {}
        sums = torch.tensor([mean.get(name, 0.0) * len(self._validated) for name in names] + [len(self._validated)],
                            device=self.device)  # fmt: skip
        *totals, count = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        self._validated = []
        if not count:
            raise LircDepthError("no validation frame has ground truth: there is nothing to select a checkpoint by")
        self.last_validated = self.trainer.global_step
        self.last_errors = {name: total / count for name, total in zip(names, totals, strict=True)}
        self.log_dict({f"val/{name}": value for name, value in self.last_errors.items()}, rank_zero_only=True)

    def on_save_checkpoint(self, checkpoint):
        trainer, data = self.trainer, self.trainer.datamodule
        batch = data.batch_size * trainer.world_size * trainer.accumulate_grad_batches
        recipe = {"steps": trainer.global_step, "batch_size": batch, "precision": trainer.precision} | self.recipe
        checkpoint["last_validated"] = self.last_validated
        checkpoint["weights_header"] = data.weights_header() | {
            "model": self.model_name,
            "metrics": {f"val_{name}": value for name, value in self.last_errors.items()},
            "training": recipe | asdict(data.augmentation),
        }

    def on_load_checkpoint(self, checkpoint):
        self.last_validated = checkpoint["last_validated"]
        metrics = checkpoint["weights_header"]["metrics"]
        self.last_errors = {name.removeprefix("val_"): value for name, value in metrics.items()}


class StudentModule(DepthModule):
    """LiRCDepth, with (teacher given) or without distillation.

    teacher: safetensors of a CaFNet; it runs in eval mode without gradients, and is no part of checkpoints. loss: what
    StudentLoss takes, such as {"structure": 0}; without a teacher its distillation terms are left out. encoder_weights:
    "imagenet" (download), a safetensors file of MobileNetV2's ``features``, or None. init_weights: a weights file to
    go on from (fine-tuning), in its place. model: "tiny" for smoke runs. teacher_cache: folder to keep the teacher's
    output in; of use where the data's ``repeat`` is set. distil_until: share of the steps after which the student goes
    on without the teacher (Cho and Hariharan, "On the Efficacy of Knowledge Distillation", ICCV 2019).
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
        init_seed: int = 0,
        teacher_cache: str | None = None,
        init_weights: str | None = None,
        distil_until: float = 1.0,
    ):
        self.model_name = model
        network, start = initialisation.started(model, encoder_weights, init_weights, init_seed)
        super().__init__(network.train(), lr, weight_decay, eps, power, final_lr)
        self.recipe |= {"loss": loss or {}, "teacher": teacher and Path(teacher).name} | start
        self.recipe["distil_until"] = self._distil_until = distil_until
        self._distil_steps = math.inf
        self.loss = _made(StudentLoss, loss)
        if teacher is not None and not self.loss.distils:
            raise LircDepthError(f"teacher {teacher} is given, but every distillation term weighs 0")
        self._teacher, self._cache = None, None
        if teacher is not None:
            teacher_network, header = checkpoints.load(teacher)
            if header.model != "cafnet":
                raise LircDepthError(f"{teacher}: holds weights of '{header.model}', expected a teacher (cafnet)")
            # In a list, so that it is neither trained, nor saved, nor synchronised between processes.
            self._teacher = [keep_depth_in_float32(teacher_network.requires_grad_(False))]
            if teacher_cache is not None:
                self._cache = TeacherCache(teacher_cache, teacher_network)

    def on_fit_start(self):
        super().on_fit_start()
        if self._teacher is not None:
            self._distil_steps = self._distil_until * self._total_steps()
            self._teacher[0].to(self.device, memory_format=torch.channels_last)

    def compute_loss(self, batch):
        distils = self._teacher is not None and self.global_step < self._distil_steps
        teacher = self._teach(batch) if distils else None
        return self.loss(self(batch), teacher, batch["image"], batch["dense"], batch["single"])

    @torch.no_grad()
    def _teach(self, batch):
        def run(batch):
            return run_network(self._teacher[0], batch)

        return run(batch) if self._cache is None else self._cache(run, batch)


class TeacherModule(DepthModule):
    """CaFNet. loss: what TeacherLoss takes. encoder_weights: "imagenet" (download) or None. init_weights: a weights
    file to go on from, in its place.
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
        init_seed: int = 0,
        init_weights: str | None = None,
    ):
        self.model_name = "cafnet"
        network, start = initialisation.started("cafnet", encoder_weights, init_weights, init_seed)
        super().__init__(network.train(), lr, weight_decay, eps, power, final_lr)
        self.recipe |= {"loss": loss or {}} | start
        self.loss = _made(TeacherLoss, loss)

    def compute_loss(self, batch):
        label = batch.get("confidence_label")
        if label is None:  # without annotated boxes: a patch around each return
            pairs = zip(batch["radar"][:, 0], batch["dense"][:, 0], strict=True)
            scale = self.trainer.datamodule.train_frames.size[1] / 1600
            label = torch.stack([confidence_label(radar, dense, scale=scale)[None] for radar, dense in pairs])
        return self.loss(self(batch), batch["image"], batch["dense"], batch["single"], label)


def _made(loss, options):
    try:
        return loss(**(options or {}))
    except TypeError as error:
        raise LircDepthError(f"{loss.__name__}: {str(error).rpartition('__init__() ')[2]}") from error


def export(checkpoint, output, half=True):
    """Write a Lightning checkpoint's network (its average where there is one) as a weights file; return the Header.

    half: matrices in float16, which halves the file and changes depth by less than 1e-3 of itself. Raises
    LircDepthError when it is no checkpoint of these modules.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        values, state = content["weights_header"], content["state_dict"]
    except FileNotFoundError as error:
        raise LircDepthError(f"{checkpoint}: no such checkpoint") from error
    except Exception as error:  # whatever a damaged pickle raises
        raise LircDepthError(f"{checkpoint}: not a checkpoint of `lircdepth train`: {error!r}") from error
    network = models.build(values["model"])
    state = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    checkpoints.load_state(network, state, checkpoint)
    header = checkpoints.Header(**(values | {"input_size": tuple(values["input_size"])}))
    checkpoints.save(output, _halved(network) if half else network, header)
    return header


def _halved(network: nn.Module):
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.half()
    return network
