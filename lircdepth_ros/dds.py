# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fast DDS settings that full-size images need."""

from __future__ import annotations

import os
from collections.abc import Mapping

from lircdepth_ros.share import config_directory

_FAST_DDS_2 = ("humble", "iron", "jazzy")  # ROS_DISTRO of the distributions before Fast DDS 3 renamed the variable
_PROFILES = {False: "FASTDDS_DEFAULT_PROFILES_FILE", True: "FASTRTPS_DEFAULT_PROFILES_FILE"}
# By these a user chooses Fast DDS's transports; a profile beside one of them would undo the choice.
_OWN_CHOICES = (*_PROFILES.values(), "FASTDDS_BUILTIN_TRANSPORTS")


def profile_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variable {name: path} that has Fast DDS load config/fastdds_profile.xml.

    Empty where ``environment`` chooses another middleware than Fast DDS, a profile or transports of the user's own.
    Only the variable that this distribution reads is set, since the other one is ignored or warned about.
    """
    if "fastrtps" not in environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"):
        return {}
    if any(environment.get(name) for name in _OWN_CHOICES):
        return {}
    name = _PROFILES[environment.get("ROS_DISTRO") in _FAST_DDS_2]
    return {name: str(config_directory() / "fastdds_profile.xml")}
