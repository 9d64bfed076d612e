# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the depth node says about one activation: everything is counted, and each kind of problem is logged once."""

from __future__ import annotations

from typing import Protocol

from lircdepth_ros.depth_node.statistics import Statistics


class Logger(Protocol):
    """The part of rclpy's logger that is used here."""

    def warning(self, message: str) -> object:
        """Log a warning."""

    def error(self, message: str) -> object:
        """Log an error."""


class Journal:
    """Counts and logs. problems: texts, by key, of what stays wrong until the node is activated again."""

    def __init__(self, logger: Logger) -> None:
        self.statistics = Statistics()
        self.problems: dict[str, str] = {}
        self._logger = logger
        self._said: set[str] = set()

    def say_once(self, key: str, text: str, error: bool = False) -> None:
        """Log a text the first time that its key comes up in an activation; the counters tell the rest."""
        if key not in self._said:
            self._said.add(key)
            # Two calls on two lines: rclpy ties a severity to the line that logs.
            if error:
                self._logger.error(f"{text} (said once; see /diagnostics)")
            else:
                self._logger.warning(f"{text} (said once; see /diagnostics)")

    def drop(self, cause: str, reason: str, under_way: bool = False) -> None:
        """Count and log an image that gives no depth. under_way: see Statistics.drop."""
        self.statistics.drop(cause, reason, under_way)
        self.say_once(cause, f"image left out: {reason}", error=True)

    def leave_scan_out(self, counter: str, topic: str, error: Exception) -> None:
        """Count, under ``counter``, and log a radar scan that is not used."""
        self.statistics.count(counter)
        self.statistics.error(f"{topic}: {error}")
        self.say_once(f"{counter} {topic}", f"{topic}: scan left out: {error}", error=True)

    def report_qos(self, topic: str, text: str) -> None:
        """Count, keep and log that the other side of a topic has a QoS that does not fit."""
        self.statistics.count("incompatible_qos")
        self.problems[f"qos {topic}"] = text
        self.say_once(f"qos {topic}", text)
