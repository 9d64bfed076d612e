# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth demo`: scene -> bag -> replay node -> depth node -> recorded depth, each node its own process over DDS.

Leaves in the output directory: bag/ (the scene), depth_bag/ (what the node published), metrics.json, montage.png.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from lircdepth_core import options
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

_MARKER = ".lircdepth_demo"  # file in a folder that an earlier demo made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("-o", "--output", default="out/demo", metavar="DIR", help="default: %(default)s, replaced")
    parser.add_argument("--dataroot", help="nuScenes data root; default: a synthetic scene is generated")
    parser.add_argument("--version", default="v1.0-mini", help="tables of the data root (default: %(default)s)")
    parser.add_argument("--scene", help="scene of the data root; default: its first")
    parser.add_argument("--duration", type=float, default=2.0, help="of the synthetic scene [s]")
    options.add_arguments(parser)
    parser.add_argument("--rate", type=float, default=1.0, help="speed of the replay")
    options.add_page_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Run the demo and print what came out. Raises LircDepthError when a part fails."""
    from lircdepth_ros.demo import recording  # isort: skip - first: its rclpy starts Python once more
    from lircdepth_core.data import nuscenes
    from lircdepth_core.evaluation import page
    from lircdepth_ros.bags import conversion
    from lircdepth_ros.demo import report

    page.check_path(arguments.report)
    chosen = options.from_arguments(arguments)
    output = Path(arguments.output)
    _replace(output)
    dataroot = arguments.dataroot
    if dataroot is None:
        from lircdepth_core import synthetic

        dataroot = output / "nuscenes"
        synthetic.generate(dataroot, scenes=1, seed=0, duration=arguments.duration, progress=True)
    nusc = nuscenes.open_nuscenes(dataroot, arguments.version)
    scene = nuscenes.find_scene(nusc, arguments.scene or nusc.scene[0]["name"])
    conversion.convert(nusc, scene, output / "bag")
    replayed = recording.replay(output / "bag", output / "depth_bag", chosen, arguments.rate)
    frames = report.key_frame_depths(nusc, scene, output / "depth_bag")
    errors = report.errors(nusc, frames)
    metrics = report.metrics(nusc, scene, errors, replayed)
    with written_whole(output / "metrics.json") as partial:
        partial.write_text(json.dumps(metrics, indent=2) + "\n")
    report.draw(output / "montage.png", nusc, frames, metrics)
    if arguments.report:
        shown = page.of_demo(metrics, output)
        if errors:
            shown = replace(shown, images=errors.images, worst=errors.worst)
        page.write(arguments.report, [shown], "lircdepth demo")
    _print(metrics, output)


def _print(metrics: dict[str, Any], output: Path) -> None:
    total = metrics["latency_ms"]["total"]
    causes = ", ".join(f"{number} {cause}" for cause, number in metrics["dropped_by_cause"].items())
    lost = f", {metrics['lost_before_the_node']} lost before the node" if metrics["lost_before_the_node"] else ""
    print(
        f"{metrics['frames_in']} images in, {metrics['frames_out']} depth images out, {metrics['dropped']} dropped"
        f"{f' ({causes})' if causes else ''}{lost} ({metrics['fused']} fused with radar); "
        f"latency p50 {total['p50']:.0f} ms, p99 {total['p99']:.0f} ms; "
        f"MAE {metrics['mae']:.2f} m, AbsRel {metrics['abs_rel']:.3f} against the lidar"
    )
    if metrics["caution"]:
        print(metrics["caution"])
    print(f"See {output / 'montage.png'}, {output / 'metrics.json'} and {output / 'depth_bag'}")


def _replace(output: Path) -> None:
    """Empty the output directory, but only one that an earlier demo made."""
    marker = output / _MARKER
    if output.exists() and any(output.iterdir()) and not marker.exists():
        raise LircDepthError(f"{output} is not empty and was not made by the demo: choose another --output")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    marker.touch()
