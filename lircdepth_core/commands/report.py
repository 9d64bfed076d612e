# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth report`: one self-contained HTML page of what commands wrote into their folders."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "results", nargs="+", metavar="DIR", help="folders of eval, eval-bag or demo; several stand side by side"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.html", help="page to write")
    parser.add_argument("--title", default="Depth: what was measured", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> None:
    """Write the page. Raises LircDepthError."""
    from lircdepth_core.evaluation import page

    page.check_path(arguments.output, "--output")
    page.write(arguments.output, [page.read(folder) for folder in arguments.results], arguments.title)
    print(f"See {Path(arguments.output)}")
