# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What RViz and Foxglove show of depth nodes: their configurations, made from the nodes' settings.

config/viewers holds those of the front camera and of nuScenes' six; the launch files make them for other topics. Needs
no ROS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from lircdepth_ros.depth_node.settings import ALL_CAMERAS, Settings, published_topics
from lircdepth_ros.names import resolved

FIXED_FRAME, BASE_FRAME = "odom", "base_link"
LIDAR_TOPIC, BOXES_TOPIC, DIAGNOSTICS_TOPIC = "/LIDAR_TOP/points", "/annotations", "/diagnostics"
_COLOURED = {"colorMode": "rgb", "colorField": "rgb", "pointSize": 2}


@dataclass(frozen=True)
class Shown:
    """One camera of a depth node with the full names of what is shown of it.

    name: in words. node: its full name. settings: the camera's own.
    """

    name: str
    node: str
    settings: Settings
    namespace: str = ""

    def topic(self, name: str) -> str:
        """Return the full name of a topic of the node's settings."""
        return resolved(name.replace("~", self.node.lstrip("/")), self.namespace)

    @property
    def published(self) -> dict[str, str]:
        """{full name: type} of what the node publishes."""
        return {self.topic(name): kind for name, kind in published_topics(self.settings).items()}

    def output(self, name: str) -> str:
        """Return the full name of an output below depth_topic."""
        return self.topic(f"{self.settings.depth_topic}/{name}")

    @property
    def surround(self) -> str:
        """The points of all cameras of the node, where it has several."""
        return self.topic(self.settings.surround_topic)

    @property
    def overlay(self) -> str:
        """The radar overlay's topic."""
        return self.topic(self.settings.overlay_topic)

    @property
    def latencies(self) -> list[str]:
        """The topics of its latencies."""
        return [topic for topic, kind in self.published.items() if kind == "std_msgs/msg/Float64"]

    @property
    def radars(self) -> list[str]:
        """The radars' topics."""
        return [self.topic(topic) for topic in self.settings.radar_topics]


def shown(node: str, settings: Settings, namespace: str = "") -> list[Shown]:
    """Return each camera of a node as viewers show it. node: its full name."""
    return [
        Shown(own.camera or own.image_topic.strip("/").partition("/")[0], node, own, namespace)
        for own in settings.each_camera().values()
    ]


def front() -> list[Shown]:
    """Return the depth node with its defaults."""
    return shown("/depth_node", Settings())


def surround() -> list[Shown]:
    """Return the depth node with nuScenes' six cameras: ``cameras:=all``."""
    return shown("/depth_node", Settings(cameras=(ALL_CAMERAS,)))


def rviz(nodes: Sequence[Shown]) -> str:
    """Return an RViz configuration: pictures, points, radar, lidar, boxes and frames of depth nodes."""
    displays: list[dict[str, Any]] = [
        {
            "Class": "rviz_default_plugins/Grid",
            "Name": "Grid",
            "Enabled": True,
            "Cell Size": 10,
            "Plane Cell Count": 20,
        },
        {"Class": "rviz_default_plugins/TF", "Name": "Frames", "Enabled": True, "Show Names": True, "Marker Scale": 3},
    ]
    for node in nodes:
        displays += [
            _image(f"{node.name}: depth", node.output("color")),
            _image(f"{node.name}: radar", node.overlay, enabled=len(nodes) == 1),
            _cloud(f"{node.name}: points", node.output("points"), "RGB8", 0.05, enabled=len(nodes) == 1),
            _markers(f"{node.name}: radar's motion", node.output("radar_arrows")),
        ]
    if len(nodes) > 1:
        displays.append(_cloud("All cameras: points", nodes[0].surround, "RGB8", 0.05))
    displays += [_cloud(topic, topic, "AxisColor", 0.3, enabled=False) for topic in _radars(nodes)]
    displays += [
        _cloud("Lidar", LIDAR_TOPIC, "Intensity", 0.03, enabled=False),
        _markers("Boxes", BOXES_TOPIC, enabled=False),
    ]
    configuration = {
        "Panels": [
            {"Class": "rviz_common/Displays", "Name": "Displays"},
            {"Class": "rviz_common/Views", "Name": "Views"},
        ],
        "Visualization Manager": {
            "Class": "",
            "Displays": displays,
            "Enabled": True,
            "Global Options": {"Background Color": "30; 30; 34", "Fixed Frame": FIXED_FRAME, "Frame Rate": 30},
            "Name": "root",
            "Tools": [{"Class": "rviz_default_plugins/MoveCamera"}, {"Class": "rviz_default_plugins/Measure"}],
            "Views": {
                "Current": {
                    "Class": "rviz_default_plugins/ThirdPersonFollower",
                    "Name": "Current View",
                    "Target Frame": BASE_FRAME,
                    "Distance": 30,
                    "Pitch": 0.5,
                    "Yaw": 3.14,
                }
            },
        },
        "Window Geometry": {"Width": 1600, "Height": 1000},
    }
    return yaml.safe_dump(configuration, sort_keys=False, width=120)


