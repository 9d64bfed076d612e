# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files that are installed beside the code."""

from __future__ import annotations

from pathlib import Path


def config_directory() -> Path:
    """Return the directory of config files: of the source tree, or where pip or colcon installed it."""
    packages = Path(__file__).resolve().parents[1]  # PREFIX/lib/python3.N/site-packages
    # The prefix is not always sys.prefix: it is /usr/local for the system's Python, and ~/.local with --user.
    installed = packages.joinpath("..", "..", "..", "share", "lircdepth_ros", "config").resolve()
    for directory in (packages / "config", installed):
        if (directory / "fastdds_profile.xml").is_file():
            return directory
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("lircdepth_ros")) / "config"
