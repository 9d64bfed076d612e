# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth verify-bag`: compare every message of a converted bag with the nuScenes scene it came from."""

from __future__ import annotations

import argparse
import json

from lircdepth_core.data import nuscenes
from lircdepth_ros.bags.verification import verify

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bag", metavar="BAG", help="bag that nuscenes-to-bag wrote, or a copy or recording of one")
    parser.add_argument("--dataroot", required=True, help="nuScenes folder that it came from")
    parser.add_argument("--version", default="v1.0-mini", help="which tables (default: %(default)s)")
    parser.add_argument("--scene", help="default: the one that the bag names")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print each difference; return 0 when there is none, else 1. Raises LircDepthError."""
    nusc = nuscenes.open_nuscenes(arguments.dataroot, arguments.version)
    result = verify(arguments.bag, nusc, arguments.scene)
    differences = result["differences"]
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        for difference in differences[:_SHOWN]:
            print("{topic} at {stamp}: {field} is {found}, expected {expected}".format(**difference))
        if len(differences) > _SHOWN:
            print(f"... and {len(differences) - _SHOWN} more")
        print(
            f"{arguments.bag}: {result['messages']} messages compared with {result['scene']}, "
            f"{len(differences)} differences"
            + (f"; not from nuScenes: {', '.join(result['not_compared'])}" if result["not_compared"] else "")
        )
    return 1 if differences else 0
