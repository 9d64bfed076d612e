# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Playing a source without ROS: the order of messages and /clock, laps, steps, and how a replay ends."""

import threading
import time

import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.replay_node.control import RemoteControl
from lircdepth_ros.replay_node.player import Player
from lircdepth_ros.replay_node.settings import ReplaySettings
from lircdepth_ros.replay_node.sources import Topic

MILLISECOND = 1_000_000
START = 5_000 * MILLISECOND


class Recording:
    """A source in memory: ten messages on /a, 1 ms apart."""

    name = "a recording"
    start, end = START, START + 9 * MILLISECOND + 1

    def __init__(self):
        self.topics = {"/a": Topic("std_msgs/msg/String", 10)}

    def messages(self, topics, start=None, stop=None):
        for i in range(10):
            stamp = START + i * MILLISECOND
            if (start is None or stamp >= start) and (stop is None or stamp < stop):
                yield "/a", stamp, bytes([i])


class Received:
    """An output that keeps everything in the order in which it came."""

    def __init__(self):
        self.events = []

    def publish_message(self, topic, data):
        self.events.append(data[0])

    def publish_clock(self, stamp):
        self.events.append(("clock", stamp))

    @property
    def messages(self):
        return [event for event in self.events if isinstance(event, int)]

    @property
    def clock(self):
        return [event[1] for event in self.events if isinstance(event, tuple)]


class EndError(Exception):
    """Ends a replay that would go on."""


def nap(seconds):
    time.sleep(max(seconds, 0.0))


def player(received, sleep=nap, control=None, source=None, **settings):
    settings = ReplaySettings(**{"linger": 0.0} | settings)
    return Player(source or Recording(), ["/a"], settings, received, control or RemoteControl(), sleep)


def test_each_message_comes_after_the_clock_has_reached_its_time():
    received = Received()
    player(received, linger=0.002).play()
    assert received.messages == list(range(10))
    assert received.clock == sorted(received.clock)
    for i in range(10):
        before = received.events[received.events.index(i) - 1]
        assert before == ("clock", START + i * MILLISECOND)


def test_start_offset_and_duration_cut_out_a_part():
    received = Received()
    player(received, start_offset=0.003, duration=0.004).play()
    assert received.messages == [3, 4, 5, 6]


def test_a_start_beyond_the_end_is_refused():
    with pytest.raises(LircDepthError, match=r"start_offset 5.0 s is beyond the bag's 0.009 s"):
        player(Received(), start_offset=5.0)


def test_laps_follow_each_other_until_the_sleep_ends_them():
    received = Received()

    def sleep(seconds):
        if len(received.messages) >= 25:
            raise EndError
        nap(seconds)

    with pytest.raises(EndError):
        player(received, sleep, loop=True).play()
    assert received.messages == [i % 10 for i in range(25)]
    assert sum(later < earlier for earlier, later in zip(received.clock, received.clock[1:], strict=False)) == 2


def test_a_damaged_source_ends_the_replay_with_its_error():
    class Damaged(Recording):
        def messages(self, topics, start=None, stop=None):
            yield "/a", START, bytes([0])
            raise LircDepthError("damaged after 1 messages")

    received = Received()
    with pytest.raises(LircDepthError, match="damaged after 1 messages"):
        player(received, source=Damaged()).play()
    assert received.messages == [0]


def test_commands_are_answered_with_what_they_did():
    """From another thread, as services do it: two steps of a paused replay, then on to the end."""
    received, control = Received(), RemoteControl()
    playing = threading.Thread(target=player(received, control=control, start_paused=True, rate=0.05).play, daemon=True)
    playing.start()
    answers = [control.call(name, timeout=120.0) for name in ("play_next", "play_next", "pause")]
    assert answers == [(True, f"/a at {START}"), (True, f"/a at {START + MILLISECOND}"), (True, "paused")]
    assert received.messages == [0, 1]
    assert received.clock[-1] == START + MILLISECOND
    assert control.call("toggle_paused", timeout=120.0) == (True, "playing")
    assert control.call("play_next", timeout=120.0) == (False, "not paused")
    assert control.call("resume", timeout=120.0) == (True, "playing")
    playing.join(30.0)
    assert received.messages == list(range(10))
    assert control.call("pause", timeout=0.0) == (False, "nothing is being replayed yet, or any more")


def test_a_command_that_nobody_waits_for_any_more_is_not_carried_out():
    control = RemoteControl()
    control.call("pause", timeout=0.0)
    assert control.take() is None
