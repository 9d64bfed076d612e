# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth doctor`: what is installed, what is missing, and what mends it."""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--weights", default="street", metavar="FILE", help="weights to look at (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; return 0, or 1 where something is wrong that the node or `lircdepth infer` needs."""
    from lircdepth_core.version import version
    from lircdepth_ros import doctor

    findings = doctor.examine(arguments.weights)
    faults = sum(finding.status == doctor.FAULT for finding in findings)
    if arguments.json:
        rows = [finding._asdict() for finding in findings]
        print(json.dumps({"version": version(), "faults": faults, "findings": rows}, indent=2))
        return int(faults > 0)
    for part, status, found, remedy in findings:
        print(f"{status.upper():6}{part:22}{found}")
        if remedy:
            print(f"{'':28}-> {remedy}")
    print(f"faults: {faults}")
    return int(faults > 0)
