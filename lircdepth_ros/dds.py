# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fast DDS settings that full-size images need."""

from __future__ import annotations

import os
from collections.abc import Mapping

from lircdepth_ros.share import config_directory

_FAST_DDS_2 = ("humble", "iron", "jazzy")  # ROS_DISTRO of the distributions before Fast DDS 3 renamed the variable


def profile_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variable {name: path} that has Fast DDS load config/fastdds_profile.xml.

    Empty when the user has a profile of their own in ``environment``. Only the variable that this distribution reads is
    set, since the other one is ignored or warned about.
    """
    name = "FASTRTPS_DEFAULT_PROFILES_FILE"
    if environment.get("ROS_DISTRO") not in _FAST_DDS_2:
        name = "FASTDDS_DEFAULT_PROFILES_FILE"
    return {} if environment.get(name) else {name: str(config_directory() / "fastdds_profile.xml")}
