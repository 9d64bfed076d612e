# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""RViz and Foxglove show topics that there are, in the forms that they have: neither tells of a misspelled one."""

import json
import re

import pytest
import yaml

from lircdepth_ros import layouts
from lircdepth_ros.layouts import BOXES_TOPIC, DIAGNOSTICS_TOPIC, LIDAR_TOPIC
from paths import REPOSITORY

VIEWERS = REPOSITORY / "config/viewers"
SETS = {"front": layouts.front(), "surround": layouts.surround()}
# What each display and panel can show, from the documentation of RViz and of Foxglove.
OF_DISPLAY = {"Image": "sensor_msgs/msg/Image", "PointCloud2": "sensor_msgs/msg/PointCloud2",
              "MarkerArray": "visualization_msgs/msg/MarkerArray"}  # fmt: skip
OF_SCENE = {"sensor_msgs/msg/PointCloud2", "visualization_msgs/msg/MarkerArray"}


def declared(nodes):
    """{topic: type} of what the nodes publish and read, and of the converter's bags (docs/bags.md)."""
    topics = {topic: kind for node in nodes for topic, kind in node.published.items()}
    topics |= {node.surround: "sensor_msgs/msg/PointCloud2" for node in nodes if len(nodes) > 1}
    topics |= {topic: "sensor_msgs/msg/PointCloud2" for node in nodes for topic in (*node.radars, LIDAR_TOPIC)}
    return topics | {BOXES_TOPIC: OF_DISPLAY["MarkerArray"], DIAGNOSTICS_TOPIC: "diagnostic_msgs/msg/DiagnosticArray"}


@pytest.mark.parametrize("name", SETS)
def test_every_display_of_rviz_has_a_topic_of_its_type(name):
    manager = yaml.safe_load((VIEWERS / f"{name}.rviz").read_text())["Visualization Manager"]
    topics, shown = declared(SETS[name]), set()
    for display in manager["Displays"]:
        kind = display["Class"].removeprefix("rviz_default_plugins/")
        if "Topic" in display:
            topic = display["Topic"]["Value"]
            assert topics[topic] == OF_DISPLAY[kind], topic
            assert display["Topic"]["Reliability Policy"] in ("Best Effort", "Reliable")
            shown.add(topic)
    assert {display["Class"].rpartition("/")[2] for display in manager["Displays"]} >= {"Grid", "TF"}
    for node in SETS[name]:
        assert {node.output(view) for view in ("color", "points", "radar_arrows")} | {node.overlay} <= shown
    assert manager["Global Options"]["Fixed Frame"] == "odom"
    assert len({display["Name"] for display in manager["Displays"]}) == len(manager["Displays"])


@pytest.mark.parametrize("name", SETS)
def test_every_panel_of_foxglove_has_a_topic_of_its_type(name):
    layout = json.loads((VIEWERS / f"{name}.foxglove.json").read_text())
    topics, panels = declared(SETS[name]), layout["configById"]
    assert {topics[topic] for topic in panels["3D!scene"]["topics"]} == OF_SCENE
    images = [panel["imageMode"]["imageTopic"] for key, panel in panels.items() if key.startswith("Image!")]
    assert {topics[topic] for topic in images} == {"sensor_msgs/msg/Image"}
    for path in panels["Plot!latency"]["paths"]:
        topic, field = re.fullmatch(r"(.*)\.(\w+)", path["value"]).groups()
        assert (topics[topic], field) == ("std_msgs/msg/Float64", "data")
    assert topics[panels["DiagnosticSummary!health"]["topicToRender"]] == "diagnostic_msgs/msg/DiagnosticArray"
    for node in SETS[name]:
        assert node.output("color") in images
        assert {node.output("points"), node.output("radar_arrows")} <= panels["3D!scene"]["topics"].keys()

    def leaves(part):
        return [part] if isinstance(part, str) else [*leaves(part["first"]), *leaves(part["second"])]

    assert sorted(leaves(layout["layout"])) == sorted(panels), "each panel has its place, and each place a panel"
