# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Start the depth node.

    ros2 launch lircdepth_ros depth.launch.py
    ros2 launch lircdepth_ros depth.launch.py --show-args

An argument that is left empty leaves the value of the parameters file.
"""

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from lircdepth_ros.dds import profile_environment
from lircdepth_ros.depth_node.settings import PARAMETERS

SHARE = Path(get_package_share_directory("lircdepth_ros"))

# The parameters that are launch arguments, too; params_file sets the others.
ARGUMENTS = (
    "weights",
    "device",
    "backend",
    "precision",
    "inference_scale",
    "upsampling",
    "calibration_file",
    "image_topic",
    "image_transport",
    "camera_info_topic",
    "radar_topics",
    "depth_topic",
    "autostart",
)
HELP = {parameter.name: parameter.help_with_choices for parameter in PARAMETERS if parameter.name in ARGUMENTS}
HELP["radar_topics"] += " A list: '[/RADAR_FRONT/points]'."
HELP["use_sim_time"] = "Take the time from /clock: true or false."


def depth_node(context: LaunchContext) -> list[Node]:
    """Return the node, with the arguments that were given on top of the parameters file."""
    chosen = {name: LaunchConfiguration(name).perform(context) for name in HELP}
    # YAML gives numbers, booleans and lists their types, as in the parameters file.
    overrides = {name: yaml.safe_load(text) for name, text in chosen.items() if text}
    return [
        Node(
            package="lircdepth_ros",
            executable="depth_node",
            name="depth_node",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), overrides],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the Fast DDS profile and the node."""
    params_file = str(SHARE / "config" / "depth.yaml")
    return LaunchDescription(
        [
            DeclareLaunchArgument("params_file", default_value=params_file, description="The node's parameters."),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
            DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn, error or fatal."),
            *(
                DeclareLaunchArgument(name, default_value="", description=f"{text} Empty: as in params_file.")
                for name, text in HELP.items()
            ),
            *(SetEnvironmentVariable(name, value) for name, value in profile_environment().items()),
            OpaqueFunction(function=depth_node),
        ]
    )
