# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Publishers of recorded topics, with the recorded type and QoS, and of /clock."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from rclpy._rclpy_pybind11 import RCLError
from rclpy.duration import Duration
from rclpy.exceptions import NoTypeSupportImportedException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND
from lircdepth_ros.replay_node.settings import ReplaySettings
from lircdepth_ros.replay_node.sources import Source, Topic

_CLOCK_QUEUE_DEPTH = 10
_GLOBAL_TOPICS = ("/tf", "/tf_static", "/clock", "/diagnostics")  # which stay where they are, whatever the namespace
_UNKNOWN_DEPTH = 10  # a recorder that could not see the depth of a queue wrote 0
_MAX_LATCHED_DEPTH = 1000
_ATTEMPTS = 10  # at a message that the middleware has no room for; it blocks some 100 ms each
_ACKNOWLEDGE_TIMEOUT_S = 5.0  # that reliable subscribers have for messages that are still under way at the end
_ACKNOWLEDGE_LOOK_S = 0.02


class RecordedPublishers:
    """The output of a replay. counts, unsent: messages of each topic that were published, and that were lost.

    sleep(seconds) is called between attempts, and may raise to end the replay. Raises LircDepthError when a topic that
    was asked for is not in the source, and when no topic can be replayed.
    """

    def __init__(self, node: Node, source: Source, settings: ReplaySettings, sleep: Callable[[float], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.unsent: Counter[str] = Counter()
        self._node = node
        self._sleep = sleep
        self._clock = node.create_publisher(Clock, "/clock", _CLOCK_QUEUE_DEPTH) if settings.publish_clock else None
        self._by_topic = self._make(source, settings.topics, settings.relative_topics)
        for topic in settings.wait_for_topics:
            if topic not in self._by_topic:
                raise LircDepthError(f"wait_for_topics: {topic!r} is not a replayed topic")

    def _make(self, source: Source, only: Collection[str], relative: bool) -> dict[str, Publisher[Any]]:
        for topic in only:
            if topic not in source.topics:
                raise LircDepthError(f"topic {topic!r} is not in the bag, which has {', '.join(sorted(source.topics))}")
        publishers: dict[str, Publisher[Any]] = {}
        unsupported: dict[str, list[str]] = {}
        for name, recorded in source.topics.items():
            if (only and name not in only) or (name == "/clock" and self._clock is not None):  # bag time has one source
                continue
            try:
                package, _, kind = recorded.msgtype.split("/")
                message_class = getattr(importlib.import_module(f"{package}.msg"), kind)
                published = name.lstrip("/") if relative and name not in _GLOBAL_TOPICS else name
                publishers[name] = self._node.create_publisher(message_class, published, recorded_qos(recorded))
            except (ImportError, AttributeError, NoTypeSupportImportedException):
                unsupported.setdefault(recorded.msgtype, []).append(name)
        for msgtype, names in unsupported.items():
            self._node.get_logger().warning(f"not replayed: {', '.join(names)}: {msgtype} has no Python support here")
        if not publishers:
            raise LircDepthError(f"{source.name} has no topic that can be replayed")
        return publishers

    @property
    def topics(self) -> list[str]:
        """The topics that are replayed, by recorded name."""
        return list(self._by_topic)

    def subscription_counts(self) -> dict[str, int]:
        """Return how many subscriptions each replayed topic has."""
        return {topic: publisher.get_subscription_count() for topic, publisher in self._by_topic.items()}

    def publish_message(self, topic: str, data: bytes) -> None:
        """Publish a serialised message; count it as unsent when the middleware has no room for it for long."""
        for _ in range(_ATTEMPTS):
            try:
                self._by_topic[topic].publish(data)
                self.counts[topic] += 1
                return
            except RCLError:  # a reliable subscriber is far behind
                self._sleep(0.0)
        self.unsent[topic] += 1

    def publish_clock(self, stamp: int) -> None:
        """Publish bag time [ns] on /clock, unless that is not wanted."""
        if self._clock is not None:
            clock = Clock()
            clock.clock.sec, clock.clock.nanosec = divmod(stamp, NANOSECONDS_PER_SECOND)
            with suppress(RCLError):  # a reliable subscriber is far behind; the next tick makes up for it
                self._clock.publish(clock)

    def wait_for_acknowledgements(self) -> None:
        """Let reliable subscribers fetch what is still under way, for some seconds at most."""
        deadline = time.monotonic() + _ACKNOWLEDGE_TIMEOUT_S
        waiting = dict(self._by_topic)
        while waiting and time.monotonic() < deadline:
            for topic in list(waiting):
                if waiting[topic].wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_LOOK_S)):
                    del waiting[topic]
                self._sleep(0.0)
        if waiting:
            text = f"not acknowledged by every reliable subscription: {', '.join(waiting)}"
            self._node.get_logger().warning(text)


def recorded_qos(topic: Topic) -> QoSProfile:
    """Return the QoS to offer for one topic.

    Reliability and durability are the recorded ones where all publishers agreed, else reliable and volatile. A latched
    topic keeps all its messages for late joiners.
    """
    profiles = topic.profiles
    best_effort = bool(profiles) and all(profile.reliability.name == "BEST_EFFORT" for profile in profiles)
    depths = [profile.depth for profile in profiles if profile.history.name == "KEEP_LAST"]
    depth = max(depths, default=0) or _UNKNOWN_DEPTH
    if topic.latched:
        depth = max(depth, min(topic.count, _MAX_LATCHED_DEPTH))
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else DurabilityPolicy.VOLATILE,
    )
