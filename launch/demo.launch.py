# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Replay a synthetic scene into the depth node, and look at it.

    ros2 launch lircdepth_ros demo.launch.py
    ros2 launch lircdepth_ros demo.launch.py viewer:=rviz
    ros2 launch lircdepth_ros demo.launch.py viewer:=foxglove bag:=/path/to/bag

The scene is made once, which takes minutes on a CPU; a bag of your own needs none. With a viewer it is replayed until
^C, without one once. Every argument of replay.launch.py works here too. What the arguments mean is decided in
lircdepth_ros.launching.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from lircdepth_core.errors import LircDepthError
from lircdepth_ros import launching

SHARE = Path(get_package_share_directory("lircdepth_ros"))
ARGUMENTS = launching.demo_arguments(SHARE / "config")


def nodes(context: LaunchContext) -> list[Action]:
    """Return what makes the scene where there is none, and then the replay with its viewer."""
    chosen = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    try:
        viewer = launching.demo_viewer(chosen)
        bag, commands = launching.demo_scene(chosen)
        started = shown(viewer, bag, chosen)
    except LircDepthError as error:
        raise RuntimeError(error) from None  # one line, before anything is started
    context.launch_configurations.update(launching.demo_replay(chosen, bag))
    replay = IncludeLaunchDescription(PythonLaunchDescriptionSource(str(SHARE / "launch" / "replay.launch.py")))
    return after([ExecuteProcess(cmd=command, output="screen") for command in commands], [replay, *started])


def shown(viewer: str, bag: str, chosen: dict[str, str]) -> list[Action]:
    """Return what shows the depth."""
    if viewer == "rviz":
        launching.require_package("rviz2")
        return [Node(package="rviz2", executable="rviz2", arguments=launching.rviz_arguments(chosen))]
    if viewer == "foxglove":
        return [ExecuteProcess(cmd=launching.live_words(chosen), output="screen")]  # which says what to open
    if viewer == "browser":
        return [ExecuteProcess(cmd=launching.browser_words(bag, chosen), output="screen")]
    return []


def after(commands: list[ExecuteProcess], actions: list[Action]) -> list[Action]:
    """Return processes that run one after the other, and actions that follow; a failure shuts everything down."""
    if not commands:
        return actions
    first, *rest = commands

    def ended(event, context: LaunchContext) -> list[Action]:
        if event.returncode:
            return [Shutdown(reason=f"the scene could not be made: status {event.returncode}")]
        return after(rest, actions)

    return [RegisterEventHandler(OnProcessExit(target_action=first, on_exit=ended)), first]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and what they start."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(each.name, default_value=each.default, description=each.help)
                for each in ARGUMENTS
            ),
            OpaqueFunction(function=nodes),
        ]
    )
