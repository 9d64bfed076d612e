# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth infer-bag`: depth for every image of a bag, into a new bag."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lircdepth_core import options
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import add_scale_arguments, scale_of
from lircdepth_ros.bags.depth_job import DepthJob, DepthJobOptions
from lircdepth_ros.bags.reading import open_bag
from lircdepth_ros.bags.video import video
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.commands.bag_inputs import add_input_arguments, job_options

if TYPE_CHECKING:
    from lircdepth_core.evaluation.report import Report

_REASONS_PRINTED, _REASONS_KEPT = 5, 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bag", metavar="IN", help="bag with a camera and radars")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="bag to create")
    default = DepthJobOptions()
    add_input_arguments(parser)
    parser.add_argument("--depth-topic", default=default.depth_topic, help="default: %(default)s")
    options.add_arguments(parser)
    parser.add_argument(
        "--encoding",
        choices=("32FC1", "16UC1"),
        default=default.encoding,
        help="32FC1: metres, Image. 16UC1: millimetres, PNG in a CompressedImage (default: %(default)s)",
    )
    parser.add_argument("--with-inputs", action="store_true", help="copy the input's messages too")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    parser.add_argument("--compression", choices=("none", "zstd"), default="none", help="default: %(default)s")
    parser.add_argument("--mp4", metavar="FILE", help="also a video: camera, radar, depth and a view from above")
    add_scale_arguments(parser)
    parser.add_argument(
        "--lidar-topic", default="/LIDAR_TOP/points", help="for metrics, if there (default: %(default)s)"
    )
    options.add_page_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Process a bag and print a summary. Raises LircDepthError."""
    for path in (arguments.output, arguments.mp4):
        if path and Path(path).exists():
            raise LircDepthError(f"{path} exists already and is not overwritten")
    from lircdepth_core.evaluation import page

    page.check_path(arguments.report)
    chosen, scale = options.from_arguments(arguments), scale_of(arguments)
    with closing(open_bag(arguments.bag)) as reader:
        job = DepthJob(reader, arguments.bag, job_options(arguments))
        from lircdepth_core.pipeline import DepthPipeline  # late: importing PyTorch takes seconds

        pipeline = DepthPipeline.from_weights(**asdict(chosen))
        started = time.perf_counter()
        with (
            new_bag(arguments.output, arguments.storage, arguments.compression) as writer,
            video(arguments.mp4, job.image_rate, scale) as add_video_frame,
        ):
            job.process(pipeline, writer, add_video_frame)
        seconds = time.perf_counter() - started
    summary = {
        "bag": arguments.output,
        "images": job.account.received,
        "frames": job.account.done,
        **{name: job.counts[name] for name in ("fused", "camera_only", "without_ego_motion")},
        "dropped": sum(job.account.dropped.values()),
        "dropped_by_cause": dict(job.account.dropped),
        "damaged": dict(job.bag_account.damaged),
        "missing": job.bag_account.missing(),
        "seconds": round(seconds, 3),
        "remarks": job.remarks,
        "reasons": job.reasons[:_REASONS_KEPT],
        "caution": pipeline.header.caution,
    }
    settings = {**asdict(chosen), "backend": pipeline.backend.describe(), "command": arguments.command_line}
    _report(summary, arguments, settings, job.latencies_ms, evaluates=arguments.lidar_topic in job.types)


def _report(
    summary: dict[str, Any],
    arguments: argparse.Namespace,
    settings: dict[str, Any],
    latencies_ms: list[float],
    evaluates: bool,
) -> None:
    table: list[str] = []
    report = None
    if evaluates:
        from lircdepth_ros.bags import evaluation

        report = evaluation.evaluate(
            arguments.output,
            arguments.bag,
            f"{arguments.depth_topic}/image",
            arguments.lidar_topic,
            arguments.calibration,
            fixed_frame=arguments.fixed_frame,
            base_frame=arguments.base_frame,
            odometry_topic=arguments.odometry_topic,
            draw_worst=bool(arguments.report),
        ).report
        summary["metrics"] = report.as_dict()
        table = [f"{report.frames} depth images against {report.about['truth']}", *report.lines()]
    if arguments.report:
        _write_page(summary, arguments, settings, latencies_ms, report)
    for remark in summary["remarks"]:
        print(f"note: {remark}", file=sys.stderr)
    for reason in summary["reasons"][:_REASONS_PRINTED]:
        print(f"left out: {reason}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(summary, indent=2))
        return
    causes = ", ".join(f"{number} {cause}" for cause, number in summary["dropped_by_cause"].items())
    print(
        "{bag}: {frames} depth images of {images} images ({fused} fused, {camera_only} camera only, "
        "{without_ego_motion} without ego motion, {dropped} left out{causes}) in {seconds} s".format(
            **summary, causes=f": {causes}" if causes else ""
        )
    )
    print("\n".join([line for line in (summary["caution"],) if line] + table))


def _write_page(
    summary: dict[str, Any],
    arguments: argparse.Namespace,
    settings: dict[str, Any],
    latencies_ms: list[float],
    report: Report | None,
) -> None:
    from lircdepth_core.evaluation import page

    names = ("images", "frames", "fused", "camera_only", "without_ego_motion", "dropped", "seconds")
    facts = {name.replace("_", " "): summary[name] for name in names}
    told = settings | {"caution": summary["caution"], "dropped_by_cause": summary["dropped_by_cause"]}
    about = (
        (report.as_dict() if report else {})
        | told
        | {"notes": [*(report.notes if report else ()), *summary["remarks"]]}
    )
    found = page.Measured(
        arguments.output,
        about,
        report.images if report else (),
        report.worst if report else (),
        latencies_ms,
        facts=facts,
    )
    page.write(arguments.report, [found], f"Depth of {arguments.bag}")
