# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the depth node judges its numbers; what it says over DDS is in test_faults.py."""

import re

import pytest
import yaml

pytest.importorskip("rclpy", reason="diagnostics are messages")
from lircdepth_ros.depth_node.diagnostics import ERROR, OK, WARN, assess, other_clock_text, status_name
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.depth_node.statistics import Statistics
from paths import REPOSITORY

YEAR_S, NOW_NS = 365.25 * 86400, 10**18


@pytest.mark.parametrize(("dropped", "level"), [(0, OK), (3, OK), (5, WARN), (9, WARN)])
def test_half_of_the_images_dropped_is_a_warning(dropped, level):
    statistics = Statistics()
    for i in range(10):
        statistics.count("frames_in")
        statistics.hand_over()
        if i < dropped:
            statistics.drop("busy", under_way=True)
        else:
            statistics.publish(fused=True)
    found, text = assess(statistics, Settings())
    assert found == level
    if level == WARN:
        assert text == f"{dropped} of the last 10 images were dropped: the network does not keep up"


@pytest.mark.parametrize(
    ("age_s", "simulated", "words"),
    [
        (6.3 * YEAR_S, False, "stamped 6.3 years before this node's clock: in a replay set use_sim_time to true"),
        (-90.0, False, "stamped 1.5 minutes after this node's clock"),
        (3 * 86400, True, "stamped 3.0 days before the time on /clock: is it of another recording"),
    ],
)
def test_stamps_of_another_clock_are_named_with_their_distance_and_the_remedy(age_s, simulated, words):
    text = other_clock_text(age_s, NOW_NS, simulated)
    assert words in text
    assert assess(Statistics(), Settings(), other_clock=text) == (ERROR, text)


def test_a_late_network_is_not_taken_for_another_clock():
    assert other_clock_text(20.0, NOW_NS, False) == ""
    assert "/clock is silent" in other_clock_text(-20.0, 0, True)


class NamedNode:
    """Stands for rclpy's node, which alone knows its full name."""

    def get_fully_qualified_name(self):
        return "/ego/depth_back"


def test_the_aggregator_finds_the_status_of_a_node_of_any_name():
    file = yaml.safe_load((REPOSITORY / "config/diagnostics.yaml").read_text())
    (expression,) = file["/**"]["ros__parameters"]["depth"]["regex"]
    assert re.fullmatch(expression, status_name(NamedNode()))
    assert re.fullmatch(expression, status_name(NamedNode(), "CAM_BACK"))
    assert not re.fullmatch(expression, "/camera: depth stream")
