# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Replay a bag, or a nuScenes scene without a bag, into the depth node.

    ros2 launch lircdepth_ros replay.launch.py bag:=/path/to/bag
    ros2 launch lircdepth_ros replay.launch.py source:=nuscenes dataroot:=/data/nuscenes scene:=scene-0061

Every argument of depth.launch.py works here too. When the bag has ended, everything shuts down.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory("lircdepth_ros"))


def default_calibration(context):
    """The converter writes calibration.yaml into the bag: use it unless another one was given."""
    bag = LaunchConfiguration("bag").perform(context)
    calibration = Path(bag) / "calibration.yaml"
    if bag and not context.launch_configurations.get("calibration_file") and calibration.is_file():
        context.launch_configurations["calibration_file"] = str(calibration)


def typed(name, kind):
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument("source", default_value="bag", description="What to replay: bag or nuscenes."),
            DeclareLaunchArgument("bag", default_value="", description="Bag directory, as nuscenes_to_bag writes it."),
            DeclareLaunchArgument("dataroot", default_value="", description="nuScenes folder, for source nuscenes."),
            DeclareLaunchArgument("version", default_value="v1.0-mini", description="nuScenes tables, likewise."),
            DeclareLaunchArgument("scene", default_value="", description="nuScenes scene, likewise."),
            DeclareLaunchArgument("rate", default_value="1.0", description="Speed of the replay; 1 is as recorded."),
            DeclareLaunchArgument("loop", default_value="false", description="Start again at the end: true or false."),
            DeclareLaunchArgument("start_offset", default_value="0.0", description="Seconds to skip at the start."),
            DeclareLaunchArgument("duration", default_value="0.0", description="Seconds to replay; 0 is to the end."),
            DeclareLaunchArgument(
                "start_paused", default_value="false", description="Wait for ~/resume or ~/play_next."
            ),
            DeclareLaunchArgument(
                "wait_for_topics",
                default_value="[/CAM_FRONT/image_rect/compressed]",
                description="Topics that must have a subscription before the replay starts (at most five minutes).",
            ),
            DeclareLaunchArgument(
                "linger",
                default_value="10.0",
                description="Seconds of bag time that the depth node has for what it still computes at the end.",
            ),
            DeclareLaunchArgument("use_sim_time", default_value="true", description="Take the time from /clock."),
            OpaqueFunction(function=default_calibration),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(SHARE / "launch" / "depth.launch.py"))),
            Node(
                package="lircdepth_ros",
                executable="replay_node",
                name="replay_node",
                parameters=[
                    {
                        "source": typed("source", str),
                        "bag": typed("bag", str),
                        "dataroot": typed("dataroot", str),
                        "version": typed("version", str),
                        "scene": typed("scene", str),
                        "rate": typed("rate", float),
                        "loop": typed("loop", bool),
                        "start_offset": typed("start_offset", float),
                        "duration": typed("duration", float),
                        "start_paused": typed("start_paused", bool),
                        "linger": typed("linger", float),
                        "wait_for_subscribers": 300.0,  # the network loads, and the first time backends are measured
                        "wait_for_topics": typed("wait_for_topics", list[str]),
                    }
                ],
                output="screen",
                on_exit=Shutdown(reason="the replay has ended"),
            ),
        ]
    )
