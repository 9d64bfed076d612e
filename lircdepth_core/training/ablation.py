# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The paper's Tables II and III: a sweep of recipes through `lircdepth train fit`, in windows of any length.

A row is what differs between two recipes: the weights of the distillation terms. Each row and seed has a folder with
its recipe.yaml, checkpoints, weights.safetensors and result.json.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from lircdepth_core.data.packed import PackedFrames, frames_in
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import of_packed, trivial
from lircdepth_core.files import file_sha256, written_whole
from lircdepth_core.inference.input_plan import require_same_focal_length
from lircdepth_core.models import checkpoints
from lircdepth_core.training import command_line
from lircdepth_core.training.export import export

TERMS = ("structure", "inter_depth", "image", "radar")
TEACHER_ROW = "teacher"
VALIDATION_FRAMES = 64
_FROM_TEACHER = (*TERMS, "teacher_depth")  # the last one is not the paper's
_SETTING = "setting.json"  # in the folder of an ablation
_STEPS_BETWEEN_VALIDATIONS = 500  # about: whole epochs

LossOptions = dict[str, float | bool | str]


def _rows() -> dict[str, LossOptions]:
    """Return {row: options of StudentLoss}.

    They are none, each term, pairs, triples, all; then Table III's alternatives, and remedies that the paper does not
    have, see StudentLoss.
    """
    chosen: dict[str, tuple[str, ...]] = {"none": ()}
    chosen |= {"+".join(terms): terms for number in (1, 2, 3) for terms in combinations(TERMS, number)}
    chosen["all"] = TERMS
    rows: dict[str, LossOptions] = {
        name: {term: 1.0 if term in terms else 0.0 for term in TERMS} for name, terms in chosen.items()
    }
    rows["inter_depth without U"] = rows["inter_depth"] | {"inter_depth_uncertainty": False}
    rows["none, L1"] = rows["none"] | {"depth_loss": "l1"}
    rows["teacher_depth"] = rows["none"] | {"teacher_depth": 1.0}
    rows["all, teacher_depth"] = rows["all"] | {"teacher_depth": 1.0}
    rows["all, by teacher error"] = rows["all"] | {"teacher_error_scale": 0.1}
    rows["all, falling back"] = rows["all"] | {"fall_back": True}
    return rows


ROWS = _rows()
DEFAULT_ROWS = ("none", *TERMS, "all", "inter_depth without U", "none, L1")


@dataclass(frozen=True)
class Setting:
    """What all runs of an ablation share.

    train, val, test: packed frames. teacher: weights file, made by a "teacher" row when it is not there. steps,
    teacher_steps: optimiser steps of a student and of the teacher. distillation: what the weight of each distillation
    term is multiplied with. distil_until: see StudentModule.
    """

    train: str
    val: str
    test: str
    teacher: str
    output: str
    steps: int = 6000
    teacher_steps: int = 12000
    batch_size: int = 8
    crop: tuple[int, int] = (352, 704)
    lr: float = 2e-4
    eps: float = 1e-2
    precision: str = "bf16-mixed"
    drop_scan: float = 0.0
    drop_points: float = 0.0
    encoder_weights: str | None = None
    distillation: float = 1.0
    distil_until: float = 1.0


def folder(setting: Setting, row: str, seed: int) -> Path:
    """Return the folder of one run."""
    return Path(setting.output, row.replace(" ", "_").replace(",", ""), f"seed{seed}")


def recipe(setting: Setting, row: str, seed: int, minutes: float = float("inf")) -> dict[str, Any]:
    """Return the configuration of `lircdepth train fit` for one run, which stops after ``minutes``."""
    root = str(folder(setting, row, seed))
    model: dict[str, Any] = {"lr": setting.lr, "eps": setting.eps}
    if row == TEACHER_ROW:
        steps, class_path = setting.teacher_steps, "TeacherModule"
    else:
        steps, class_path = setting.steps, "StudentModule"
        model |= {
            "teacher": setting.teacher if any(ROWS[row].get(term) for term in _FROM_TEACHER) else None,
            "loss": ROWS[row]
            | {term: setting.distillation * float(ROWS[row][term]) for term in _FROM_TEACHER if term in ROWS[row]},
            "encoder_weights": setting.encoder_weights,
            "distil_until": setting.distil_until,
        }
    data = {
        "train": setting.train,
        "val": setting.val,
        "batch_size": setting.batch_size,
        "crop": list(setting.crop),
        "val_limit": VALIDATION_FRAMES,
        "drop_scan": setting.drop_scan,
        "drop_points": setting.drop_points,
    }
    epochs = max(1, round(_STEPS_BETWEEN_VALIDATIONS * setting.batch_size / frames_in(setting.train)))
    trainer = {
        "max_steps": steps,
        "precision": setting.precision,
        "gradient_clip_val": 10.0,
        "default_root_dir": root,
        "devices": 1,
        "callbacks": [{"class_path": "StopAfter", "init_args": {"minutes": minutes}}],
        "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": root}},
        "log_every_n_steps": 50,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "check_val_every_n_epoch": epochs,
    }
    return {
        "seed_everything": seed,
        "model": {"class_path": class_path, "init_args": model},
        "data": {"class_path": "PackedData", "init_args": data},
        "trainer": trainer,
    }


