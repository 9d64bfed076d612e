# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Arguments of the commands that read camera and radars of a bag."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from lircdepth_ros.bags.depth_options import ALL, DepthJobOptions, add_frame_arguments

_LISTS = ("cameras", "radar_topics", "radar_driver", "radar_frame")


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which topics are read, what the radars measure, where the sensors are, and how scans are matched."""
    default = DepthJobOptions()
    parser.add_argument("--image-topic", default=default.image_topic, help="default: %(default)s, /compressed or not")
    parser.add_argument("--camera-info-topic", default=default.camera_info_topic, help="default: %(default)s")
    parser.add_argument(
        "--radar-topics",
        nargs="*",
        help=f"default: {default.radar_topics[0]}; with --cameras, those of the bag with 'radar' in their name (all)",
    )
    parser.add_argument(
        "--radar-driver",
        nargs="+",
        default=default.radar_driver,
        metavar="NAME",
        help="what the radars' fields mean: a name of config/radars or a .yaml file; one, or one for each radar topic "
        "(default: nuscenes)",
    )
    parser.add_argument(
        "--radar-frame",
        nargs="+",
        default=default.radar_frame,
        metavar="FRAME",
        help="each radar's own frame, where its driver stamps another one",
    )
    parser.add_argument(
        "--radar-fields",
        default=default.radar_fields,
        help="instead of a driver: names for x y z rcs vx vy in the clouds, 0 for one that is not measured",
    )
    parser.add_argument(
        "--calibration", metavar="YAML", help="sensors' mounting (default: the bag's, or its /tf_static)"
    )
    parser.add_argument(
        "--odometry-topic", default=default.odometry_topic, help="ego motion; without it /tf (default: %(default)s)"
    )
    add_frame_arguments(parser)
    for name, kind in (("sync-window", float), ("max-wait", float), ("accumulate-sweeps", int)):
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=kind, default=value, help="as the node's (default: %(default)s)")
    parser.add_argument("--velocity-compensation", action="store_true", help="as the node's")


def job_options(arguments: argparse.Namespace) -> DepthJobOptions:
    """Return the options of these arguments, and of those that a command adds under the same names."""
    names = [field.name for field in fields(DepthJobOptions) if hasattr(arguments, field.name)]
    values: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    if values["radar_topics"] is None:
        values["radar_topics"] = [ALL] if values.get("cameras") else DepthJobOptions().radar_topics
    return DepthJobOptions(**values | {name: tuple(values[name]) for name in _LISTS if name in values})
