# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which code runs: the version, as package.xml says it, and the commit of a checkout."""

import argparse
import functools
import re
import subprocess
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


@functools.cache
def commit() -> str | None:
    """Return the commit of the checkout that this module lies in, with "+changes" where files differ from it.

    None where it lies in no checkout of its own, or where git is not there.
    """
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


class VersionAction(argparse.Action):
    """Prints the version and ends the program; the version is looked up only then."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print the version and exit."""
        print(f"lircdepth {version()}")
        parser.exit()
