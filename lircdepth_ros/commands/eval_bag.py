# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth eval-bag`: errors of a bag's depth images against its lidar or its ground truth."""

from __future__ import annotations

import argparse
import json

from lircdepth_core import options
from lircdepth_core.files import written_whole
from lircdepth_ros.bags.depth_options import add_frame_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "bag", metavar="BAG", help="bag with depth images, as infer-bag or a recording of the node has them"
    )
    parser.add_argument("--reference", metavar="BAG", help="bag with the lidar and transforms (default: the same)")
    parser.add_argument("--depth-topic", default="/CAM_FRONT/depth/image", help="default: %(default)s")
    parser.add_argument("--lidar-topic", default="/LIDAR_TOP/points", help="default: %(default)s")
    parser.add_argument(
        "--calibration", metavar="YAML", help="sensors' mounting (default: the bag's, or its /tf_static)"
    )
    parser.add_argument(
        "--truth",
        choices=("auto", "ground-truth", "lidar"),
        default="auto",
        help="what depth is compared with; auto: ground truth where the bag has depth_gt, else the lidar",
    )
    parser.add_argument("--odometry-topic", default="/odom", help="ego motion; without it /tf (default: %(default)s)")
    add_frame_arguments(parser)
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="folder for results.json, table.txt, eval.png and the worst images"
    )
    options.add_page_argument(parser)
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON to a file, too")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, print the table. Raises LircDepthError."""
    from lircdepth_core.evaluation import page
    from lircdepth_ros.bags import evaluation

    page.check_path(arguments.report)

    reference = arguments.reference or arguments.bag
    found = evaluation.evaluate(
        arguments.bag,
        reference,
        arguments.depth_topic,
        arguments.lidar_topic,
        arguments.calibration,
        arguments.truth,
        arguments.fixed_frame,
        arguments.base_frame,
        arguments.odometry_topic,
        draw_worst=bool(arguments.report or arguments.output),
    )
    if arguments.json:
        with written_whole(arguments.json) as partial:
            partial.write_text(json.dumps(found.report.as_dict(), indent=2) + "\n")
    if arguments.output:
        found.report.write(arguments.output, found.panels, str(arguments.bag))
    if arguments.report:
        page.write(arguments.report, [page.measured(found.report, arguments.bag)], f"Depth errors of {arguments.bag}")
    print(f"{found.report.frames} depth images against {found.report.about['truth']}")
    print("\n".join(found.report.lines()))
