# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth infer-bag`: depth for every image of a bag, or of several, into new bags."""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lircdepth_core import manifest, options, work
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import add_scale_arguments, scale_of
from lircdepth_core.files import item_lock
from lircdepth_ros.bags.camera_depth import CameraDepth
from lircdepth_ros.bags.depth_job import DepthJob
from lircdepth_ros.bags.depth_options import DepthJobOptions
from lircdepth_ros.bags.reading import open_bag
from lircdepth_ros.bags.video import video
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.commands.bag_inputs import add_input_arguments, job_options

if TYPE_CHECKING:
    from lircdepth_core.evaluation.colours import DepthScale
    from lircdepth_core.evaluation.report import Report
    from lircdepth_core.pipeline import DepthPipeline

_REASONS_PRINTED, _REASONS_KEPT = 5, 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bags", nargs="+", metavar="IN", help="bag with a camera and radars, or several")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="bag to create, or of several the folder of OUT/NAME"
    )
    default = DepthJobOptions()
    parser.add_argument(
        "--cameras",
        nargs="+",
        default=default.cameras,
        metavar="NAME",
        help="several cameras, or 'all' of the bag: NAME/image_rect and NAME/camera_info become NAME/depth; instead of "
        "--image-topic, --camera-info-topic and --depth-topic",
    )
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
    work.add_arguments(parser)
    manifest.add_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Process bags and print a summary of each. Raises LircDepthError."""
    workers, several = work.workers_of(arguments), len(arguments.bags) > 1 or arguments.verify
    if several and (arguments.mp4 or arguments.report):
        raise LircDepthError("--mp4 and --report go with one bag")
    for path in () if several else (arguments.output, arguments.mp4):
        if path and Path(path).exists():
            raise LircDepthError(f"{path} exists already and is not overwritten")
    from lircdepth_core.evaluation import page

    page.check_path(arguments.report)
    inference = _Inference(
        options.from_arguments(arguments), job_options(arguments), arguments.storage, arguments.compression,
        arguments.lidar_topic, arguments.mp4, scale_of(arguments),
        bool(arguments.report),
    )  # fmt: skip
    if not several:
        tasks = [_Task(arguments.bags[0], arguments.output)]
    else:
        tasks = _tasks_of(arguments.bags, Path(arguments.output))
        if arguments.verify:
            return manifest.check(arguments.output, [task.name for task in tasks])
        recorded = manifest.Manifest(arguments.output)
        tasks = [task for task in tasks if not recorded.is_done(task.name)]
        Path(arguments.output).mkdir(parents=True, exist_ok=True)
        print(f"{len(arguments.bags)} bags, {len(arguments.bags) - len(tasks)} of them done before", file=sys.stderr)

    def finished(_: _Task, summary: dict[str, Any]) -> None:
        if entry := summary.pop("entry"):
            recorded.record(entry)
        if made := summary.pop("page", None):
            _write_page(summary, arguments, *made)
        _report(summary, arguments.json)

    summaries = work.run(
        inference, tasks, workers, name=lambda task: task.bag, finished=finished, start=_one_thread, method="spawn",
        output=Path(arguments.output),
    )  # fmt: skip
    if arguments.json:
        print(json.dumps({"bags": summaries} if several else summaries[0], indent=2))
    return 0


class _Task(NamedTuple):
    """A bag, and the bag of its depth; folder: of several such, which has a manifest."""

    bag: str
    output: str
    folder: str | None = None

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        return Path(self.output).name


def _tasks_of(bags: list[str], folder: Path) -> list[_Task]:
    """Return the tasks of several bags. Raises LircDepthError where two of them have one name."""
    tasks = [_Task(bag, str(folder / Path(bag).name), str(folder)) for bag in bags]
    for name, count in Counter(task.name for task in tasks).items():
        if count > 1:
            raise LircDepthError(f"{count} of the bags are called {name}: their depth would be one bag {folder / name}")
    return tasks


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@functools.lru_cache(maxsize=1)
def _pipeline(chosen: options.PipelineOptions) -> DepthPipeline:
    from lircdepth_core.pipeline import DepthPipeline  # late: importing PyTorch takes seconds

    return DepthPipeline.from_weights(**asdict(chosen))


@dataclass(frozen=True)
class _Inference:
    """How depth of a bag is made: what any process or machine needs beside the bag."""

    pipeline: options.PipelineOptions
    job: DepthJobOptions
    storage: str
    compression: str
    lidar_topic: str
    mp4: str | None
    scale: DepthScale
    draws_worst: bool

    def __call__(self, task: _Task, _: Callable[[int], object]) -> dict[str, Any]:
        """Write the depth of a bag, unless a folder of them has it; return its summary."""
        summary: dict[str, Any] = {"bag": task.output}
        with item_lock(task.output):
            if task.folder is None or not Path(task.output).exists():
                summary |= self._made(task)
        entry = None if task.folder is None else manifest.entry_of(Path(task.folder), task.name, [Path(task.output)])
        return summary | {"entry": entry}

    def _made(self, task: _Task) -> dict[str, Any]:
        with closing(open_bag(task.bag)) as reader:
            job = DepthJob(reader, task.bag, self.job)
            if self.mp4 and len(job.cameras) > 1:
                raise LircDepthError(f"--mp4 goes with one camera, and there are {len(job.cameras)}")
            pipeline = _pipeline(self.pipeline)
            started = time.perf_counter()
            with (
                new_bag(task.output, self.storage, self.compression) as writer,
                video(self.mp4, job.image_rate, self.scale) as add_video_frame,
            ):
                job.process(pipeline, writer, add_video_frame)
            seconds = time.perf_counter() - started
        summary = {
            **_counts(job.cameras),
            "damaged": dict(job.bag_account.damaged),
            "missing": job.bag_account.missing(),
            "seconds": round(seconds, 3),
            "remarks": job.remarks,
            "reasons": job.reasons[:_REASONS_KEPT],
            "caution": pipeline.header.caution,
        }
        if self.job.cameras:
            summary["cameras"] = {camera.name: _counts([camera]) for camera in job.cameras}
        reports: dict[str, Report] = {}
        if self.lidar_topic in job.types:
            reports = {camera.name: self._errors(task, camera) for camera in job.cameras if camera.account.done}
            metrics = {name: report.as_dict() for name, report in reports.items()}
            summary["metrics"] = metrics.get("", metrics)
        summary["table"] = [line for name, report in reports.items() for line in _table(name, report)]
        settings = {**asdict(self.pipeline), "backend": pipeline.backend.describe()}
        shown = [(camera.name, camera.latencies_ms, reports.get(camera.name)) for camera in job.cameras]
        made = (settings, shown)
        return summary | ({"page": made} if self.draws_worst else {})

    def _errors(self, task: _Task, camera: CameraDepth) -> Report:
        """Return a camera's errors against the bag's lidar."""
        from lircdepth_ros.bags import evaluation

        return evaluation.evaluate(
            task.output,
            task.bag,
            f"{camera.options.depth_topic}/image",
            self.lidar_topic,
            self.job.calibration,
            fixed_frame=self.job.fixed_frame,
            base_frame=self.job.base_frame,
            odometry_topic=self.job.odometry_topic,
            draw_worst=self.draws_worst,
        ).report


def _counts(cameras: Sequence[CameraDepth]) -> dict[str, Any]:
    """Return what became of the images of cameras, all together."""
    dropped = sum((camera.account.dropped for camera in cameras), Counter())
    counts = sum((camera.counts for camera in cameras), Counter())
    return {
        "images": sum(camera.account.received for camera in cameras),
        "frames": sum(camera.account.done for camera in cameras),
        **{name: counts[name] for name in ("fused", "camera_only", "without_ego_motion")},
        "dropped": dropped.total(),
        "dropped_by_cause": dict(dropped),
    }


def _table(camera: str, report: Report) -> list[str]:
    """Return a report as text. camera: its name, or an empty text where there is one alone."""
    title = f"{report.frames} depth images against {report.about['truth']}"
    return [f"{camera}: {title}" if camera else title, *report.lines()]


def _report(summary: dict[str, Any], as_json: bool) -> None:
    table = summary.pop("table", [])
    if "images" not in summary:
        print(f"{summary['bag']}: complete already", file=sys.stderr)
        return
    for remark in summary["remarks"]:
        print(f"note: {remark}", file=sys.stderr)
    for reason in summary["reasons"][:_REASONS_PRINTED]:
        print(f"left out: {reason}", file=sys.stderr)
    if as_json:
        return
    causes = ", ".join(f"{number} {cause}" for cause, number in summary["dropped_by_cause"].items())
    print(
        "{bag}: {frames} depth images of {images} images ({fused} fused, {camera_only} camera only, "
        "{without_ego_motion} without ego motion, {dropped} left out{causes}) in {seconds} s".format(
            **summary, causes=f": {causes}" if causes else ""
        )
    )
    for camera, counts in summary.get("cameras", {}).items():
        print("{0}: {frames} of {images} images ({fused} fused, {camera_only} camera only)".format(camera, **counts))
    print("\n".join([line for line in (summary["caution"],) if line] + table))


def _write_page(
    summary: dict[str, Any],
    arguments: argparse.Namespace,
    settings: dict[str, Any],
    cameras: list[tuple[str, list[float], Report | None]],
) -> None:
    """Write the page. cameras: of each its name, its latencies [ms], and its errors where there is a lidar."""
    from lircdepth_core.evaluation import page

    names = ("images", "frames", "fused", "camera_only", "without_ego_motion", "dropped", "seconds")
    facts = {name.replace("_", " "): summary[name] for name in names}
    settings |= {"command": arguments.command_line}
    told = settings | {"caution": summary["caution"], "dropped_by_cause": summary["dropped_by_cause"]}
    shown: list[page.Measured] = []
    for camera, latencies_ms, report in cameras:
        notes = [*(report.notes if report else ()), *summary["remarks"]]
        shown.append(
            page.Measured(
                camera or arguments.output,
                (report.as_dict() if report else {}) | told | {"notes": notes},
                report.images if report else (),
                report.worst if report else (),
                latencies_ms,
                facts={} if shown else facts,
            )
        )
    page.write(arguments.report, shown, f"Depth of {arguments.bags[0]}")
