# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which radar scan an image gets, and when: the camera drives, the nearest scan wins, waiting is bounded."""

import pytest

from lircdepth_core.matching.assembler import FrameAssembler

MS = 1_000_000
WINDOW, WAIT = 100 * MS, 60 * MS


def assembler(*radars, **options):
    return FrameAssembler(radars or ["front"], window=WINDOW, max_wait=WAIT, **options)


def scan_stamps(matches):
    return [(match.stamp // MS, {name: scan.stamp // MS for name, scan in match.scans.items()}) for match in matches]


def test_the_nearest_scan_wins_as_soon_as_none_can_be_nearer():
    frames = assembler()
    frames.add_scan("front", 960 * MS, None)
    frames.add_image(1000 * MS, "image", now=0)
    assert frames.poll(now=0) == [], "a scan that is yet to come may be nearer than 40 ms"
    frames.add_scan("front", 1035 * MS, None)
    assert scan_stamps(frames.poll(now=1)) == [(1000, {"front": 1035})]


def test_a_scan_52_ms_after_its_image_is_waited_for():
    """nuScenes key frames have that: without the wait they would be camera-only."""
    frames = assembler()
    frames.add_image(1000 * MS, "image", now=5 * MS)
    assert frames.poll(now=57 * MS) == []
    frames.add_scan("front", 1052 * MS, None)
    assert scan_stamps(frames.poll(now=57 * MS)) == [(1000, {"front": 1052})]


def test_the_wait_is_bounded_and_then_the_frame_is_camera_only():
    frames = assembler()
    frames.add_image(1000 * MS, "image", now=5 * MS)
    assert frames.poll(now=65 * MS - 1) == []
    assert scan_stamps(frames.poll(now=65 * MS)) == [(1000, {})]


@pytest.mark.parametrize(("offset", "used"), [(-101, False), (-100, True), (100, True), (101, False)])
def test_only_scans_within_the_window_count(offset, used):
    frames = assembler()
    frames.add_scan("front", (1000 + offset) * MS, None)
    frames.add_image(1000 * MS, "image", now=0)
    assert scan_stamps(frames.poll(now=WAIT)) == [(1000, {"front": 1000 + offset} if used else {})]


def test_the_next_scan_is_not_waited_for_when_it_cannot_be_nearer():
    """At 13 Hz a scan 20 ms old is the nearest: the next comes 57 ms after the image, give or take a quarter period."""
    frames = assembler()
    for stamp in (826, 903, 980):
        frames.add_scan("front", stamp * MS, None)
    frames.add_image(1000 * MS, "image", now=0)
    assert scan_stamps(frames.poll(now=0)) == [(1000, {"front": 980})]
    frames.add_image(1016 * MS, "image", now=0)  # now 36 ms old, and the next may come 27 ms after the image
    assert frames.poll(now=0) == []


def test_every_radar_is_matched_and_a_silent_one_does_not_hold_the_others_back_for_longer_than_the_wait():
    frames = assembler("left", "right")
    frames.add_scan("left", 1010 * MS, None)
    frames.add_image(1000 * MS, "image", now=0)
    assert frames.poll(now=WAIT - 1) == []
    assert scan_stamps(frames.poll(now=WAIT)) == [(1000, {"left": 1010})]


def test_images_leave_in_order_even_when_a_later_one_is_complete():
    transforms = {1000 * MS: False, 1083 * MS: True}
    frames = assembler(ready=lambda match: transforms[match.stamp])
    frames.add_scan("front", 1090 * MS, None)
    frames.add_image(1000 * MS, "first", now=0)
    frames.add_image(1083 * MS, "second", now=0)
    assert frames.poll(now=0) == [], "the first still waits for its transform"
    transforms[1000 * MS] = True
    assert [match.image for match in frames.poll(now=1)] == ["first", "second"]
    assert frames.pending == 0


def test_a_bag_that_loops_starts_afresh():
    frames = assembler()
    frames.add_scan("front", 9000 * MS, "old")
    frames.add_image(9000 * MS, "old", now=0)
    assert len(frames.poll(now=0)) == 1
    frames.add_scan("front", 1010 * MS, "new")
    frames.add_image(1000 * MS, "new", now=0)
    (match,) = frames.poll(now=0)
    assert (match.image, match.scans["front"].data) == ("new", "new")
    assert frames.time_jumps == 1


def test_after_a_loop_a_scan_of_the_last_lap_is_not_taken_for_a_later_one():
    frames = assembler()
    frames.add_scan("front", 9000 * MS, "old")
    frames.add_image(9000 * MS, "old", now=0)
    frames.poll(now=0)
    frames.add_image(1000 * MS, "new", now=0)
    assert frames.poll(now=0) == [], "the image must wait for a scan of its own lap"
    frames.add_scan("front", 1020 * MS, "new")
    assert scan_stamps(frames.poll(now=1)) == [(1000, {"front": 1020})]


def test_an_image_that_comes_twice_is_a_jump_and_gets_its_own_frame():
    frames = assembler()
    for _ in range(2):
        frames.add_image(1000 * MS, "image", now=0)
        frames.add_scan("front", 1010 * MS, None)
        assert len(frames.poll(now=0)) == 1
    assert frames.time_jumps == 1


def test_memory_is_bounded():
    frames = assembler()
    for i in range(10_000):
        frames.add_scan("front", i * 77 * MS, None)
    assert len(frames._scans["front"]) <= 64
