# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth ablation`: the paper's Tables II and III on packed frames, in windows of any length."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="one folder for each row and seed")
    parser.add_argument("--train", metavar="FILE", help="packed frames to train on")
    parser.add_argument("--val", metavar="FILE", help="packed frames to select checkpoints on")
    parser.add_argument("--test", metavar="FILE", help="packed frames to report on")
    parser.add_argument("--teacher", metavar="FILE", help="teacher's weights; trained first where they are missing")
    parser.add_argument("--rows", nargs="+", help="rows, or teacher; default: none, each term, all, and Table III's")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this; run again to go on")
    parser.add_argument("--steps", type=int, default=6000, help="of a student (default: %(default)s)")
    parser.add_argument("--teacher-steps", type=int, default=12000, help="of the teacher (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", nargs=2, type=int, default=(352, 704), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--eps", type=float, default=1e-2, help="AdamW's (default: as published)")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--drop-scan", type=float, default=0.0, help="probability of training without a radar scan")
    parser.add_argument("--drop-points", type=float, default=0.0, help="largest share of returns taken away")
    parser.add_argument("--encoder-weights", help="of the students: see StudentModule")
    parser.add_argument("--distillation", type=float, default=1.0, help="factor of the distillation terms' weights")
    parser.add_argument("--distil-until", type=float, default=1.0, help="share of the steps; then without the teacher")
    parser.add_argument("--device", default="auto", help="to evaluate on")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="only write the table of the results there are")
    parser.add_argument("--report", metavar="FILE.html", help="only write a page of the results there are")
    parser.add_argument("--picture", type=Path, metavar="FILE.png",
                        help="only draw a --test frame without and with distillation, and its truth")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    from lircdepth_core.inference.device import choose_device
    from lircdepth_core.training import ablation, ablation_report

    if arguments.table is not None:
        lines = ["# Results of the ablation", "", f"Written by `lircdepth ablation -o {arguments.output} --table`.", ""]
        with written_whole(arguments.table) as partial:
            partial.write_text("\n".join([*lines, *ablation_report.table(arguments.output)]) + "\n")
        print(f"wrote {arguments.table}")
        return
    if arguments.report is not None:
        from lircdepth_core.evaluation import page

        page.check_path(arguments.report)
        results = ablation_report.measured(arguments.output)
        page.write(arguments.report, results, f"Ablation under {arguments.output}")
        print(f"wrote {arguments.report}")
        return
    if arguments.picture is not None:
        if arguments.test is None:
            raise LircDepthError("--picture needs --test")
        ablation_report.picture(arguments.output, arguments.test, arguments.picture)
        print(f"wrote {arguments.picture}")
        return
    for name in ("train", "val", "test", "teacher"):
        if getattr(arguments, name) is None:
            raise LircDepthError(f"--{name} is missing")
    rows = arguments.rows or list(ablation.DEFAULT_ROWS)
    values = {field.name: getattr(arguments, field.name) for field in fields(ablation.Setting)}
    setting = ablation.Setting(**values | {"crop": tuple(arguments.crop)})
    device = choose_device(arguments.device)
    finished = ablation.sweep(setting, rows, arguments.seeds, arguments.minutes, device)
    print("finished" if finished else "the window has closed: run the same command again to go on")
