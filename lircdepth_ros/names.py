# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The rules of ROS names (https://design.ros2.org/articles/topic_and_service_names.html). Needs no ROS."""

from __future__ import annotations

import re

from lircdepth_core.errors import LircDepthError

# ~ stands for the node and comes first; no part of a name begins with a digit, and none is empty.
_TOPIC_NAME = re.compile(r"(~/|/)?([A-Za-z_]\w*)(/[A-Za-z_]\w*)*", re.ASCII)


def check_topic_name(parameter: str, topic: str) -> None:
    """Raise LircDepthError, which names the parameter, when a text is no name of a topic."""
    if not _TOPIC_NAME.fullmatch(topic):
        raise LircDepthError(
            f"{parameter} is {topic!r}, which is no topic name: letters, digits and '_', in parts between '/' that do "
            "not begin with a digit"
        )


def beside(topic: str, name: str) -> str:
    """Return a name in the namespace of a topic: ``a/camera_info`` for ``a/image_rect`` and ``camera_info``."""
    namespace, slash, _ = topic.rpartition("/")
    return f"{namespace}{slash}{name}"


def resolved(topic: str, namespace: str) -> str:
    """Return the full name of a topic for a node in a namespace, before remapping. ``~`` is not resolved."""
    return topic if topic.startswith("/") else f"/{namespace.strip('/')}/{topic}".replace("//", "/")
