# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The paper's Tables II and III on packed frames: rows, and runs that resume."""

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from lircdepth_core.data.packed import PackedFrames, frames_in
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.packed import evaluate, evaluate_trivial
from lircdepth_core.files import written_whole
from lircdepth_core.models import checkpoints
from lircdepth_core.training.callbacks import BestCheckpoint, StopAfter, resume_path
from lircdepth_core.training.command_line import fit
from lircdepth_core.training.data_modules import PackedData
from lircdepth_core.training.lightning_loader import lightning
from lircdepth_core.training.modules import StudentModule, TeacherModule, export

TERMS = ("structure", "inter_depth", "image", "radar")


def _rows():
    """{row: options of StudentLoss}: each term, pairs, triples and all of them; then Table III's alternatives."""
    rows = {"none": ()}
    rows |= {"+".join(chosen): chosen for n in (1, 2, 3) for chosen in combinations(TERMS, n)}
    rows["all"] = TERMS
    rows = {name: {term: 1.0 if term in chosen else 0.0 for term in TERMS} for name, chosen in rows.items()}
    rows["inter_depth without U"] = rows["inter_depth"] | {"inter_depth_uncertainty": False}
    rows["none, L1"] = rows["none"] | {"depth_loss": "l1"}
    return rows


ROWS = _rows()
DEFAULT_ROWS = ("none", *TERMS, "all", "inter_depth without U", "none, L1")


@dataclass(frozen=True)
class Setting:
    """What all runs of an ablation share. train, val, test: packed frames; teacher: weights file, made by a "teacher"
    row when it is not there; steps, teacher_steps: optimiser steps of a student and of the teacher; distillation: what
    the weight of each distillation term is multiplied with; distil_until: see StudentModule."""

    train: str
    val: str
    test: str
    teacher: str
    output: str
    steps: int = 6000
    teacher_steps: int = 12000
    batch_size: int = 8
    crop: tuple = (352, 704)
    lr: float = 2e-4
    eps: float = 1e-2
    precision: str = "bf16-mixed"
    drop_scan: float = 0.0
    drop_points: float = 0.0
    encoder_weights: str | None = None
    distillation: float = 1.0
    distil_until: float = 1.0


def folder(setting, row, seed):
    return Path(setting.output, row.replace(" ", "_").replace(",", ""), f"seed{seed}")


def train(setting, row, seed, minutes=float("inf")):
    """Train one row (or "teacher") from where its last window stopped; return whether it is finished.

    Leaves weights.safetensors (best by validation) in its folder.
    """
    root = folder(setting, row, seed)
    if (root / "weights.safetensors").is_file():
        return True
    common = {"lr": setting.lr, "eps": setting.eps, "init_seed": seed}
    if row == "teacher":
        module, steps = TeacherModule(**common), setting.teacher_steps
    else:
        teacher = setting.teacher if any(ROWS[row][term] for term in TERMS) else None
        loss = ROWS[row] | {term: setting.distillation * ROWS[row][term] for term in TERMS}
        module = StudentModule(teacher, loss, setting.encoder_weights, distil_until=setting.distil_until, **common)
        steps = setting.steps
    data = PackedData(
        setting.train, setting.val, setting.batch_size, crop=setting.crop, seed=seed, val_limit=64,
        drop_scan=setting.drop_scan, drop_points=setting.drop_points,
    )  # fmt: skip
    window = StopAfter(minutes)
    trainer = lightning.Trainer(
        max_steps=steps, precision=setting.precision, gradient_clip_val=10.0, default_root_dir=root, devices=1,
        callbacks=[BestCheckpoint(), window], logger=lightning.pytorch.loggers.CSVLogger(root), log_every_n_steps=50,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1, use_distributed_sampler=False, check_val_every_n_epoch=_epochs(setting),
    )  # fmt: skip
    path = resume_path(trainer)
    fit(trainer, module, data, ckpt_path=path if path.is_file() else None)
    if trainer.global_step < steps:
        return False
    if module.last_validated < steps:  # the last ones were within an epoch
        best = trainer.checkpoint_callback.best_model_score
        trainer.validate(module, datamodule=data, verbose=False)
        if best is None or module.last_errors["mae"] < best:
            trainer.save_checkpoint(root / "checkpoints/best.ckpt")
    export(root / "checkpoints/best.ckpt", root / "weights.safetensors", half=False)
    return True


def _epochs(setting):
    """Validate about every 500 steps."""
    return max(1, round(500 * setting.batch_size / frames_in(setting.train)))


def run(setting, rows, seeds, minutes=float("inf"), device="cpu"):
    """Train and evaluate rows x seeds, teacher first where it is missing, until the window closes.

    Returns whether everything is finished. Each run leaves result.json in its folder; finished ones are not repeated.
    Raises LircDepthError for an unknown row.
    """
    import time

    unknown = [row for row in rows if row != "teacher" and row not in ROWS]
    if unknown:
        raise LircDepthError(f"ablation row {unknown[0]!r}: expected teacher, {', '.join(ROWS)}")
    started = time.monotonic()

    def left():
        return minutes - (time.monotonic() - started) / 60

    if not Path(setting.teacher).is_file():
        if not train(setting, "teacher", 0, left()):
            return False
        made = folder(setting, "teacher", 0) / "weights.safetensors"
        _write(Path(setting.teacher), made.read_bytes())
    trivial = Path(setting.output, "trivial.json")
    if not trivial.is_file():
        _write(trivial, _json(evaluate_trivial(setting.train, setting.test)))
    teacher_result = folder(setting, "teacher", 0) / "result.json"
    jobs = [("teacher", 0, Path(setting.teacher))] if not teacher_result.is_file() else []
    jobs += [(row, seed, None) for seed in seeds for row in rows]  # a seed of every row before the next seed
    for row, seed, weights in jobs:
        result = folder(setting, row, seed) / "result.json"
        if result.is_file():
            continue
        if left() <= 0 or (weights is None and not train(setting, row, seed, left())):
            return False
        weights = weights or result.with_name("weights.safetensors")
        errors = evaluate(checkpoints.load(weights)[0], PackedFrames(setting.test), device)
        about = {"row": row, "seed": seed, "setting": vars(setting) | {"crop": list(setting.crop)}}
        _write(result, _json(about | {"errors": errors}))
        print(f"{row} seed {seed}: MAE {errors['radar']['0-80 m']['mae']:.3f} m", flush=True)
    return True


def _json(content):
    return (json.dumps(content, indent=1) + "\n").encode()


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_bytes(content)
