# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an ablation's runs found: the table and the picture."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lircdepth_core.data.packed import PackedFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import of_packed
from lircdepth_core.evaluation.metrics import Errors
from lircdepth_core.evaluation.page import Measured
from lircdepth_core.evaluation.pictures import montage
from lircdepth_core.evaluation.report import WHOLE_RANGE
from lircdepth_core.models import checkpoints
from lircdepth_core.training.ablation import ROWS, TEACHER_ROW, Setting

Result = dict[str, Any]  # content of a run's result.json


def table(output: str | Path) -> list[str]:
    """Return Markdown lines with every result under an ablation's folder; raises LircDepthError when there is none."""
    results = list(_results(output).values())
    command = _command(results)
    path = Path(output, "trivial.json")
    guesses: dict[str, dict[str, Errors]] = json.loads(path.read_text())["errors"] if path.is_file() else {}
    by_row: dict[str, list[Result]] = {}
    for result in results:
        by_row.setdefault(result["row"], []).append(result)
    base = _figures(by_row["none"], "mae", "radar") if "none" in by_row else None
    lines = [
        *("Each row is", "", f"    {command} \\", "        ROW", "", "with its own last column for ROW:", ""),
        "| row | seeds | MAE 80 m | spread | RMSE | AbsRel | delta1 | against none | MAE, radar zeroed | ROW |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, groups in guesses.items():
        cells = [f"{groups[WHOLE_RANGE][key]:.3f}" for key in ("mae", "rmse", "abs_rel", "delta1")]
        lines.append(f"| {name} (no network) | - | {cells[0]} | - | {' | '.join(cells[1:])} | - | - | any |")
    for row in (TEACHER_ROW, *ROWS):
        if row not in by_row:
            continue
        found = by_row[row]
        mae = _figures(found, "mae", "radar")
        spread = f"{stdev(mae):.3f}" if len(mae) > 1 else "-"
        gain = f"{100 * (mean(mae) / mean(base) - 1):+.1f} %" if base else "-"
        others = " | ".join(f"{mean(_figures(found, name, 'radar')):.3f}" for name in ("rmse", "abs_rel", "delta1"))
        zeroed = mean(_figures(found, "mae", "no radar"))
        seeds = " ".join(str(result["seed"]) for result in found)
        words = f"`--rows '{row}' --seeds {seeds}`" if row != TEACHER_ROW else "any: it comes first"
        lines.append(f"| {row} | {seeds} | {mean(mae):.3f} | {spread} | {others} | {gain} | {zeroed:.3f} | {words} |")
    return lines


def measured(output: str | Path) -> list[Measured]:
    """Return every result under an ablation's folder for a page; raises LircDepthError when there is none."""
    found = []
    for path, result in _results(output).items():
        own = path.with_name("weights.safetensors")
        weights = own if own.is_file() else result["setting"]["teacher"]
        found.append(Measured(f"{result['row']}, seed {result['seed']}", result | {"weights": str(weights)}))
    return found


def _results(output: str | Path) -> dict[Path, Result]:
    results = {path: json.loads(path.read_text()) for path in sorted(Path(output).glob("*/seed*/result.json"))}
    if not results:
        raise LircDepthError(f"{output}: no results of `lircdepth ablation`")
    return results


def _command(results: list[Result]) -> str:
    """Return the command that made results, without rows and seeds.

    Raises LircDepthError where they are of several.
    """
    settings = [result["setting"] for result in results if result["row"] != TEACHER_ROW] or [results[0]["setting"]]
    if any(setting != settings[0] for setting in settings):
        raise LircDepthError("the results under this folder are of different settings: choose another -o for each")
    words = ["lircdepth ablation"]
    for name, value in settings[0].items():
        if value not in (None, Setting.__dataclass_fields__[name].default):
            value = " ".join(map(str, value)) if isinstance(value, list) else value
            words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join(words)


def _figures(results: list[Result], name: str, radar: str) -> list[float]:
    return [result["errors"][radar][WHOLE_RANGE][name] for result in results]


def picture(output: str | Path, test: str | Path, path: str | Path, index: int | None = None) -> None:
    """Write the paper's Fig. 2 for one test frame: image, truth, depth without and with distillation (first seed).

    index: of the frame; by default the middle one. Raises LircDepthError where one of the two rows has no finished run.
    """
    networks = {}
    for row, caption in (("none", "without distillation"), ("all", "with distillation")):
        runs = sorted(Path(output, row).glob("seed*/weights.safetensors"))
        if not runs:
            raise LircDepthError(f"{output}: row '{row}' has no finished run")
        networks[caption] = checkpoints.load(runs[0])[0]
    frames = PackedFrames(test)
    montage(path, of_packed.panels(networks, frames, index), frames.description)
