# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Start the depth node.

    ros2 launch lircdepth_ros depth.launch.py
    ros2 launch lircdepth_ros depth.launch.py --show-args

Every parameter of the node is an argument; one that is left empty leaves the value of the parameter files. What the
arguments mean is decided in lircdepth_ros.launching.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from lircdepth_core.errors import LircDepthError
from lircdepth_ros import launching
from lircdepth_ros.dds import profile_environment

ARGUMENTS = launching.depth_arguments(Path(get_package_share_directory("lircdepth_ros")) / "config")


def nodes(context: LaunchContext) -> list[Node]:
    """Return the depth node, RViz where asked for, and image_proc's node where images have to be rectified first."""
    chosen = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    for text in launching.misspelled(context.launch_configurations):
        get_logger("launch").warning(text)
    try:
        parameters = launching.depth_overrides(chosen)
        respawn, required = (launching.flag(name, chosen[name]) for name in ("respawn", "required"))
        delay = launching.seconds("respawn_delay", chosen["respawn_delay"])
        remappings = launching.rectification(chosen) if chosen["rectify"] else []
        rviz = launching.flag("rviz", chosen["rviz"])
        for package, wanted in (("rviz2", rviz), ("image_proc", chosen["rectify"])):
            if wanted:
                launching.require_package(package)
    except LircDepthError as error:
        raise RuntimeError(error) from None  # one line, before anything is started
    # For this process alone: what includes this file may have reasons to set the transport otherwise.
    environment = profile_environment(context.environment)
    depth_node = Node(
        package="lircdepth_ros",
        executable="depth_node",
        name=chosen["name"],
        namespace=chosen["namespace"],
        # A text would be read as YAML otherwise, and 61 become a number.
        parameters=[
            *(chosen[name] for name in ("model_file", "params_file") if chosen[name]),
            {k: ParameterValue(v, value_type=str) if isinstance(v, str) else v for k, v in parameters.items()},
        ],
        ros_arguments=["--log-level", chosen["log_level"]],
        output="screen",
        additional_env=environment,
        respawn=respawn,
        respawn_delay=delay,
        on_exit=[Shutdown(reason=f"{chosen['name']} has ended")] if required and not respawn else None,
    )
    started = [depth_node]
    if rviz:
        started.append(Node(package="rviz2", executable="rviz2", arguments=launching.rviz_arguments(chosen)))
    if not remappings:
        return started
    rectify_node = Node(
        package="image_proc",
        executable="rectify_node",
        name=f"{chosen['name']}_rectify",
        namespace=chosen["namespace"],
        remappings=remappings,
        output="screen",
        additional_env=environment,
        respawn=respawn,
        respawn_delay=delay,
    )
    return [rectify_node, *started]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the node."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(each.name, default_value=each.default, description=each.help)
                for each in ARGUMENTS
            ),
            OpaqueFunction(function=nodes),
        ]
    )
