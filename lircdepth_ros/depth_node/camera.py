# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One camera of the depth node: its settings, topics and outputs; and, while the node is active, its frames.

The node has one of them, or several.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lircdepth_ros.depth_node import qos
from lircdepth_ros.depth_node.clock import NodeClock
from lircdepth_ros.depth_node.frames import Frame, FrameMatching, Topics
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.outputs import DepthOutputs
from lircdepth_ros.depth_node.poses import NodePoses
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.depth_node.surround import SurroundCloud

_POLL_PERIOD_S = 0.005  # between looks at a frame that waits
_LATCHED_LOOK_PERIOD_S = 1.0  # between looks for a camera_info that was published before


class Camera:
    """Everything that a configured node holds of one camera.

    settings: the camera's own (Settings.each_camera). steady: a clock of wall time. surround: where its points go,
    too. frames: None while the node is not active. journal: of the present activation, or of the latest.
    """

    def __init__(self, node: Node, settings: Settings, steady: Clock, surround: SurroundCloud | None) -> None:
        self._node, self._steady = node, steady
        self.name = settings.camera
        self.settings = settings
        self.topics = topics_of(node, settings)
        self.journal = Journal(node.get_logger(), self.name)
        self._publishers: list[Publisher[Any]] = []
        self.outputs = DepthOutputs(self._create_output, settings, surround)
        self.frames: FrameMatching | None = None
        self._poll_timer: Timer | None = None  # runs only while a frame waits
        self._look_timer: Timer | None = None
        self._subscriptions: list[Subscription[Any]] = []
        self._latched: Subscription[CameraInfo] | None = None

    def _create_output(self, kind: type, topic: str) -> Publisher[Any]:
        publisher = qos.create_publisher(self._node, kind, topic, self._report_qos)
        self._publishers.append(publisher)
        return publisher

    def _report_qos(self, topic: str, text: str) -> None:
        self.journal.report_qos(topic, text)

    def release(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        self._publishers.clear()

    def apply(self, changes: dict[str, Any]) -> None:
        """Take over live parameters: {parameter: value}."""
        self.settings = dataclasses.replace(self.settings, **changes)
        if self.frames is not None:
            self.frames.apply(self.settings)

    # --- from activation to deactivation -----------------------------------------------------------------------

    @property
    def image_type(self) -> type:
        """The class of the messages that images come in."""
        kind: type = CompressedImage if self.settings.compressed_images else Image
        return kind

    def begin(self, poses: NodePoses, clock: NodeClock, hand_over: Callable[[Camera, Frame], None]) -> None:
        """Begin an activation, without subscriptions yet. hand_over(self, frame) is called with each complete frame."""
        self.journal = Journal(self._node.get_logger(), self.name)
        self.frames = FrameMatching(
            self.settings,
            self.topics,
            poses,
            clock,
            self.journal,
            lambda frame: hand_over(self, frame),
            self._keep_polling,
        )
        self._poll_timer = self._node.create_timer(_POLL_PERIOD_S, self.frames.match, clock=self._steady)
        self._poll_timer.cancel()

    def subscribe(self) -> None:
        """Subscribe to images and camera_info. Raises LircDepthError for QoS that cannot be."""
        assert self.frames is not None, "an activation has begun"
        inputs: tuple[tuple[type, str, Callable[[Any], None]], ...] = (
            (self.image_type, self.settings.received_image_topic, self.frames.on_image),
            (CameraInfo, self.settings.camera_info_topic, self.frames.on_camera_info),
        )
        for kind, topic, callback in inputs:
            self._subscriptions.append(qos.create_subscription(self._node, kind, topic, callback, self.journal))
        self._look_timer = self._node.create_timer(
            _LATCHED_LOOK_PERIOD_S, self._look_for_latched_camera_info, clock=self._steady
        )

    def end(self) -> None:
        """End the activation: nothing is handed over any more."""
        if self.frames is not None:
            self.frames.stop()
        self.frames, self._latched = None, None
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        for timer in (self._poll_timer, self._look_timer):
            if timer is not None:
                self._node.destroy_timer(timer)
        self._poll_timer = self._look_timer = None

    def _keep_polling(self, waiting: bool) -> None:
        if self._poll_timer is not None:
            if waiting:
                self._poll_timer.reset()
            else:
                self._poll_timer.cancel()

    def _look_for_latched_camera_info(self) -> None:
        """Subscribe to a camera_info that was published once, before this node was there."""
        if self._latched is None and self.frames is not None and not self.frames.has_camera_info:
            self._latched = latched = qos.create_latched_subscription(
                self._node, CameraInfo, self.settings.camera_info_topic, self.frames.on_camera_info
            )
            if latched is not None:
                self._subscriptions.append(latched)
                self._node.get_logger().info(f"{latched.topic_name} is latched: what was published before is read, too")


def topics_of(node: Node, settings: Settings) -> Topics:
    """Return the resolved names of what a camera receives."""
    resolve = node.resolve_topic_name
    radars = tuple(map(resolve, settings.radar_topics))
    return Topics(resolve(settings.received_image_topic), resolve(settings.camera_info_topic), radars)
