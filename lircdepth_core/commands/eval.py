# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth eval`: errors of a network on a nuScenes split, or on packed frames."""

from __future__ import annotations

import argparse
import functools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lircdepth_core import options, work
from lircdepth_core.errors import LircDepthError
from lircdepth_core.progress import counted, progress

if TYPE_CHECKING:
    from lircdepth_core.data.frame import FrameSource
    from lircdepth_core.evaluation.report import Report
    from lircdepth_core.pipeline import DepthPipeline

_OPTIONS_OF_DATAROOT: dict[str, Any] = {  # and their defaults: packed frames leave no choice of them
    "version": "v1.0-trainval", "split": "val", "truth": "lidar", "published_offset": False,
    "accumulate_sweeps": 0, "velocity_compensation": False,
}  # fmt: skip
_NOT_OF_PIPELINE = ("weights", "device")  # pipeline options that packed frames have, too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--dataroot", type=Path, help="nuScenes data root, or one of `lircdepth synth`")
    data.add_argument(
        "--packed",
        type=Path,
        metavar="FILE",
        help="frames of `lircdepth pack` or `pack-street`, or a folder with files of them, at their own size, in plain "
        "PyTorch; their rendered depth is the truth where they have it",
    )
    parser.add_argument("--version", help="name of the tables' folder (default: %(default)s)")
    parser.add_argument("--split", help="val, test, mini_val ..., or all (default: %(default)s)")
    parser.add_argument(
        "--truth",
        choices=("lidar", "exact"),
        help="the key frame's own scan, or the rendered depth of a synthetic data root",
    )
    parser.add_argument(
        "--published-offset", action="store_true", help="put the radar 4 rows too low, as the published figures do"
    )
    parser.add_argument("--limit", type=int, help="evaluate so many frames, spread over all")
    parser.add_argument("--accumulate-sweeps", type=int, metavar="N", help="as the node's (default: %(default)s)")
    parser.add_argument("--velocity-compensation", action="store_true", help="as the node's")
    options.add_arguments(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for results.json, images.jsonl, table.txt, eval.png and the worst images",
    )
    options.add_page_argument(parser)
    parser.add_argument("--json", action="store_true", help="print results.json's content instead of the table")
    work.add_arguments(parser)
    parser.set_defaults(**_OPTIONS_OF_DATAROOT)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, print the table, write the report. Raises LircDepthError."""
    from lircdepth_core.evaluation import page

    page.check_path(arguments.report)
    if arguments.limit is not None and arguments.limit < 1:
        raise LircDepthError(f"--limit {arguments.limit}: expected at least 1")
    workers = work.workers_of(arguments)
    if arguments.packed is None:
        _on_dataroot(arguments, workers)
    else:
        if workers != work.Workers():
            raise LircDepthError("--jobs, --cluster and --retries go with --dataroot, not with --packed")
        _on_packed(arguments)


def _on_packed(arguments: argparse.Namespace) -> None:
    from lircdepth_core.data.packed import open_packed
    from lircdepth_core.evaluation import of_packed
    from lircdepth_core.inference.device import choose_device
    from lircdepth_core.inference.input_plan import require_same_focal_length
    from lircdepth_core.models import checkpoints

    declared = {option.name: option.default for option in options.PIPELINE_OPTIONS}
    for name, default in (_OPTIONS_OF_DATAROOT | declared).items():
        if name not in _NOT_OF_PIPELINE and getattr(arguments, name) != default:
            raise LircDepthError(f"--{name.replace('_', '-')} goes with --dataroot, not with --packed")
    device = choose_device(arguments.device)
    network, header = checkpoints.load(arguments.weights)
    frames = open_packed(arguments.packed)
    if not header.random:
        require_same_focal_length(arguments.weights, header.focal_length, arguments.packed, frames.focal_length)
    about = {
        "weights": arguments.weights, "model": header.model, "trained_on": header.trained_on,
        "data": frames.description, "truth": "rendered where packed", "caution": header.caution,
        "source": {"packed": str(arguments.packed)},
    }  # fmt: skip
    about |= _told(arguments, frames)
    report = of_packed.evaluate(
        network, frames, device, lambda indices: counted(indices, "frame"), about, arguments.limit
    )
    report.write(arguments.output, of_packed.panels({"depth": network.cpu()}, frames), frames.description)
    _page(arguments, report)
    _print(report, arguments.json)


def _on_dataroot(arguments: argparse.Namespace, workers: work.Workers) -> None:
    from lircdepth_core.data.nuscenes_frames import NuScenesFrames
    from lircdepth_core.data.sampling import spread
    from lircdepth_core.evaluation import of_split

    opened = functools.partial(_pipeline, options.from_arguments(arguments))
    pipeline = opened()
    frames = NuScenesFrames(
        arguments.dataroot,
        arguments.version,
        arguments.split,
        accumulate_sweeps=arguments.accumulate_sweeps,
        velocity_compensation=arguments.velocity_compensation,
    )
    about = {
        "weights": arguments.weights, "model": pipeline.header.model, "trained_on": pipeline.header.trained_on,
        "data": frames.description, "truth": arguments.truth, "published_offset": arguments.published_offset,
        "accumulate_sweeps": arguments.accumulate_sweeps, "velocity_compensation": arguments.velocity_compensation,
        "inference_scale": arguments.inference_scale, "backend": pipeline.backend.describe(),
        "caution": pipeline.header.caution,
        "source": {"dataroot": str(arguments.dataroot), "version": arguments.version, "split": arguments.split},
    }  # fmt: skip
    about |= _told(arguments, frames)
    count = len(spread(len(frames), arguments.limit))
    with progress(count, "frame") as advance:
        report = of_split.evaluate(
            opened, frames, arguments.truth, arguments.published_offset, arguments.limit, about,
            workers, advance,
        )  # fmt: skip
    report.write(arguments.output, of_split.panels(pipeline, frames, arguments.truth), frames.description)
    _page(arguments, report)
    _print(report, arguments.json)


@functools.lru_cache(maxsize=1)
def _pipeline(chosen: options.PipelineOptions) -> DepthPipeline:
    from lircdepth_core.pipeline import DepthPipeline

    return DepthPipeline.from_weights(**asdict(chosen))


def _told(arguments: argparse.Namespace, frames: FrameSource) -> dict[str, Any]:
    """Return what tells weights and data from others of their names, and the command."""
    from lircdepth_core.data.frame import sha256_of
    from lircdepth_core.files import file_sha256
    from lircdepth_core.models import checkpoints

    drawn = arguments.weights in checkpoints.UNTRAINED
    return {
        "weights_sha256": "" if drawn else file_sha256(checkpoints.file_of(arguments.weights)),
        "data_sha256": sha256_of(frames),
        "command": arguments.command_line,
    }


def _page(arguments: argparse.Namespace, report: Report) -> None:
    if arguments.report:
        from lircdepth_core.evaluation import page

        found = page.measured(report, str(arguments.output), pictures=page.pictures_of(arguments.output))
        page.write(arguments.report, [found], f"Depth errors: {report.about['data']}")


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_dict(), indent=1))
        return
    print("\n".join(report.lines()))
    if report.about["caution"]:
        print(report.about["caution"])
