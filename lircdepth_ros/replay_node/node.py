# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`replay_node`: publish a rosbag2 bag as it was recorded, or a nuScenes scene. Needs rclpy, not rosbag2.

The recorded bytes are published unchanged, at the recorded intervals divided by ``rate``, with the recorded QoS, on an
absolute schedule: a late message does not delay the next. /clock carries bag time. Services pause, resume and step.
Ends with status 0 after the last message or a signal, 2 after a one-line error.
"""

import importlib
import itertools
import os
import queue
import select
import signal
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from functools import partial

import numpy as np
import rclpy
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy._rclpy_pybind11 import RCLError
from rclpy.duration import Duration
from rclpy.exceptions import NoTypeSupportImportedException, ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.replay_node.sources import BagSource, NuscenesSource

# name: (default, what it means, range of a number)
_PARAMETERS = {
    "source": ("bag", "what to replay: bag, or nuscenes (a data root, without converting it)", None),
    "bag": ("", "rosbag2 directory, or a single .mcap or .db3 file", None),
    "dataroot": ("", "folder of a nuScenes data root, for source nuscenes", None),
    "version": ("v1.0-mini", "tables of the data root, for source nuscenes", None),
    "scene": ("", "scene of the data root, for source nuscenes", None),
    "rate": (1.0, "speed relative to the recording", (0.01, 100.0)),
    "loop": (False, "start again after the last message; stamps and /clock jump back", None),
    "start_offset": (0.0, "where to start, seconds after the bag's start", (0.0, 1e9)),
    "duration": (0.0, "how much to replay, seconds of bag time; 0: to the end", (0.0, 1e9)),
    "start_paused": (False, "start paused: ~/resume or ~/play_next goes on", None),
    "publish_clock": (True, "publish bag time on /clock, between messages and before each", None),
    "clock_rate": (100.0, "how often /clock ticks between messages, Hz of wall time", (1.0, 1000.0)),
    "topics": (Parameter.Type.STRING_ARRAY, "replay only these topics, by recorded name (default: all)", None),
    "wait_for_subscribers": (
        0.0,
        "before the first message, wait for subscriptions to wait_for_topics, this many seconds at most",
        (0.0, 1e6),
    ),
    "wait_for_topics": (
        Parameter.Type.STRING_ARRAY,
        "topics that wait_for_subscribers waits for, each (default: any one replayed topic)",
        None,
    ),
    "linger": (1.0, "how long /clock goes on after the last message, seconds of bag time", (0.0, 1e6)),
}
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_READ_AHEAD = 64  # messages: a third of a second of a nuScenes scene
_SWITCH_INTERVAL = 0.0005  # seconds that the reading thread may keep the publishing one from Python's lock
_SETTLE = 1.0  # seconds: a subscription is known here a little before it knows this publisher
_ATTEMPTS = 10  # at a message that the middleware has no room for; it blocks some 100 ms each
_ANSWER_TIMEOUT = 5.0  # seconds that a service call waits for the replay
_COMMAND_PERIOD = 0.02  # seconds between looks for a service call
_ACKNOWLEDGE_TIMEOUT = 5.0  # seconds that reliable subscribers have for what is still under way at the end


class _StopSignalError(Exception):
    """SIGINT or SIGTERM arrived."""


class _InterruptibleSleep:
    """Sleeps until a stop signal arrives, in whichever thread, and from then on raises _StopSignalError.

    The signal ends a sleep at once and never lands in the middle of a publish. To be made in the main thread.
    """

    def __init__(self):
        self._read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end)
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda *_: None)  # instead of KeyboardInterrupt; the byte in the pipe is enough

    def __call__(self, seconds):
        if select.select([self._read_end], [], [], max(seconds, 0.0))[0]:
            raise _StopSignalError


class _ReadAhead(threading.Thread):
    """Iterates in a thread of its own, a bounded number of items ahead, and is iterated over; errors come through."""

    def __init__(self, items):
        super().__init__(name="read_ahead", daemon=True)
        self._items, self._queue = items, queue.Queue(_READ_AHEAD)
        self._ended = threading.Event()

    def run(self):
        end = None
        try:
            for item in self._items:
                self._queue.put(item)
        except Exception as error:
            end = error
        self._ended.set()
        self._queue.put(end)

    def wait_until_full(self, timeout):
        deadline = time.monotonic() + timeout
        while not self._queue.full() and not self._ended.is_set() and time.monotonic() < deadline:
            time.sleep(0.001)

    def __iter__(self):
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item


class ReplayNode(Node):
    """Opens the bag and makes its publishers; ``play`` replays it. Raises LircDepthError on any wrong input."""

    def __init__(self, sleep):
        """``sleep(seconds)`` is called for every wait, and may raise to end the replay."""
        super().__init__("replay_node")
        self._sleep = sleep
        settings = {name: self._declare(name, *entry) for name, entry in _PARAMETERS.items()}
        self._rate, self._loop = settings["rate"], settings["loop"]
        self._tick = 1.0 / settings["clock_rate"]
        self._linger = settings["linger"]
        self._wait_timeout, self._wait_topics = settings["wait_for_subscribers"], settings["wait_for_topics"]
        self._source = self._open(settings)
        self._start = self._source.start + round(settings["start_offset"] * 1e9)
        if self._start >= self._source.end:
            length = (self._source.end - self._source.start) / 1e9
            raise LircDepthError(f"start_offset {settings['start_offset']} s is beyond the bag's {length:.3f} s")
        self._stop = self._start + round(settings["duration"] * 1e9) if settings["duration"] else None
        self._clock = self.create_publisher(Clock, "/clock", 10) if settings["publish_clock"] else None
        self._make_publishers(settings["topics"])
        self._counts, self._unsent = Counter(), Counter()
        self._late = deque(maxlen=100_000)  # seconds, of the latest
        self._commands = queue.SimpleQueue()  # (what to do, where to put the answer, whether nobody waits)
        self._paused_at = None  # monotonic seconds, while paused
        self._start_paused = settings["start_paused"]
        for name in ("pause", "resume", "toggle_paused", "play_next"):
            self.create_service(Trigger, f"~/{name}", partial(self._on_command, name))

    @staticmethod
    def _open(settings):
        if settings["source"] == "bag":
            return BagSource(settings["bag"])
        if settings["source"] == "nuscenes":
            return NuscenesSource(settings["dataroot"], settings["version"], settings["scene"])
        raise LircDepthError(f"parameter 'source' is '{settings['source']}', expected bag or nuscenes")

    def _declare(self, name, default, description, limits):
        span = [FloatingPointRange(from_value=limits[0], to_value=limits[1])] if limits else []
        descriptor = ParameterDescriptor(description=description, read_only=True, floating_point_range=span)
        try:
            self.declare_parameter(name, default, descriptor)
        except ParameterException as error:
            raise LircDepthError(f"parameter '{name}' ({description}): {error}") from error
        value = self.get_parameter_or(name, Parameter(name)).value
        if default is Parameter.Type.STRING_ARRAY:
            return [item for item in value or [] if item]  # launch files write an empty list as ['']
        return value

    def _make_publishers(self, only):
        topics = self._source.topics
        for topic in only:
            if topic not in topics:
                raise LircDepthError(f"topic {topic!r} is not in the bag, which has {', '.join(sorted(topics))}")
        self._publishers_by_topic, unsupported = {}, {}
        for name, topic in topics.items():
            if (only and name not in only) or (name == "/clock" and self._clock):  # bag time has one source
                continue
            try:
                package, _, kind = topic.msgtype.split("/")
                message_class = getattr(importlib.import_module(f"{package}.msg"), kind)
                self._publishers_by_topic[name] = self.create_publisher(message_class, name, _recorded_qos(topic))
            except (ImportError, AttributeError, NoTypeSupportImportedException):
                unsupported.setdefault(topic.msgtype, []).append(name)
        for msgtype, names in unsupported.items():
            self.get_logger().warning(f"not replayed: {', '.join(names)}: {msgtype} has no Python support here")
        if not self._publishers_by_topic:
            raise LircDepthError(f"{self._source.name} has no topic that can be replayed")
        for topic in self._wait_topics:
            if topic not in self._publishers_by_topic:
                raise LircDepthError(f"wait_for_topics: {topic!r} is not a replayed topic")

    def play(self):
        """Replay to the end, or until ``sleep`` raises. Logs a summary either way."""
        try:
            self._wait_for_subscriptions()
            self._publish_latched()
            self._publish_all()
            self._finish()
        finally:
            late = np.percentile(self._late or [0.0], [50, 99]) * 1e3
            counts = ", ".join(f"{topic} {count}" for topic, count in sorted(self._counts.items()))
            lateness = f"timing error p50 {late[0]:.2f} ms, p99 {late[1]:.2f} ms"
            self.get_logger().info(f"published {self._counts.total()} messages ({lateness}): {counts}")
            if self._unsent:
                self.get_logger().warning(f"lost, the middleware had no room: {dict(self._unsent)}")

    def _wait_for_subscriptions(self):
        deadline = time.monotonic() + self._wait_timeout
        if self._wait_timeout > 0:
            self.get_logger().info("waiting for subscriptions")
        while time.monotonic() < deadline:
            counts = {
                topic: publisher.get_subscription_count() for topic, publisher in self._publishers_by_topic.items()
            }
            missing = [topic for topic in self._wait_topics if not counts[topic]]
            if not missing and any(counts.values()):
                self._sleep(_SETTLE)
                return
            self._publish_clock(self._start)  # nodes on bag time have a time while they start
            self._sleep(0.05)
        if self._wait_timeout > 0:
            awaited = ", ".join(missing) or "any topic"
            self.get_logger().warning(
                f"no subscription to {awaited} after {self._wait_timeout} s; starting all the same"
            )

    def _publish_latched(self):
        """With a start offset, publish what was latched before it: /tf_static above all."""
        latched = [name for name in self._publishers_by_topic if self._source.topics[name].latched]
        if latched and self._start > self._source.start:
            for topic, _, data in self._source.messages(latched, stop=self._start):
                self._publish(topic, data)

    def _messages(self):
        """Yield (lap, topic, stamp in nanoseconds, bytes), again and again with ``loop``."""
        for lap in itertools.count():
            count = 0
            for message in self._source.messages(list(self._publishers_by_topic), self._start, self._stop):
                count += 1
                yield lap, *message
            if not self._loop or not count:
                return

    def _publish_all(self):
        incoming = _ReadAhead(self._messages())
        incoming.start()
        incoming.wait_until_full(timeout=1.0)
        # Bag time `self._start` is wall time `self._origin`; a loop, a pause and a step move the origin, nothing else.
        self._origin = self._next_tick = time.monotonic()
        self._paused_at = self._origin if self._start_paused else None
        lap, last = 0, self._start
        for message_lap, topic, stamp, data in incoming:
            if message_lap != lap:
                self._origin += (last - self._start) / 1e9 / self._rate
                lap = message_lap
            due, answer = self._run_until(stamp, step=True)
            self._publish_clock(stamp)
            if answer is None:
                self._late.append(time.monotonic() - due)
            self._publish(topic, data)
            if answer is not None:
                answer.put((True, f"{topic} at {stamp}"))
            last = stamp
        self._last = last

    def _run_until(self, stamp, step=False):
        """Wait until bag time ``stamp`` is due while /clock ticks; return when it was due (monotonic seconds).

        With ``step`` a call of ~/play_next ends the wait, too: then returns where to put the answer beside.
        """
        while True:
            answer = self._obey(stamp, step)
            if answer is not None:
                return time.monotonic(), answer
            due = self._origin + (stamp - self._start) / 1e9 / self._rate
            now = time.monotonic()
            if self._paused_at is None and now >= due:
                self._sleep(0.0)  # a stop signal is seen even when every message is late
                return due, None
            bag_now = now if self._paused_at is None else self._paused_at
            if now >= self._next_tick:
                self._publish_clock(self._start + round((bag_now - self._origin) * self._rate * 1e9))
                self._next_tick = max(self._next_tick + self._tick, now)
            wake = now + _COMMAND_PERIOD if self._paused_at is not None else due
            self._sleep(min(wake, self._next_tick, now + _COMMAND_PERIOD) - time.monotonic())

    # --- services ----------------------------------------------------------------------------------------------

    def _on_command(self, name, _request, response):
        """In the executor's thread: hand the command to the replay's, and wait for what comes of it."""
        answer, given_up = queue.SimpleQueue(), threading.Event()
        self._commands.put((name, answer, given_up))
        try:
            response.success, response.message = answer.get(timeout=_ANSWER_TIMEOUT)
        except queue.Empty:
            given_up.set()
            response.success, response.message = False, "nothing is being replayed yet, or any more"
        return response

    def _obey(self, stamp, step):
        """Carry out what services were called for. Returns where to answer a step that is to be taken now."""
        with suppress(queue.Empty):
            while True:
                name, answer, given_up = self._commands.get_nowait()
                if given_up.is_set():
                    continue
                if name == "play_next":
                    if self._paused_at is None or not step:
                        answer.put((False, "not paused" if step else "the replay has ended"))
                        continue
                    # Bag time jumps to the message's.
                    self._origin = self._paused_at - (stamp - self._start) / 1e9 / self._rate
                    return answer
                paused = self._paused_at is not None
                wanted = not paused if name == "toggle_paused" else name == "pause"
                if wanted and not paused:  # where a message is late already, at its time: /clock must not pass it
                    due = self._origin + (stamp - self._start) / 1e9 / self._rate
                    self._paused_at = min(time.monotonic(), due)
                elif paused and not wanted:
                    self._origin += time.monotonic() - self._paused_at
                    self._paused_at = None
                answer.put((True, "paused" if wanted else "playing"))
        return None

    # --- publishing --------------------------------------------------------------------------------------------

    def _publish(self, topic, data):
        for _ in range(_ATTEMPTS):
            try:
                self._publishers_by_topic[topic].publish(data)
                self._counts[topic] += 1
                return
            except RCLError:  # a reliable subscriber is far behind
                self._sleep(0.0)
        self._unsent[topic] += 1

    def _publish_clock(self, stamp):
        if self._clock:
            clock = Clock()
            clock.clock.sec, clock.clock.nanosec = divmod(stamp, 1_000_000_000)
            with suppress(RCLError):  # a reliable subscriber is far behind; the next tick makes up for it
                self._clock.publish(clock)

    def _finish(self):
        """Let nodes on bag time finish, and reliable subscribers fetch what is still under way."""
        self._run_until(self._last + int(self._linger * 1e9))
        deadline = time.monotonic() + _ACKNOWLEDGE_TIMEOUT
        waiting = dict(self._publishers_by_topic)
        while waiting and time.monotonic() < deadline:
            for topic in list(waiting):
                if waiting[topic].wait_for_all_acked(Duration(seconds=0.02)):
                    del waiting[topic]
                self._sleep(0.0)
        if waiting:
            self.get_logger().warning(f"not acknowledged by every reliable subscription: {', '.join(waiting)}")


def _recorded_qos(topic):
    """Return the QoS to offer for one topic.

    Reliability and durability are the recorded ones where all publishers agreed, else reliable and volatile. A recorder
    that could not see the depth wrote 0: then it is 10. A latched topic keeps all its messages for late joiners.
    """
    profiles = topic.profiles
    best_effort = bool(profiles) and all(profile.reliability.name == "BEST_EFFORT" for profile in profiles)
    depth = max([profile.depth for profile in profiles if profile.history.name == "KEEP_LAST"], default=0) or 10
    if topic.latched:
        depth = max(depth, min(topic.count, 1000))
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else DurabilityPolicy.VOLATILE,
    )


def main(args=None):
    """Run the node; return its exit status: 0 after the last message or a stop signal, 2 after a one-line error."""
    sleep = _InterruptibleSleep()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    spinner = threading.Thread(target=_spin, args=(executor,), daemon=True)
    node = None
    try:
        node = ReplayNode(sleep)
        executor.add_node(node)
        spinner.start()  # answers services
        node.play()
    except _StopSignalError:
        node.get_logger().info("stopped by a signal")
    except LircDepthError as error:
        print(f"replay_node: error: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
        if spinner.is_alive():
            spinner.join(timeout=2.0)
    return 0


def _spin(executor):
    with suppress(ExternalShutdownException):
        executor.spin()
