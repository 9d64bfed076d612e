# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Publishes on /diagnostics how an active depth node is: once a second, and at once when the level changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.publisher import Publisher

from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.version import version
from lircdepth_ros.depth_node import diagnostics, qos
from lircdepth_ros.depth_node.camera import Camera
from lircdepth_ros.depth_node.poses import NodePoses

_BYTES_PER_MEBIBYTE = 2**20
_MILLISECONDS_PER_SECOND = 1e3


class Reporter:
    """Reports on one activation, a status for each camera. radar_types: {resolved topic: type} of the radars."""

    def __init__(
        self,
        node: Node,
        publisher: Publisher[DiagnosticArray],
        pipeline: DepthPipeline,
        cameras: Sequence[Camera],
        poses: NodePoses,
        radar_types: Mapping[str, str],
    ) -> None:
        self._node = node
        self._publisher = publisher
        self._pipeline = pipeline
        self._cameras = cameras
        self._poses = poses
        self._types = {camera.name: _types(camera, radar_types) for camera in cameras}
        self._schedule = diagnostics.ReportSchedule()

    def report(self) -> None:
        """Judge the cameras, and publish that when it is due."""
        topics = {topic for types in self._types.values() for topic in types}
        published = {topic: qos.publishers_by_type(self._node, topic) for topic in topics}
        judged = [self._judge(camera, published) for camera in self._cameras]
        if not self._schedule.is_due([level for level, _ in judged]):
            return
        statuses = [
            diagnostics.diagnostic_status(
                diagnostics.status_name(self._node, camera.name), level, message, self._values(camera)
            )
            for camera, (level, message) in zip(self._cameras, judged, strict=True)
        ]
        stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(diagnostics.diagnostic_array(stamp, statuses))

    def _judge(self, camera: Camera, published: Mapping[str, Mapping[str, list[str]]]) -> tuple[bytes, str]:
        """Return (level, message) of a camera. published: {topic: qos.publishers_by_type}."""
        journal, frames, header = camera.journal, camera.frames, self._pipeline.header
        assert frames is not None, "an active camera has frames"
        silent = qos.silent_topics(journal.statistics, self._types[camera.name], camera.topics.image, published)
        remarks = diagnostics.standing_remarks(
            journal,
            silent,
            header.caution if header.random else "",
            journal.statistics.unaccounted(frames.pending),
            self._poses.describe(),
        )
        waiting = [*journal.problems.values(), *silent]
        return diagnostics.assess(
            journal.statistics,
            camera.settings,
            remarks,
            waiting,
            frames.clock_remarks(),
            self._other_clock_text(camera),
        )

    def _values(self, camera: Camera) -> dict[str, object]:
        frames, statistics = camera.frames, camera.journal.statistics
        assert frames is not None, "an active camera has frames"
        backend = self._pipeline.backend
        return {
            **statistics.values(frames.pending),
            "time_jumps": frames.time_jumps,
            "last_error": statistics.last_error,
            "version": version(),
            "weights": camera.settings.weights,
            "weights_sha256": self._pipeline.weights_sha256,
            "model": self._pipeline.header.model,
            "caution": self._pipeline.header.caution,
            "backend": backend.describe(),
            "device_memory_mb": round(backend.memory() / _BYTES_PER_MEBIBYTE, 1),
        }

    def _other_clock_text(self, camera: Camera) -> str:
        """Return what to say when a camera's images are stamped by another clock than the node's."""
        age = camera.journal.statistics.latest_median("image_age_ms") / _MILLISECONDS_PER_SECOND
        simulated = bool(self._node.get_parameter("use_sim_time").value)
        return diagnostics.other_clock_text(age, self._node.get_clock().now().nanoseconds, simulated)


def _types(camera: Camera, radar_types: Mapping[str, str]) -> dict[str, str]:
    """Return {resolved topic: type} of what a camera needs, the image's first."""
    return {
        camera.topics.image: qos.type_name(camera.image_type),
        camera.topics.camera_info: "sensor_msgs/msg/CameraInfo",
        **{topic: radar_types[topic] for topic in camera.topics.radars},
    }
