# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an ablation's runs found: the table and the picture."""

import json
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch

from lircdepth_core.data.frame import prepare
from lircdepth_core.data.packed import PackedFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.packed import radar_returns, truth_of
from lircdepth_core.models import checkpoints
from lircdepth_core.training.ablation import ROWS, Setting


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
    from lircdepth_core.evaluation.pictures import montage

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
    truth = truth_of(sample)
    points = radar_returns(frame)
    panels = [
        ("image and radar", frame["image"].permute(1, 2, 0).numpy(), None, points),
        ("truth", None, np.where(truth > 0, truth, np.nan), None),
        ("without distillation", None, depths[0], None),
        ("with distillation", None, depths[1], None),
    ]
    montage(path, panels, frames.description)
