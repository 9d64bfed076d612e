# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth verify-bag`: compare every message of a converted bag with the nuScenes scene it came from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lircdepth_core import work
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_ros.bags.verification import verify

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "bags", nargs="+", metavar="BAG", help="bag that nuscenes-to-bag wrote, or a copy or recording of one"
    )
    parser.add_argument("--dataroot", required=True, help="nuScenes folder that it came from")
    parser.add_argument("--version", default="v1.0-mini", help="which tables (default: %(default)s)")
    parser.add_argument("--scene", help="default: the one that the bag names")
    work.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print each difference; return 0 when there is none, else 1. Raises LircDepthError."""
    workers = work.workers_of(arguments)
    if arguments.scene and len(arguments.bags) > 1:
        raise LircDepthError("--scene goes with one bag")
    nuscenes.open_nuscenes(arguments.dataroot, arguments.version)  # processes that are forked have its tables
    comparison = _Comparison(arguments.dataroot, arguments.version, arguments.scene)
    results = work.run(
        comparison, arguments.bags, workers, finished=lambda _, result: None if arguments.json else _print(result)
    )
    if arguments.json:
        print(json.dumps(results[0] if len(results) == 1 else {"bags": results}, indent=2))
    return 1 if any(result["differences"] for result in results) else 0


@dataclass(frozen=True)
class _Comparison:
    """What any process or machine needs beside a bag to compare it with its scene."""

    dataroot: str
    version: str
    scene: str | None

    def __call__(self, bag: str, _: Callable[[int], object]) -> dict[str, Any]:
        return verify(bag, nuscenes.open_nuscenes(self.dataroot, self.version), self.scene)


def _print(result: dict[str, Any]) -> None:
    differences = result["differences"]
    for difference in differences[:_SHOWN]:
        print("{topic} at {stamp}: {field} is {found}, expected {expected}".format(**difference))
    if len(differences) > _SHOWN:
        print(f"... and {len(differences) - _SHOWN} more")
    print(
        f"{result['bag']}: {result['messages']} messages compared with {result['scene']}, "
        f"{len(differences)} differences"
        + (f"; not from nuScenes: {', '.join(result['not_compared'])}" if result["not_compared"] else "")
    )
