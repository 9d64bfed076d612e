# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How far long work is, where there is no terminal: lines with rate and remaining time, on the standard error."""

import time

import pytest

from lircdepth_core.progress import BYTES, counted, progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_line_after_two_seconds_then_each_minute_and_at_the_end(clock, capsys):
    with progress(100, "frame", done=20) as advance:
        for second, count in ((1, 1), (2, 1), (30, 18), (62, 20), (90, 40)):
            clock[0] = 100.0 + second
            advance(count)
    told = capsys.readouterr()
    assert told.out == "", "the standard output is the result's"
    assert told.err.splitlines() == [
        "22 of 100 frames, 60.0 a minute, about 78 s left",
        "60 of 100 frames, 38.7 a minute, about 62 s left",
        "100 of 100 frames, 53.3 a minute, about 0 s left",
    ]


def test_short_work_says_nothing(clock, capsys):
    for _ in counted(range(3), "frame"):
        clock[0] += 0.5
    assert capsys.readouterr().err == ""


def test_bytes_are_told_in_millions_and_long_times_in_minutes(clock, capsys):
    with progress(3_000_000_000, BYTES) as advance:
        clock[0] += 10
        advance(50_000_000)
    assert capsys.readouterr().err == "50 of 3000 MB, 300.0 a minute, about 10 minutes left\n"
