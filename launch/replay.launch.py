# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Replay a bag, or a nuScenes scene without a bag, into the depth node.

    ros2 launch lircdepth_ros replay.launch.py bag:=/path/to/bag
    ros2 launch lircdepth_ros replay.launch.py source:=nuscenes dataroot:=/data/nuscenes scene:=scene-0061

Every argument of depth.launch.py works here too. When the bag has ended, everything shuts down.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from lircdepth_core.options import Option
from lircdepth_ros.replay_node.settings import PARAMETERS

SHARE = Path(get_package_share_directory("lircdepth_ros"))

# The parameters that are launch arguments, too, and the defaults that differ from the replay node's own.
ARGUMENTS = (
    "source",
    "bag",
    "dataroot",
    "version",
    "scene",
    "rate",
    "loop",
    "start_offset",
    "duration",
    "start_paused",
    "wait_for_topics",
    "linger",
)
DEFAULTS = {
    "wait_for_topics": "[/CAM_FRONT/image_rect/compressed]",
    "linger": "10.0",  # so that the depth node has time for the images that it still computes at the end
}
# The network loads before the first message; on a machine's first start backends are measured as well.
SUBSCRIPTION_TIMEOUT_S = 300.0


def default_calibration(context: LaunchContext) -> None:
    """Use the calibration.yaml that the converter writes into the bag, unless another one was given."""
    bag = LaunchConfiguration("bag").perform(context)
    calibration = Path(bag) / "calibration.yaml"
    if bag and not context.launch_configurations.get("calibration_file") and calibration.is_file():
        context.launch_configurations["calibration_file"] = str(calibration)


def declared(parameter: Option) -> DeclareLaunchArgument:
    """Return a parameter as a launch argument, whose default is a text."""
    default = str(parameter.default).lower() if isinstance(parameter.default, bool) else str(parameter.default)
    return DeclareLaunchArgument(
        parameter.name,
        default_value=DEFAULTS.get(parameter.name, default),
        description=f"{parameter.help_with_choices}.",
    )


def typed(parameter: Option) -> ParameterValue:
    """Return a launch argument's value in the type that the node declares."""
    kind = list[str] if isinstance(parameter.default, tuple) else type(parameter.default)
    return ParameterValue(LaunchConfiguration(parameter.name), value_type=kind)


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the depth node and the replay, whose end shuts everything down."""
    parameters = [parameter for parameter in PARAMETERS if parameter.name in ARGUMENTS]
    settings = {parameter.name: typed(parameter) for parameter in parameters}
    return LaunchDescription(
        [
            *(declared(parameter) for parameter in parameters),
            DeclareLaunchArgument("use_sim_time", default_value="true", description="Take the time from /clock."),
            OpaqueFunction(function=default_calibration),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(SHARE / "launch" / "depth.launch.py"))),
            Node(
                package="lircdepth_ros",
                executable="replay_node",
                name="replay_node",
                parameters=[settings | {"wait_for_subscribers": SUBSCRIPTION_TIMEOUT_S}],
                output="screen",
                on_exit=Shutdown(reason="the replay has ended"),
            ),
        ]
    )
