# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""When bag time is due in wall time: numbers worked out by hand. Needs no ROS."""

import pytest

from lircdepth_ros.replay_node.schedule import Schedule

START = 1_532_402_927_000_000_000  # of the bag
NOW = 1000.0  # wall time at the start
SECOND = 1_000_000_000


@pytest.mark.parametrize(("rate", "wall"), [(1.0, 3.0), (2.0, 1.5), (0.01, 300.0)])
def test_a_moment_is_due_after_its_distance_from_the_start_divided_by_the_rate(rate, wall):
    schedule = Schedule(START, rate, NOW)
    assert schedule.due(START) == NOW
    assert schedule.due(START + 3 * SECOND) == NOW + wall
    assert schedule.bag_time(NOW + wall) == START + 3 * SECOND


def test_a_pause_moves_everything_after_it_by_its_length():
    schedule = Schedule(START, 2.0, NOW)
    schedule.pause(NOW + 1.0, START + 10 * SECOND)
    assert schedule.paused
    assert schedule.bag_time(NOW + 1.0) == schedule.bag_time(NOW + 77.0) == START + 2 * SECOND
    schedule.resume(NOW + 6.0)
    assert not schedule.paused
    assert schedule.bag_time(NOW + 6.0) == START + 2 * SECOND
    assert schedule.due(START + 4 * SECOND) == NOW + 7.0


def test_a_pause_before_a_late_message_stands_at_its_time():
    """The message of second 1 is not published yet when the pause comes at second 3: /clock must not have passed it."""
    schedule = Schedule(START, 1.0, NOW)
    schedule.pause(NOW + 3.0, START + SECOND)
    assert schedule.bag_time(NOW + 3.0) == START + SECOND
    schedule.resume(NOW + 5.0)
    assert schedule.due(START + SECOND) == NOW + 5.0


def test_a_step_jumps_to_its_message_and_the_replay_goes_on_from_there():
    schedule = Schedule(START, 1.0, NOW, paused=True)
    schedule.step_to(START + 4 * SECOND)
    assert schedule.bag_time(NOW + 9.0) == START + 4 * SECOND
    schedule.resume(NOW + 20.0)
    assert schedule.bag_time(NOW + 20.0) == START + 4 * SECOND
    assert schedule.due(START + 5 * SECOND) == NOW + 21.0


def test_a_lap_begins_when_the_last_message_of_the_one_before_was_due():
    schedule = Schedule(START, 2.0, NOW)
    schedule.begin_lap(START + 6 * SECOND)
    assert schedule.due(START) == NOW + 3.0
    assert schedule.due(START + SECOND) == NOW + 3.5


def test_another_rate_holds_from_the_moment_at_which_it_is_set():
    """By then the message of second 1 is out; the next, of second 4, is 2 s of bag time ahead: 0.5 s at fourfold."""
    schedule = Schedule(START, 1.0, NOW)
    schedule.set_rate(4.0, NOW + 2.0, START + 4 * SECOND)
    assert schedule.bag_time(NOW + 2.0) == START + 2 * SECOND
    assert schedule.due(START + 4 * SECOND) == NOW + 2.5
    schedule.begin_lap(START + 4 * SECOND)
    assert schedule.due(START + SECOND) == NOW + 2.75


def test_another_rate_neither_passes_a_late_message_nor_ends_a_pause():
    late = Schedule(START, 1.0, NOW)
    late.set_rate(2.0, NOW + 3.0, START + SECOND)
    assert late.due(START + SECOND) == NOW + 1.0
    assert late.due(START + 3 * SECOND) == NOW + 2.0
    paused = Schedule(START, 1.0, NOW)
    paused.pause(NOW + 1.0, START + 10 * SECOND)
    paused.set_rate(2.0, NOW + 5.0, START + 10 * SECOND)
    assert paused.paused
    assert paused.bag_time(NOW + 9.0) == START + SECOND
    paused.resume(NOW + 10.0)
    assert paused.due(START + 3 * SECOND) == NOW + 11.0


def test_what_does_not_apply_changes_nothing():
    schedule = Schedule(START, 1.0, NOW)
    schedule.resume(NOW + 5.0)
    schedule.step_to(START + 9 * SECOND)
    assert schedule.due(START) == NOW
    assert not schedule.paused
