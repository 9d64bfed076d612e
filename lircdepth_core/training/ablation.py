"""The paper's Tables II and III on packed frames: rows, runs that resume, and the table of their results."""

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev

import torch

from lircdepth_core.data.augmentation import prepare
from lircdepth_core.data.packed import PackedFrames, frames_in
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import grouped
from lircdepth_core.files import written_whole
from lircdepth_core.metrics import mean_errors
from lircdepth_core.training.callbacks import BestCheckpoint, StopAfter, resume_path
from lircdepth_core.training.command_line import fit
from lircdepth_core.training.datamodule import PackedData
from lircdepth_core.training.lightning_loader import lightning
from lircdepth_core.training.module import CAP, StudentModule, TeacherModule, export

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


def evaluate_weights(weights, test, device="cpu"):
    """Return {"radar", "no radar": {group: mean errors}} of a weights file on packed frames with exact depth.

    The frames' own size, cropped to multiples of 32, is the network's input.
    """
    from lircdepth_core.models import checkpoints

    network = checkpoints.load(weights)[0].to(device, memory_format=torch.channels_last)
    frames = PackedFrames(test)
    return _errors(network, frames, device)


@torch.inference_mode()
def _errors(network, frames, device):
    errors = {"radar": {}, "no radar": {}}
    for index in range(len(frames)):
        sample = prepare(frames.frame(index))
        image, radar = (sample[name][None].to(device) for name in ("image", "radar"))
        truth = _truth(sample)
        for name, channels in (("radar", radar), ("no radar", torch.zeros_like(radar))):
            depth = network(image, channels).depth[0, 0].float().cpu().numpy()
            for group, found in grouped(depth, truth, ()):
                errors[name].setdefault(group, []).append(found)
    return _means(errors)


def evaluate_trivial(train, test):
    """Return {name: {group: mean errors}} of what guesses without a network reach on packed frames of ``test``.

    The camera is taken to stand on the street as the synthetic one does; the constant is the median lidar depth of
    ``train``. See synthetic.baselines.
    """
    from lircdepth_core.synthetic.baselines import BASELINES
    from lircdepth_core.synthetic.rig import CameraModel

    learnt, frames = PackedFrames(train), PackedFrames(test)
    depths = [learnt.frame(index)["single"] for index in range(0, len(learnt), max(1, len(learnt) // 64))]
    value = float(torch.cat([depth[(depth > 0) & (depth < CAP)] for depth in depths]).median())
    height, width = frames.size
    camera = CameraModel().resized(width, height)
    errors = {}
    for index in range(len(frames)):
        frame = frames.frame(index)
        returns = _returns(frame)
        guesses = {name: guess(camera, returns, value) for name, guess in BASELINES.items()}
        sample = prepare(frame | {name: torch.from_numpy(depth)[None].float() for name, depth in guesses.items()})
        for name in guesses:
            for group, found in grouped(sample[name][0].numpy(), _truth(sample), ()):
                errors.setdefault(name, {}).setdefault(group, []).append(found)
    return _means(errors)


def _returns(frame):
    """Pixels (column, row) [N, 2] and depth [N] of a frame's radar returns."""
    rows, columns = torch.nonzero(frame["radar"][0], as_tuple=True)
    return torch.stack([columns, rows], dim=1).numpy(), frame["radar"][0][rows, columns].numpy()


def _truth(sample):
    return sample.get("exact", sample["single"])[0].numpy()


def _means(errors):
    return {name: {group: mean_errors(found) for group, found in groups.items()} for name, groups in errors.items()}


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
        errors = evaluate_weights(weights, setting.test, device)
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


def table(output):
    """Return Markdown lines with every result under an ablation's folder; raises LircDepthError when there is none."""
    results = [json.loads(path.read_text()) for path in sorted(Path(output).glob("*/seed*/result.json"))]
    if not results:
        raise LircDepthError(f"{output}: no results of `lircdepth ablation`")
    command = _command(results)
    trivial = Path(output, "trivial.json")
    trivial = json.loads(trivial.read_text()) if trivial.is_file() else {}
    by_row = {}
    for result in results:
        by_row.setdefault(result["row"], []).append(result)
    base = _figures(by_row["none"], "mae", "radar") if "none" in by_row else None
    lines = [
        *("Each row is", "", f"    {command} \\", "        ROW", "", "with its own last column for ROW:", ""),
        "| row | seeds | MAE 80 m | spread | RMSE | AbsRel | delta1 | against none | MAE, radar zeroed | ROW |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, groups in trivial.items():
        mae, *others = (f"{groups['0-80 m'][key]:.3f}" for key in ("mae", "rmse", "abs_rel", "delta1"))
        lines.append(f"| {name} (no network) | - | {mae} | - | {' | '.join(others)} | - | - | any |")
    for row in ("teacher", *ROWS):
        if row not in by_row:
            continue
        found = by_row[row]
        mae = _figures(found, "mae", "radar")
        spread = f"{stdev(mae):.3f}" if len(mae) > 1 else "-"
        gain = f"{100 * (mean(mae) / mean(base) - 1):+.1f} %" if base else "-"
        others = " | ".join(f"{mean(_figures(found, name, 'radar')):.3f}" for name in ("rmse", "abs_rel", "delta1"))
        zeroed = mean(_figures(found, "mae", "no radar"))
        seeds = " ".join(str(result["seed"]) for result in found)
        words = f"`--rows '{row}' --seeds {seeds}`" if row != "teacher" else "any: it comes first"
        lines.append(f"| {row} | {seeds} | {mean(mae):.3f} | {spread} | {others} | {gain} | {zeroed:.3f} | {words} |")
    return lines


def _command(results):
    """The command that made results, but for rows and seeds. Raises LircDepthError where they are of several."""
    settings = [result["setting"] for result in results if result["row"] != "teacher"] or [results[0]["setting"]]
    if any(setting != settings[0] for setting in settings):
        raise LircDepthError("the results under this folder are of different settings: choose another -o for each")
    words = ["lircdepth ablation"]
    for name, value in settings[0].items():
        if value not in (None, Setting.__dataclass_fields__[name].default):
            value = " ".join(map(str, value)) if isinstance(value, list) else value
            words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join(words)


def _figures(results, name, radar):
    return [result["errors"][radar]["0-80 m"][name] for result in results]


@torch.inference_mode()
def picture(output, test, path, index=None):
    """Write the paper's Fig. 2 for one test frame: image, depth without and with distillation (seed of the first run),
    truth. Raises LircDepthError where one of the two rows has no finished run."""
    from lircdepth_core.models import checkpoints
    from lircdepth_core.visualization import montage

    frames = PackedFrames(test)
    frame = frames.frame(len(frames) // 2 if index is None else index)
    sample = prepare(frame)
    depths = []
    for row in ("none", "all"):
        runs = sorted(Path(output, row).glob("seed*/weights.safetensors"))
        if not runs:
            raise LircDepthError(f"{output}: row '{row}' has no finished run")
        network = checkpoints.load(runs[0])[0]
        depths.append(network(sample["image"][None], sample["radar"][None]).depth[0, 0].numpy())
    truth = _truth(sample)
    points = _returns(frame)
    truth = torch.where(torch.from_numpy(truth) > 0, torch.from_numpy(truth), torch.nan).numpy()
    panels = [
        ("image and radar", frame["image"].permute(1, 2, 0).numpy(), None, points),
        ("truth", None, truth, None),
        ("without distillation", None, depths[0], None),
        ("with distillation", None, depths[1], None),
    ]
    montage(path, panels, frames.description)
