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
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from lircdepth_ros.dds import profile_environment

SHARE = Path(get_package_share_directory("lircdepth_ros"))

PARAMETERS = {
    "weights": "Weights file (.safetensors), or street, random or tiny.",
    "device": "auto, cpu, cuda or cuda:N.",
    "backend": "auto, plain, eager, compiled, onnxruntime or openvino.",
    "precision": "float32, bfloat16, float16 or int8.",
    "inference_scale": "Scale of the network's input.",
    "upsampling": "nearest or edge_aware.",
    "calibration_file": "calibration.yaml, for machines without tf2.",
    "image_topic": "Rectified camera image, without '/compressed'.",
    "image_transport": "compressed or raw.",
    "camera_info_topic": "CameraInfo of the image.",
    "radar_topics": "PointCloud2 topics, as a list: '[/RADAR_FRONT/points]'.",
    "depth_topic": "Output: '/image' and '/camera_info' are appended.",
    "autostart": "Configure and activate at start: true or false.",
    "use_sim_time": "Take the time from /clock: true or false.",
}


def depth_node(context):
    chosen = {name: LaunchConfiguration(name).perform(context) for name in PARAMETERS}
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


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file", default_value=str(SHARE / "config" / "depth.yaml"), description="The node's parameters."
            ),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
            DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn, error or fatal."),
            *(
                DeclareLaunchArgument(name, default_value="", description=f"{text} Empty: as in params_file.")
                for name, text in PARAMETERS.items()
            ),
            *(SetEnvironmentVariable(name, value) for name, value in profile_environment().items()),
            OpaqueFunction(function=depth_node),
        ]
    )