def _image(name: str, topic: str, enabled: bool = True) -> dict[str, Any]:
    return {"Class": "rviz_default_plugins/Image", "Name": name, "Enabled": enabled, "Topic": _topic(topic)}


def _cloud(name: str, topic: str, transformer: str, size_m: float, enabled: bool = True) -> dict[str, Any]:
    return {
        "Class": "rviz_default_plugins/PointCloud2",
        "Name": name,
        "Enabled": enabled,
        "Color Transformer": transformer,
        "Style": "Flat Squares",
        "Size (m)": size_m,
        "Topic": _topic(topic),
    }


def _markers(name: str, topic: str, enabled: bool = True) -> dict[str, Any]:
    return {
        "Class": "rviz_default_plugins/MarkerArray",
        "Name": name,
        "Enabled": enabled,
        "Topic": _topic(topic, "Reliable"),
    }


def _topic(name: str, reliability: str = "Best Effort") -> dict[str, Any]:
    return {
        "Value": name,
        "Depth": 5,
        "History Policy": "Keep Last",
        "Reliability Policy": reliability,
        "Durability Policy": "Volatile",
    }


def foxglove(nodes: Sequence[Shown]) -> str:
    """Return a Foxglove layout: pictures, a scene in 3D, latencies and diagnostics of depth nodes."""
    scene: dict[str, dict[str, Any]] = {}
    for node in nodes:
        scene[node.output("points")] = _COLOURED | {"visible": len(nodes) == 1}
        scene[node.output("radar_arrows")] = {"visible": True}
    if len(nodes) > 1:
        scene[nodes[0].surround] = _COLOURED | {"visible": True}
    scene |= {topic: {"visible": True, "colorMode": "colormap", "colorField": "vx"} for topic in _radars(nodes)}
    scene[LIDAR_TOPIC] = {"visible": False, "colorMode": "colormap", "colorField": "intensity"}
    scene[BOXES_TOPIC] = {"visible": True}
    panels: dict[str, dict[str, Any]] = {
        "3D!scene": {
            "followMode": "follow-pose",
            "followTf": BASE_FRAME,
            "cameraState": {"distance": 40, "phi": 60, "thetaOffset": 90, "perspective": True},
            "topics": scene,
        },
        "Plot!latency": {
            "title": "Latency [ms]",
            "yAxisLabel": "ms",
            "paths": [
                {
                    "value": f"{topic}.data",
                    "label": f"{node.name}: {topic.rpartition('/')[2]}",
                    "enabled": True,
                    "timestampMethod": "receiveTime",
                }
                for node in nodes
                for topic in node.latencies
            ],
        },
        "DiagnosticSummary!health": {"topicToRender": DIAGNOSTICS_TOPIC, "minLevel": 0},
    }
    pictures = []
    for node in nodes:
        images = {"depth": node.output("color")} | ({"radar": node.overlay} if len(nodes) == 1 else {})
        for what, topic in images.items():
            pictures.append(name := f"Image!{node.name}-{what}")
            panels[name] = {"imageMode": {"imageTopic": topic}, "foxglovePanelTitle": f"{node.name}: {what}"}
    layout = {
        "direction": "row",
        "splitPercentage": 45,
        "first": _stacked(pictures),
        "second": {
            "direction": "column",
            "splitPercentage": 65,
            "first": "3D!scene",
            "second": {"direction": "row", "first": "Plot!latency", "second": "DiagnosticSummary!health"},
        },
    }
    content = {"configById": panels, "globalVariables": {}, "userNodes": {}, "layout": layout}
    return json.dumps(content, indent=2) + "\n"


def _stacked(panels: Sequence[str]) -> Any:
    """Return panels below one another, each of the same height."""
    if len(panels) == 1:
        return panels[0]
    rest = _stacked(panels[1:])
    return {"direction": "column", "splitPercentage": 100 / len(panels), "first": panels[0], "second": rest}


def _radars(nodes: Sequence[Shown]) -> list[str]:
    return list(dict.fromkeys(topic for node in nodes for topic in node.radars))


def shipped() -> Mapping[str, str]:
    """Return {name in config/viewers: content} of the layouts that ship."""
    sets = {"front": front(), "surround": surround()}
    return {
        **{f"{name}.rviz": rviz(nodes) for name, nodes in sets.items()},
        **{f"{name}.foxglove.json": foxglove(nodes) for name, nodes in sets.items()},
    }
