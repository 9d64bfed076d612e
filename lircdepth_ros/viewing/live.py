# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A running node's topics for the Foxglove app, by its SDK: messages are handed on as they are.

A topic is subscribed to only while somebody looks at it, so that the node computes no view for nothing.
"""

from __future__ import annotations

import importlib
import threading
from collections import Counter
from typing import Any

import rclpy  # first: with wheels this starts Python once more, to find its libraries
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import import_package
from lircdepth_ros import spinning
from lircdepth_ros.messages import definitions

_LATCHED = ("/tf_static", "/scene")
_DISCOVERY_PERIOD_S = 1.0
_SPIN_S = 0.05
_QUEUE = 10


class Bridge(Node):
    """Offers each topic of the graph, whose type is known, as a channel of a Foxglove server."""

    def __init__(self) -> None:
        super().__init__("lircdepth_view")
        self._foxglove = import_package("foxglove")
        self._channels: dict[str, Any] = {}
        self._classes: dict[str, type] = {}
        self._listened: dict[str, Any] = {}
        self._viewers: Counter[str] = Counter()
        self._lock = threading.Lock()  # the server tells of viewers from a thread of its own
        self.create_timer(_DISCOVERY_PERIOD_S, self.discover)

    def discover(self) -> None:
        """Offer topics that have come."""
        for topic, kinds in self.get_topic_names_and_types():
            if topic not in self._channels and len(kinds) == 1:
                self._offer(topic, kinds[0])

    def _offer(self, topic: str, kind: str) -> None:
        package, _, name = kind.partition("/msg/")
        try:
            self._classes[topic] = getattr(importlib.import_module(f"{package}.msg"), name)
            text, _ = definitions.typestore().generate_msgdef(kind, ros_version=2)
        except (ImportError, AttributeError, KeyError) as error:
            self.get_logger().info(f"{topic} is not offered: {kind} is not known here ({error})", once=True)
            self._channels[topic] = None
            return
        schema = self._foxglove.Schema(name=kind, encoding="ros2msg", data=text.encode())
        self._channels[topic] = self._foxglove.Channel(topic, schema=schema, message_encoding="cdr")

    def viewed(self, topic: str, change: int) -> None:
        """Count those who look at a topic. Called from the server's thread."""
        with self._lock:
            self._viewers[topic] += change

    def listen(self) -> None:
        """Subscribe to what is looked at, and to nothing else."""
        with self._lock:
            wanted = {topic for topic, number in self._viewers.items() if number > 0 and self._channels.get(topic)}
        for topic in wanted - self._listened.keys():
            reliable = self._publishers_are(topic, "reliability", ReliabilityPolicy.RELIABLE)
            qos = QoSProfile(
                depth=_QUEUE,
                reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
                durability=DurabilityPolicy.TRANSIENT_LOCAL if topic in _LATCHED else DurabilityPolicy.VOLATILE,
            )
            log = self._channels[topic].log
            self._listened[topic] = self.create_subscription(self._classes[topic], topic, log, qos, raw=True)
        for topic in self._listened.keys() - wanted:
            self.destroy_subscription(self._listened.pop(topic))

    def _publishers_are(self, topic: str, policy: str, value: Any) -> bool:
        found = self.get_publishers_info_by_topic(topic)
        return bool(found) and all(getattr(each.qos_profile, policy) == value for each in found)


def serve(host: str, port: int, layout: str) -> None:
    """Serve until interrupted. layout: a file to import in Foxglove. Raises LircDepthError where the port is taken."""
    foxglove = import_package("foxglove")
    spinning.start()
    bridge = Bridge()

    class Listener(foxglove.ServerListener):  # type: ignore[name-defined]  # imported just before
        def on_subscribe(self, client: Any, channel: Any) -> None:
            bridge.viewed(channel.topic, 1)

        def on_unsubscribe(self, client: Any, channel: Any) -> None:
            bridge.viewed(channel.topic, -1)

    try:
        server = foxglove.start_server(name="lircdepth", host=host, port=port, server_listener=Listener())
    except (OSError, RuntimeError) as error:
        rclpy.try_shutdown()
        raise LircDepthError(f"port {port} of {host} cannot be served: {error}") from error
    print(f"Foxglove: open ws://{host}:{server.port} and import the layout {layout}", flush=True)
    try:
        while rclpy.ok():
            spinning.spin_once(bridge, _SPIN_S)
            bridge.listen()
    finally:
        server.stop()
        rclpy.try_shutdown()
