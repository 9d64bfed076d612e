# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files that are installed beside the code."""

from __future__ import annotations

import sys
from pathlib import Path


def config_directory() -> Path:
    """Return the directory of config files: of the source tree, or where pip or colcon installed it."""
    installed = Path(sys.prefix) / "share" / "lircdepth_ros" / "config"
    for directory in (Path(__file__).parents[1] / "config", installed):
        if directory.is_dir():
            return directory
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("lircdepth_ros")) / "config"
