# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Replay a bag, or a nuScenes scene without a bag, into the depth node.

    ros2 launch lircdepth_ros replay.launch.py bag:=/path/to/bag
    ros2 launch lircdepth_ros replay.launch.py bag:=/path/to/bag cameras:=all
    ros2 launch lircdepth_ros replay.launch.py source:=nuscenes dataroot:=/data/nuscenes scene:=scene-0061

Every argument of depth.launch.py works here too. When the bag or the depth node has ended, everything shuts down.
What the arguments mean is decided in lircdepth_ros.launching.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from lircdepth_core.errors import LircDepthError
from lircdepth_ros import launching
from lircdepth_ros.dds import profile_environment

SHARE = Path(get_package_share_directory("lircdepth_ros"))
ARGUMENTS = launching.replay_arguments(SHARE / "config")


def nodes(context: LaunchContext) -> list[Action]:
    """Return the depth node's launch file and the replay node; nothing is started where an argument cannot work."""
    chosen = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    try:
        context.launch_configurations["calibration_file"] = launching.calibration_of(chosen)
        for name, text in launching.cameras_of_bag(chosen).items():
            chosen[name] = context.launch_configurations[name] = text
        launching.depth_overrides(chosen)
        parameters = launching.replay_overrides(chosen)
    except LircDepthError as error:
        raise RuntimeError(error) from None  # one line, before anything is started
    return [
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(SHARE / "launch" / "depth.launch.py"))),
        Node(
            package="lircdepth_ros",
            executable="replay_node",
            name="replay_node",
            namespace=chosen["namespace"],
            parameters=[
                {k: ParameterValue(v, value_type=str) if isinstance(v, str) else v for k, v in parameters.items()}
            ],
            output="screen",
            additional_env=profile_environment(context.environment),
            on_exit=[Shutdown(reason="the replay has ended")],
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes, the end of which shuts everything down."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(each.name, default_value=each.default, description=each.help)
                for each in ARGUMENTS
            ),
            OpaqueFunction(function=nodes),
        ]
    )
