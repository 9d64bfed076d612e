# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The declaration of the replay node's parameters. Needs no ROS, so that launch files and tests read it, too.

config/replay.yaml, its JSON schema and the table of docs/node.md are made from it (lircdepth_ros.declarations).
"""

from __future__ import annotations

from dataclasses import dataclass

from lircdepth_core.options import option, options_of


@dataclass(frozen=True)
class ReplaySettings:
    """The parameters of the replay node; see the help of each field. They are read when the node starts."""

    source: str = option(
        "bag", "What to replay; nuscenes: a data root, without converting it.", choices=("bag", "nuscenes")
    )
    bag: str = option("", "Rosbag2 directory, or a single .mcap or .db3 file.")
    dataroot: str = option("", "Folder of a nuScenes data root, for source nuscenes.")
    version: str = option("v1.0-mini", "Tables of the data root, for source nuscenes.")
    scene: str = option("", "Scene of the data root, for source nuscenes.")
    rate: float = option(1.0, "Speed relative to the recording.", minimum=0.01, maximum=100.0, live=True)
    loop: bool = option(False, "Start again after the last message; stamps and /clock jump back.")
    start_offset: float = option(0.0, "Where to start, seconds after the bag's start.", minimum=0.0, maximum=1e9)
    duration: float = option(0.0, "How much to replay, seconds of bag time; 0: to the end.", minimum=0.0, maximum=1e9)
    start_paused: bool = option(False, "Start paused: ~/resume or ~/play_next goes on.")
    publish_clock: bool = option(True, "Publish bag time on /clock, between messages and before each.")
    clock_rate: float = option(
        100.0, "How often /clock ticks between messages, Hz of wall time.", minimum=1.0, maximum=1000.0
    )
    relative_topics: bool = option(
        False, "Publish in this node's namespace: /odom as /ego/odom in /ego; /tf and /tf_static stay."
    )
    topics: tuple[str, ...] = option((), "Replay only these topics, by recorded name (default: all).")
    wait_for_subscribers: float = option(
        0.0,
        "Before the first message, wait for subscriptions to wait_for_topics, this many seconds at most.",
        minimum=0.0,
        maximum=1e6,
    )
    wait_for_topics: tuple[str, ...] = option(
        (), "Topics that wait_for_subscribers waits for, each (default: any one replayed topic)."
    )
    linger: float = option(
        1.0, "How long /clock goes on after the last message, seconds of bag time.", minimum=0.0, maximum=1e6
    )


PARAMETERS = options_of(ReplaySettings)
