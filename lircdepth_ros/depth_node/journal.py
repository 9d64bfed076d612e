# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the depth node says about one activation: everything is counted, and each kind of problem is logged once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lircdepth_ros.depth_node.statistics import Statistics


class Logger(Protocol):
    """The part of rclpy's logger that is used here."""

    def warning(self, message: str) -> object:
        """Log a warning."""

    def error(self, message: str) -> object:
        """Log an error."""


class _OnceLog:
    """Logs each kind of problem once. prefix: what each line begins with."""

    def __init__(self, logger: Logger, prefix: str = "") -> None:
        self._logger, self._prefix = logger, prefix
        self._said: set[str] = set()

    def say(self, key: str, text: str, error: bool = False) -> None:
        """Log a text the first time that its key comes up; the counters tell the rest."""
        if key not in self._said:
            self._said.add(key)
            line = f"{self._prefix}{text} (said once; see /diagnostics)"
            # Two calls on two lines: rclpy ties a severity to the line that logs.
            if error:
                self._logger.error(line)
            else:
                self._logger.warning(line)


class Journal:
    """Counts and logs for one camera, whose name its lines begin with where a node has several.

    problems: texts, by key, of what stays wrong until the node is activated again.
    """

    def __init__(self, logger: Logger, camera: str = "") -> None:
        self.statistics = Statistics()
        self.problems: dict[str, str] = {}
        self._log = _OnceLog(logger, f"{camera}: " if camera else "")

    def say_once(self, key: str, text: str, error: bool = False) -> None:
        """Log a text the first time that its key comes up in an activation; the counters tell the rest."""
        self._log.say(key, text, error)

    def drop(self, cause: str, reason: str, under_way: bool = False) -> None:
        """Count and log an image that gives no depth. under_way: see Statistics.drop."""
        self.statistics.drop(cause, reason, under_way)
        self.say_once(cause, f"image left out: {reason}", error=True)

    def count_scan(self, counter: str, topic: str, error: Exception) -> None:
        """Count, under ``counter``, a radar scan that is not used."""
        self.statistics.count(counter)
        self.statistics.error(f"{topic}: {error}")

    def leave_scan_out(self, counter: str, topic: str, error: Exception) -> None:
        """Count, under ``counter``, and log a radar scan that is not used."""
        self.count_scan(counter, topic, error)
        self.say_once(*_scan_left_out(counter, topic, error), error=True)

    def count_lost(self, topic: str, number: int) -> None:
        """Count messages of a topic that were published, and were lost before this node took them."""
        self.statistics.count(f"lost_before_the_node {topic}", number)

    def keep_qos(self, topic: str, text: str) -> None:
        """Count and keep that the other side of a topic has a QoS that does not fit."""
        self.statistics.count("incompatible_qos")
        self.problems[f"qos {topic}"] = text

    def report_qos(self, topic: str, text: str) -> None:
        """Count, keep and log that the other side of a topic has a QoS that does not fit."""
        self.keep_qos(topic, text)
        self.say_once(f"qos {topic}", text)


class SharedJournal:
    """Counts what concerns several cameras, a radar's scans or poses, in the journal of each, and logs it once."""

    def __init__(self, journals: Sequence[Journal], logger: Logger) -> None:
        self._journals = tuple(journals)
        self._log = _OnceLog(logger)

    def has(self, journal: Journal) -> bool:
        """Return whether a journal is one of these."""
        return any(journal is one for one in self._journals)

    def count(self, name: str) -> None:
        """Count an event."""
        for journal in self._journals:
            journal.statistics.count(name)

    def sample(self, values: dict[str, float]) -> None:
        """Add measurements {name: value}."""
        for journal in self._journals:
            journal.statistics.sample(values)

    def say_once(self, key: str, text: str) -> None:
        """Log a text the first time that its key comes up in an activation."""
        self._log.say(key, text)

    def leave_scan_out(self, counter: str, topic: str, error: Exception) -> None:
        """Count, under ``counter``, and log a radar scan that is not used."""
        for journal in self._journals:
            journal.count_scan(counter, topic, error)
        self._log.say(*_scan_left_out(counter, topic, error), error=True)

    def count_lost(self, topic: str, number: int) -> None:
        """Count messages of a topic that were published, and were lost before this node took them."""
        for journal in self._journals:
            journal.count_lost(topic, number)

    def report_qos(self, topic: str, text: str) -> None:
        """Count, keep and log that the other side of a topic has a QoS that does not fit."""
        for journal in self._journals:
            journal.keep_qos(topic, text)
        self._log.say(f"qos {topic}", text)


def _scan_left_out(counter: str, topic: str, error: Exception) -> tuple[str, str]:
    return f"{counter} {topic}", f"{topic}: scan left out: {error}"
