# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`replay_node`: publish a rosbag2 bag as it was recorded, or a nuScenes scene. Needs rclpy, not rosbag2.

The recorded bytes are published unchanged, at the recorded intervals divided by ``rate``, with the recorded QoS, on an
absolute schedule: a late message does not delay the next. /clock carries bag time. Services pause, resume and step;
the parameter ``rate`` may be changed.
The process ends with status 0 after the last message or a signal, and with 2 after a one-line error.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from lircdepth_core.errors import LircDepthError
from lircdepth_core.version import version
from lircdepth_ros import early_stop, node_parameters
from lircdepth_ros.replay_node.control import RemoteControl
from lircdepth_ros.replay_node.player import Player
from lircdepth_ros.replay_node.publishers import RecordedPublishers
from lircdepth_ros.replay_node.settings import PARAMETERS, ReplaySettings
from lircdepth_ros.replay_node.sources import open_source
from lircdepth_ros.replay_node.stopping import InterruptibleSleep, StopSignalError

try:
    from rosbag2_interfaces.srv import SetRate
except ImportError:  # wheels alone have no rosbag2
    SetRate = None

_SERVICES = ("pause", "resume", "toggle_paused", "play_next")
_SWITCH_INTERVAL_S = 0.0005  # that the reading thread may keep the publishing one from Python's lock
_SETTLE_S = 1.0  # a subscription is known here a little before it knows this publisher
_SUBSCRIPTION_LOOK_PERIOD_S = 0.05
_EXECUTOR_JOIN_TIMEOUT_S = 2.0


class ReplayNode(node_parameters.DeclaringNode):
    """Opens the source and makes its publishers; ``play`` replays it. Raises LircDepthError on any wrong input."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        """``sleep(seconds)`` is called for every wait, and may raise to end the replay."""
        super().__init__("replay_node", PARAMETERS, read_only=True)
        self.warn_of_unknown_parameters()
        self._sleep = sleep
        self._settings = ReplaySettings(**self.option_values())
        self._source = source = open_source(self._settings)
        self._control = RemoteControl()
        self._output = RecordedPublishers(self, source, self._settings, sleep)
        self._player = Player(source, self._output.topics, self._settings, self._output, self._control, sleep)
        for name in _SERVICES:
            self.create_service(Trigger, f"~/{name}", partial(self._on_command, name))
        if SetRate is not None:
            self.create_service(SetRate, "~/set_rate", self._on_set_rate)
        self.add_on_set_parameters_callback(self._on_parameters)

    def _on_command(self, name: str, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self._control.call(name)
        return response

    def _on_set_rate(self, request: Any, response: Any) -> Any:
        """Answer as `ros2 bag play` does: by setting the parameter, so that it tells the truth."""
        result = self.set_parameters_atomically([Parameter("rate", value=request.rate)])
        response.success = result.successful
        return response

    def _on_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        for change in changes:
            if change.name == "rate":
                success, message = self._control.call("set_rate", float(change.value))
                return SetParametersResult(successful=success, reason="" if success else message)
        return SetParametersResult(successful=True)

    def play(self) -> None:
        """Replay to the end, or until ``sleep`` raises. Logs a summary either way."""
        self.get_logger().info(f"lircdepth {version()}: replaying {self._source.name}")
        try:
            self._wait_for_subscriptions()
            self._player.play()
            self._output.wait_for_acknowledgements()
        finally:
            median, worst = np.percentile(self._player.lateness or [0.0], [50, 99]) * 1e3
            counts = ", ".join(f"{topic} {count}" for topic, count in sorted(self._output.counts.items()))
            lateness = f"timing error p50 {median:.2f} ms, p99 {worst:.2f} ms"
            total = sum(self._output.counts.values())
            self.get_logger().info(f"published {total} messages ({lateness}): {counts}")
            if self._output.unsent:
                self.get_logger().warning(f"lost, the middleware had no room: {dict(self._output.unsent)}")
            self._warn_of_damage()
        if not total:
            raise LircDepthError(f"no message of {self._source.name} was published")

    def _warn_of_damage(self) -> None:
        """Log what the bag, or its last lap, lacks and what of it is damaged."""
        account = self._source.account
        if account is None:
            return
        if account.damaged:
            counts = ", ".join(f"{topic} {count}" for topic, count in sorted(account.damaged.items()))
            self.get_logger().warning(f"left out, damaged: {counts}; the first: {account.reasons[0]}")
        if account.missing():
            self.get_logger().warning(account.missing_text())

    def _wait_for_subscriptions(self) -> None:
        timeout = self._settings.wait_for_subscribers
        if timeout <= 0:
            return
        self.get_logger().info("waiting for subscriptions")
        deadline = time.monotonic() + timeout
        missing: list[str] = []
        while time.monotonic() < deadline:
            counts = self._output.subscription_counts()
            missing = [topic for topic in self._settings.wait_for_topics if not counts[topic]]
            if not missing and any(counts.values()):
                self._sleep(_SETTLE_S)
                return
            self._output.publish_clock(self._player.start)  # nodes on bag time have a time while they start
            self._sleep(_SUBSCRIPTION_LOOK_PERIOD_S)
        awaited = ", ".join(missing) or "any topic"
        self.get_logger().warning(f"no subscription to {awaited} after {timeout} s; starting all the same")


def main(args: list[str] | None = None) -> int:
    """Run the node; return its exit status: 0 after the last message or a stop signal, 2 after a one-line error."""
    sleep = InterruptibleSleep()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    args = sys.argv if args is None else args
    spinner = None
    try:
        early_stop.install()  # until there is something to end in order: to open a source may take long
        node_parameters.start_rclpy(args, signal_handler_options=SignalHandlerOptions.NO)
        node = ReplayNode(sleep)
        node_parameters.warn_of_unmatched_files(node, args)
        sleep.listen()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spinner = threading.Thread(target=_spin, args=(executor,), daemon=True)
        spinner.start()  # answers services
        try:
            node.play()
        except StopSignalError:
            node.get_logger().info("stopped by a signal")
    except LircDepthError as error:
        print(f"replay_node: error: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
        if spinner is not None and spinner.is_alive():
            spinner.join(timeout=_EXECUTOR_JOIN_TIMEOUT_S)
    return 0


def _spin(executor: Executor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()
