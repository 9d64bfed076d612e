# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which radar scan an image gets, and when: the camera drives, the nearest scan wins, waiting is bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def accounted(frames):
    return frames.received == frames.released + sum(frames.dropped.values()) + frames.pending


def test_each_image_sent_twice_gives_one_frame_each_and_the_repetitions_are_counted():
    frames, released = assembler(), []
    for stamp in range(1000, 1600, 50):
        for _ in range(2):
            frames.add_image(stamp * MS, stamp, now=stamp * MS)
            assert accounted(frames)
        released += frames.poll(now=(stamp + 70) * MS)
    assert [match.image for match in released] == list(range(1000, 1600, 50))
    assert (frames.received, frames.dropped, frames.time_jumps) == (24, {"duplicate": 12}, 0)
    assert frames.pending == 0


def test_an_image_that_repeats_an_earlier_one_which_was_released_is_a_duplicate():
    frames = assembler()
    for stamp in (1000, 1050, 1000):
        frames.add_image(stamp * MS, stamp, now=0)
        frames.poll(now=WAIT)
    assert (frames.released, frames.dropped) == (2, {"duplicate": 1})


def test_a_small_step_back_costs_that_image_only():
    lost = []
    frames = assembler(on_drop=lambda cause, stamp, image: lost.append((cause, stamp // MS, image)))
    for stamp in (1000, 1080, 1040, 1120):
        frames.add_image(stamp * MS, stamp, now=0)
    assert frames.pending == 3
    assert [match.image for match in frames.poll(now=WAIT)] == [1000, 1080, 1120]
    assert lost == [("out_of_order", 1040, 1040)]
    assert frames.time_jumps == 0


def test_what_a_jump_in_time_discards_is_counted():
    lost = []
    frames = assembler(on_drop=lambda cause, stamp, image: lost.append((cause, image)))
    for stamp in (9000, 9050, 1000):
        frames.add_image(stamp * MS, stamp, now=0)
    assert sorted(lost) == [("time_jump", 9000), ("time_jump", 9050)]
    assert [match.image for match in frames.poll(now=WAIT)] == [1000]
    assert accounted(frames)
    frames.add_image(1100 * MS, 1100, now=0)
    frames.forget_after(1050 * MS)  # the clock went back
    assert (frames.dropped["time_jump"], frames.pending) == (3, 0)
    assert accounted(frames)


def test_a_bag_that_loops_is_seen_however_wide_the_window_is():
    frames = FrameAssembler(["front"], window=10_000 * MS)
    frames.add_image(5000 * MS, "last", now=0)
    frames.add_image(1000 * MS, "first", now=0)
    assert [match.image for match in frames.poll(now=WAIT)] == ["first"]
    assert frames.time_jumps == 1


def test_one_lost_scan_does_not_change_which_scan_the_next_image_gets():
    """At 50 ms, with the scan at 1100 lost: the one at 1200 is still waited for, since it is nearer than 1150."""
    frames = assembler()
    for stamp in (900, 950, 1000, 1050, 1150):
        frames.add_scan("front", stamp * MS, None)
    frames.add_image(1180 * MS, "image", now=0)
    assert frames.poll(now=0) == []
    frames.add_scan("front", 1200 * MS, None)
    assert scan_stamps(frames.poll(now=1)) == [(1180, {"front": 1200})]


def test_a_scan_out_of_order_takes_no_other_scan_away():
    frames = assembler()
    for stamp in (950, 1010, 960):
        frames.add_scan("front", stamp * MS, None)
    frames.add_image(1000 * MS, "image", now=0)
    assert scan_stamps(frames.poll(now=WAIT)) == [(1000, {"front": 1010})]


def test_a_radar_whose_clock_is_37_s_ahead_is_named_with_the_offset():
    """TAI is 37 s ahead of UTC since 2017."""
    frames = assembler("tai", "utc")
    for i in range(20):
        frames.add_image((1000 + 80 * i) * MS, i, now=0)
        frames.add_scan("tai", (38_000 + 80 * i) * MS, None)
        frames.add_scan("utc", (1005 + 80 * i) * MS, None)
        frames.poll(now=WAIT)
    assert frames.stamp_offsets() == {"tai": 37_000 * MS}


def test_sweeps_from_before_a_silence_are_not_accumulated():
    frames = assembler(past_sweeps=3)
    for stamp in (0, 77, 154, 60_000, 60_077):
        frames.add_scan("front", stamp * MS, None)
    frames.add_image(60_080 * MS, "image", now=0)
    (match,) = frames.poll(now=WAIT)
    assert [scan.stamp // MS for scan in match.past["front"]] == [60_000]


# An event: (what, step of the stamp in ms, delay of its arrival in ms). Most steps are those of a sensor; some lose
# messages, repeat one, or jump.
STEPS = st.one_of(st.integers(0, 120), st.integers(-90, 300), st.sampled_from([0, -5000, 5000, 86_400_000]))
EVENTS = st.lists(
    st.tuples(st.sampled_from(["image", "left", "right"]), STEPS, st.integers(0, 150)), min_size=10, max_size=60
)


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.integers(0, 200), st.integers(0, 100))
def test_whatever_comes_is_accounted_for_released_in_order_and_matched_to_the_nearest_scan_that_is_there(
    events, window, wait
):
    lost, arrived, released = [], {"left": [], "right": []}, []
    frames = FrameAssembler(
        ["left", "right"],
        window=window * MS,
        max_wait=wait * MS,
        on_drop=lambda cause, stamp, image: lost.append(image),
    )
    stamps, now, images = {"image": 10**9, "left": 10**9, "right": 10**9}, 0, 0
    jumps = 0

    def check(matches, now):
        for match in matches:
            for name, known in arrived.items():
                inside = [stamp for stamp in known[-64:] if abs(stamp - match.stamp) <= window * MS]
                if not inside:
                    assert name not in match.scans
                    continue
                nearest = min(abs(stamp - match.stamp) for stamp in inside)
                assert abs(match.scans[name].stamp - match.stamp) == nearest
        released.extend((match.image, match.stamp) for match in matches)

    for what, step, delay in events:
        now += delay * MS
        check(frames.poll(now), now)
        stamps[what] += step * MS
        if what == "image":
            frames.add_image(stamps[what], images, now)
            images += 1
            if frames.time_jumps > jumps:  # whatever is later belongs to the time before the jump
                jumps = frames.time_jumps
                for name, known in arrived.items():
                    arrived[name] = [stamp for stamp in known if stamp <= stamps[what] + window * MS]
        else:
            frames.add_scan(what, stamps[what], None)
            if stamps[what] in arrived[what]:
                arrived[what].remove(stamps[what])
            arrived[what].append(stamps[what])
        assert accounted(frames)
        check(frames.poll(now), now)
    check(frames.poll(now + wait * MS), now)
    assert frames.pending == 0
    assert frames.received == images == frames.released + sum(frames.dropped.values())
    order = [image for image, _ in released]
    assert order == sorted(order), "an image overtook an earlier one"
    assert sorted(order + lost) == list(range(images)), "each image is released once, or dropped once"


@settings(deadline=None)
@given(
    st.integers(30, 120),
    st.lists(st.tuples(st.booleans(), st.integers(-6, 6)), min_size=8, max_size=40),
    st.lists(st.integers(20, 200), min_size=1, max_size=12),
    st.integers(0, 59),
)
def test_of_a_steady_radar_the_nearest_scan_that_arrives_by_the_deadline_wins_whatever_is_lost(
    period, scans, steps, delay
):
    """Stamps jitter by a few per cent of the period, a quarter of the scans may be lost, all arrive equally late."""
    stamps = [
        1000 + i * period + wobble * period // 100
        for i, (lost, wobble) in enumerate(scans)
        if i < 3 or i % 4 or not lost
    ]
    images = [1000 + 3 * period + sum(steps[: i + 1]) for i in range(len(steps))]
    events = sorted(
        [(stamp + delay, 0, "scan", stamp) for stamp in stamps] + [(stamp, 1, "image", stamp) for stamp in images]
    )
    frames, found = assembler(), {}
    for now, _, what, stamp in events:
        for moment in range(max(0, now - 2), now + 1):  # polled between messages, too
            found |= {match.stamp // MS: match.scans.get("front") for match in frames.poll(moment * MS)}
        if what == "scan":
            frames.add_scan("front", stamp * MS, None)
        else:
            frames.add_image(stamp * MS, None, now * MS)
        found |= {match.stamp // MS: match.scans.get("front") for match in frames.poll(now * MS)}
    found |= {match.stamp // MS: match.scans.get("front") for match in frames.poll((events[-1][0] + 60) * MS)}
    for image in images:
        in_time = [s for s in stamps if s + delay < image + 60 and abs(s - image) <= 100]
        if not in_time:
            continue
        assert found[image] is not None
        assert abs(found[image].stamp // MS - image) <= min(abs(s - image) for s in in_time)


def test_memory_is_bounded():
    frames = assembler()
    for i in range(10_000):
        frames.add_scan("front", i * 77 * MS, None)
    frames.add_image(9_999 * 77 * MS, None, now=0)
    (match,) = frames.poll(now=0)
    assert match.scans["front"].stamp == 9_999 * 77 * MS
    assert len(frames._radars["front"].scans) <= 64
