# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plays a source: each message at its time, /clock in between, under remote control. Needs no ROS."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Protocol, TypeAlias

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND
from lircdepth_ros.replay_node.control import Answer, Command, RemoteControl
from lircdepth_ros.replay_node.read_ahead import ReadAhead
from lircdepth_ros.replay_node.schedule import Schedule
from lircdepth_ros.replay_node.settings import ReplaySettings
from lircdepth_ros.replay_node.sources import Source

_LATENESS_KEPT = 100_000  # of the latest messages
_COMMAND_PERIOD_S = 0.02  # between looks for a service call
_FILL_TIMEOUT_S = 1.0  # that the reading thread has before the first message is due

# Lap, topic, stamp [ns], serialised message.
_LapMessage: TypeAlias = tuple[int, str, int, bytes]


class Output(Protocol):
    """Where a player's messages go."""

    def publish_message(self, topic: str, data: bytes) -> None:
        """Publish a serialised message."""

    def publish_clock(self, stamp: int) -> None:
        """Publish bag time [ns]."""


class Player:
    """Plays once, or in laps. topics: which of the source's are played.

    sleep(seconds) is called for every wait, and may raise to end the replay. start: bag time [ns] of the first moment.
    lateness: seconds from when a message was due to when it was published, of the latest. Raises LircDepthError when
    the start is beyond the source's end.
    """

    def __init__(
        self,
        source: Source,
        topics: Collection[str],
        settings: ReplaySettings,
        output: Output,
        control: RemoteControl,
        sleep: Callable[[float], None],
    ) -> None:
        self.start = source.start + round(settings.start_offset * NANOSECONDS_PER_SECOND)
        if self.start >= source.end:
            length = (source.end - source.start) / NANOSECONDS_PER_SECOND
            raise LircDepthError(f"start_offset {settings.start_offset} s is beyond the bag's {length:.3f} s")
        self.lateness: deque[float] = deque(maxlen=_LATENESS_KEPT)
        self._stop = self.start + round(settings.duration * NANOSECONDS_PER_SECOND) if settings.duration else None
        self._source = source
        self._topics = list(topics)
        self._settings = settings
        self._output = output
        self._control = control
        self._sleep = sleep
        self._tick_period = 1.0 / settings.clock_rate
        self._next_tick = 0.0  # wall time

    def play(self) -> None:
        """Play to the end, and let /clock go on for a while after the last message."""
        self._publish_latched()
        incoming = ReadAhead(self._messages())
        incoming.start()
        incoming.wait_until_full(_FILL_TIMEOUT_S)
        now = self._next_tick = time.monotonic()
        schedule = Schedule(self.start, self._settings.rate, now, self._settings.start_paused)
        lap, last = 0, self.start
        for message_lap, topic, stamp, data in incoming:
            if message_lap != lap:
                schedule.begin_lap(last)
                lap = message_lap
            step = self._wait_for(schedule, stamp, stepping=True)
            self._output.publish_clock(stamp)
            if step is None:
                self.lateness.append(time.monotonic() - schedule.due(stamp))
            self._output.publish_message(topic, data)
            if step is not None:
                step.answer.put(Answer(True, f"{topic} at {stamp}"))
            last = stamp
        self._wait_for(schedule, last + int(self._settings.linger * NANOSECONDS_PER_SECOND))

    def _publish_latched(self) -> None:
        """With a start offset, publish what was latched before it: /tf_static above all."""
        latched = [name for name in self._topics if self._source.topics[name].latched]
        if latched and self.start > self._source.start:
            for topic, _, data in self._source.messages(latched, stop=self.start):
                self._output.publish_message(topic, data)

    def _messages(self) -> Iterator[_LapMessage]:
        """Yield the messages of one lap, or with ``loop`` of one lap after the other."""
        for lap in itertools.count():
            count = 0
            for message in self._source.messages(self._topics, self.start, self._stop):
                count += 1
                yield lap, *message
            if not self._settings.loop or not count:
                return

    def _wait_for(self, schedule: Schedule, stamp: int, stepping: bool = False) -> Command | None:
        """Wait until bag time ``stamp`` is due, while /clock ticks.

        stepping: a call of ~/play_next ends the wait, too; then it is returned, to be answered.
        """
        while True:
            step = self._obey(schedule, stamp, stepping)
            if step is not None:
                return step
            due, now = schedule.due(stamp), time.monotonic()
            if not schedule.paused and now >= due:
                self._sleep(0.0)  # a stop signal is seen even when every message is late
                return None
            if now >= self._next_tick:
                self._output.publish_clock(schedule.bag_time(now))
                self._next_tick = max(self._next_tick + self._tick_period, now)
            wake = now + _COMMAND_PERIOD_S
            if not schedule.paused:
                wake = min(wake, due)
            self._sleep(min(wake, self._next_tick) - time.monotonic())

    def _obey(self, schedule: Schedule, stamp: int, stepping: bool) -> Command | None:
        """Carry out the commands that came. Returns a step that is to be taken now; the others are answered."""
        while (command := self._control.take()) is not None:
            if command.name == "play_next":
                if schedule.paused and stepping:
                    schedule.step_to(stamp)
                    return command
                command.answer.put(Answer(False, "not paused" if stepping else "the replay has ended"))
                continue
            if command.name == "set_rate":
                schedule.set_rate(command.value, time.monotonic(), stamp)
                command.answer.put(Answer(True, f"rate {command.value:g}"))
                continue
            pause = not schedule.paused if command.name == "toggle_paused" else command.name == "pause"
            if pause and not schedule.paused:
                schedule.pause(time.monotonic(), stamp)
            elif not pause:
                schedule.resume(time.monotonic())
            command.answer.put(Answer(True, "paused" if pause else "playing"))
        return None