def train(setting: Setting, row: str, seed: int, minutes: float = float("inf")) -> bool:
    """Train one row (or "teacher") from where its last window stopped; return whether it is finished.

    Leaves weights.safetensors (best by validation) in its folder.
    """
    import yaml

    root = folder(setting, row, seed)
    if (root / "weights.safetensors").is_file():
        return True
    configuration = recipe(setting, row, seed, minutes)
    _write(root / "recipe.yaml", yaml.safe_dump(configuration, sort_keys=False).encode())
    run = command_line.main(["fit", "--config", str(root / "recipe.yaml"), "--ckpt_path", "resume"])
    steps = configuration["trainer"]["max_steps"]
    if run.trainer.global_step < steps:
        return False
    export(root / "checkpoints/best.ckpt", root / "weights.safetensors", half=False)
    return True


def sweep(
    setting: Setting,
    rows: list[str],
    seeds: list[int],
    minutes: float = float("inf"),
    device: torch.device | str = "cpu",
) -> bool:
    """Train and evaluate rows x seeds, teacher first where it is missing, until the window closes.

    Returns whether everything is finished. Each run leaves result.json in its folder; finished ones are not repeated.
    Raises LircDepthError for an unknown row, and where the folder holds runs of other settings or frames.
    """
    unknown = [row for row in rows if row != TEACHER_ROW and row not in ROWS]
    if unknown:
        raise LircDepthError(f"ablation row {unknown[0]!r}: expected {TEACHER_ROW}, {', '.join(ROWS)}")
    _require_same_setting(setting)
    started = time.monotonic()

    def left() -> float:
        return minutes - (time.monotonic() - started) / 60

    if not Path(setting.teacher).is_file():
        if not train(setting, TEACHER_ROW, 0, left()):
            return False
        made = folder(setting, TEACHER_ROW, 0) / "weights.safetensors"
        _write(Path(setting.teacher), made.read_bytes())
    guesses = Path(setting.output, "trivial.json")
    if not guesses.is_file():
        report = trivial.evaluate(PackedFrames(setting.train), PackedFrames(setting.test))
        _write(guesses, _json(report.as_dict()))
    runs = [(row, seed) for seed in seeds for row in rows]  # a seed of every row before the next seed
    if not (folder(setting, TEACHER_ROW, 0) / "result.json").is_file():
        runs.insert(0, (TEACHER_ROW, 0))
    for row, seed in runs:
        root = folder(setting, row, seed)
        if (root / "result.json").is_file():
            continue
        given = (row, seed) == (TEACHER_ROW, 0)  # trained or given, it is there by now
        if left() <= 0 or not (given or train(setting, row, seed, left())):
            return False
        weights = setting.teacher if given else root / "weights.safetensors"
        about = {"row": row, "seed": seed, "setting": _as_json(setting)}
        network, header = checkpoints.load(weights)
        frames = PackedFrames(setting.test)
        if not header.random:
            require_same_focal_length(weights, header.focal_length, setting.test, frames.focal_length)
        about |= {"weights_sha256": file_sha256(weights), "data_sha256": frames.sha256()}
        report = of_packed.evaluate(network, frames, device, about=about)
        _write(root / "result.json", _json(report.as_dict()))
        print(f"{row} seed {seed}: MAE {report.mean('mae'):.3f} m", flush=True)
    return True


def _as_json(setting: Setting) -> dict[str, Any]:
    return asdict(setting) | {"crop": list(setting.crop)}


def _require_same_setting(setting: Setting) -> None:
    """Raise LircDepthError where a folder holds runs of other settings, or of files that were other ones then.

    The first run of a folder keeps its settings there. Folders of before that have them in their results.
    """
    path = Path(setting.output, _SETTING)
    files = {name: file_sha256(getattr(setting, name)) for name in ("train", "val", "test")}
    now = {"setting": _as_json(setting), "sha256": files}
    if path.is_file():
        then = json.loads(path.read_text())
    else:
        results = (json.loads(result.read_text()) for result in Path(setting.output).glob("*/seed*/result.json"))
        then = next(({"setting": result["setting"], "sha256": files} for result in results), now)
    changed = [
        f"{name} {then[part][name]!r}, now {value!r}"
        for part, values in now.items()
        for name, value in values.items()
        if name != "output" and then[part].get(name, value) != value
    ]
    if changed:
        raise LircDepthError(
            f"{setting.output}: holds an ablation of other settings ({'; '.join(changed)}): choose another -o for these"
        )
    _write(path, _json(then))


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_bytes(content)
