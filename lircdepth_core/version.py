# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The version of the package, as package.xml says it."""

import argparse
import re
from importlib import metadata
from pathlib import Path
from typing import Any

DISTRIBUTION = "lircdepth_ros"  # as pip knows the package


def version() -> str:
    """Return the version: of the source tree that this module lies in, or else of the installed distribution."""
    manifest = Path(__file__).parents[1] / "package.xml"
    if manifest.is_file():
        (found,) = re.findall(r"<version>(.*)</version>", manifest.read_text(encoding="utf-8"))
        return str(found)
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


class VersionAction(argparse.Action):
    """Prints the version and ends the program; the version is looked up only then."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print the version and exit."""
        print(f"lircdepth {version()}")
        parser.exit()
