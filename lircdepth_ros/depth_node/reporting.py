# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Publishes on /diagnostics how an active depth node is: once a second, and at once when the level changes."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.publisher import Publisher

from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.version import version
from lircdepth_ros.depth_node import diagnostics, qos
from lircdepth_ros.depth_node.frames import FrameMatching
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.poses import NodePoses
from lircdepth_ros.depth_node.settings import Settings

_BYTES_PER_MEBIBYTE = 2**20
_MILLISECONDS_PER_SECOND = 1e3


class Reporter:
    """Reports on one activation. topics: {resolved name: type} of the inputs, the image's first."""

    def __init__(
        self,
        node: Node,
        publisher: Publisher[DiagnosticArray],
        pipeline: DepthPipeline,
        journal: Journal,
        frames: FrameMatching,
        poses: NodePoses,
        topics: Mapping[str, str],
    ) -> None:
        self._node = node
        self._publisher = publisher
        self._pipeline = pipeline
        self._journal = journal
        self._frames = frames
        self._poses = poses
        self._topics = topics
        self._schedule = diagnostics.ReportSchedule()

    def report(self, settings: Settings) -> None:
        """Judge the node, and publish that when it is due."""
        statistics, header = self._journal.statistics, self._pipeline.header
        silent = qos.silent_topics(self._node, statistics, self._topics, next(iter(self._topics)))
        waiting_frames = self._frames.pending
        remarks = diagnostics.standing_remarks(
            self._journal,
            silent,
            header.caution if header.random else "",
            statistics.unaccounted(waiting_frames),
            self._poses.describe(),
        )
        waiting = [*self._journal.problems.values(), *silent]
        level, message = diagnostics.assess(
            statistics, settings, remarks, waiting, self._frames.clock_remarks(), self._other_clock_text()
        )
        if not self._schedule.is_due(level):
            return
        backend = self._pipeline.backend
        values = statistics.values(waiting_frames) | {
            "time_jumps": self._frames.time_jumps,
            "last_error": statistics.last_error,
            "version": version(),
            "weights": settings.weights,
            "weights_sha256": self._pipeline.weights_sha256,
            "model": header.model,
            "caution": header.caution,
            "backend": backend.describe(),
            "device_memory_mb": round(backend.memory() / _BYTES_PER_MEBIBYTE, 1),
        }
        stamp = self._node.get_clock().now().to_msg()
        name = diagnostics.status_name(self._node)
        self._publisher.publish(diagnostics.diagnostic_array(stamp, name, level, message, values))

    def _other_clock_text(self) -> str:
        """Return what to say when the images that come are stamped by another clock than the node's."""
        age = self._journal.statistics.latest_median("image_age_ms") / _MILLISECONDS_PER_SECOND
        simulated = bool(self._node.get_parameter("use_sim_time").value)
        return diagnostics.other_clock_text(age, self._node.get_clock().now().nanoseconds, simulated)
